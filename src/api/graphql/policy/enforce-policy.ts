/** Puts what the policy table says in front of the resolvers of a built schema. */
import { type GraphQLField, type GraphQLFieldResolver, type GraphQLSchema, isObjectType } from "graphql";
import { authorizeCaller, authorizeInOrganization } from "#engine/auth/policy";
import { POLICY, type Row, type Rule } from "#engine/auth/policy-table";
import type { GraphQLContext } from "#api/graphql/context";
import { createLoaders } from "#api/graphql/loaders";
import { requireStorableArguments } from "#api/graphql/policy/storable-arguments";

type Policy = typeof POLICY;
export type Resolver = GraphQLFieldResolver<unknown, GraphQLContext>;
type Check = (source: unknown, context: GraphQLContext) => void | Promise<void>;

/** The fields of the schema's own object types, as `Type.field`. */
export function fieldsOf(
  schema: GraphQLSchema,
): { name: string; type: string; field: GraphQLField<unknown, unknown> }[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter(({ name }) => !name.startsWith("__"))
    .flatMap((type) =>
      Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, type: type.name, field })),
    );
}

/**
 * Wraps the resolvers of the schema with what their rows demand, as far as that is known before they run. Throws when a field
 * has no row, or a row no field. Fields that are visible with their object and take no arguments keep their resolver as it is: a
 * list has hundreds.
 */
export function enforcePolicy(schema: GraphQLSchema, policy: Policy = POLICY): GraphQLSchema {
  const fields = fieldsOf(schema);
  const rows = Object.entries(policy).flatMap(([type, row]) => Object.keys(row).map((field) => `${type}.${field}`));
  const gaps = [
    ...fields
      .filter(({ name }) => !rows.includes(name))
      .map(({ name }) => `${name} has no row in engine/auth/policy-table.ts`),
    ...rows
      .filter((name) => !fields.some((field) => field.name === name))
      .map((name) => `${name} of engine/auth/policy-table.ts is no field of the schema`),
  ];
  if (gaps.length > 0) throw new Error(`Schema and policy differ: ${gaps.join("; ")}.`);
  for (const { type, field } of fields) {
    const row = policy[type]?.[field.name];
    if (row !== undefined) wrap(field as GraphQLField<unknown, GraphQLContext>, type, row);
  }
  return schema;
}

/** Puts the row of a field in front of another resolver for it. */
export function withPolicy(type: string, field: string, resolve: Resolver): Resolver {
  const row = POLICY[type]?.[field];
  if (row === undefined) throw new Error(`${type}.${field} has no row in engine/auth/policy-table.ts`);
  return wrapped(resolve, type, field, row);
}

function wrapped(resolve: Resolver, type: string, name: string, row: Row): Resolver {
  const resolver = withStorableArguments(guarded(resolve, checkOf(row)));
  return type === "Mutation" ? forgettingSeats(readingAfresh(resolver), name) : resolver;
}

function wrap(field: GraphQLField<unknown, GraphQLContext>, type: string, row: Row): void {
  const check = checkOf(row);
  if (type === "Subscription") {
    field.subscribe = withStorableArguments(guarded(required(field.subscribe, field.name), check));
    field.resolve = readingAfresh(required(field.resolve, field.name));
    return;
  }
  if (check === undefined && type !== "Mutation" && field.args.length === 0) return;
  field.resolve = wrapped(required(field.resolve, field.name), type, field.name, row);
}

function required(resolver: Resolver | undefined, name: string): Resolver {
  if (resolver === undefined) throw new Error(`${name} has no resolver to put its policy in front of`);
  return resolver;
}

/** The form of what is asked comes before what there is, so that its refusal says nothing of that. */
function withStorableArguments(resolve: Resolver): Resolver {
  return (source, args, context, info) => {
    requireStorableArguments(args as Record<string, unknown>);
    return resolve(source, args, context, info);
  };
}

function guarded(resolve: Resolver, check: Check | undefined): Resolver {
  if (check === undefined) return resolve;
  return (source, args, context, info) => {
    const checked = check(source, context);
    return checked === undefined
      ? resolve(source, args, context, info)
      : checked.then(() => resolve(source, args, context, info));
  };
}

/**
 * What the loaders remember of who may see what holds for one reading. A mutation changes it, and between two events of a
 * subscription somebody else may have.
 */
function readingAfresh(resolve: Resolver): Resolver {
  return (source, args, context, info) => {
    Object.assign(context, { loaders: createLoaders(context.services, context.actor) });
    return resolve(source, args, context, info);
  };
}

/** These change nobody's role. */
const CONTENT_MUTATIONS = new Set(["createResource", "createComment"]);

/** Other processes hear of it when they do; the caller's next query to this one must see what was changed. */
function forgettingSeats(resolve: Resolver, name: string): Resolver {
  if (CONTENT_MUTATIONS.has(name)) return resolve;
  return async (source, args, context, info) => {
    try {
      return await resolve(source, args, context, info);
    } finally {
      context.services.seats.forget();
    }
  };
}

/** What is to be checked first; undefined: nothing, or only what the resolver finds out. */
function checkOf({ rule, cases }: Row): Check | undefined {
  // A row with cases passes whom any of its rules could: which one applies is known to the service.
  const callers = [rule, ...Object.values(cases)].map(callersOf);
  const refused = callers.every((list) => list !== undefined)
    ? (["operator", "user", "key"] as const).filter((kind) => !callers.flat().includes(kind))
    : [];
  const allowed = (["operator", "user", "key"] as const).filter((kind) => !refused.includes(kind));
  if (rule.kind === "organization" && rule.parent) {
    const { action } = rule;
    return async (source, { actor, loaders }) => {
      if (actor.kind === "operator") return;
      authorizeInOrganization(actor, await loaders.roles.load((source as { id: string }).id), action);
    };
  }
  return refused.length === 0 ? undefined : (_, { actor }) => authorizeCaller(actor, allowed);
}

function callersOf(rule: Rule): readonly ("operator" | "user" | "key")[] | undefined {
  return rule.kind === "callers" || rule.kind === "organization" ? rule.callers : undefined;
}
