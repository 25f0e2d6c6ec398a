/** Puts what the rows of the policy say in front of the resolvers of a built schema. */
import type { GraphQLField, GraphQLFieldResolver, GraphQLSchema } from "graphql";
import { authorizeCaller, authorizeChange, authorizeInOrganization } from "#engine/auth/policy";
import type { Row, Rule } from "#engine/auth/policy-table";
import type { GraphQLContext } from "#api/graphql/context";
import { type FieldRules, fieldsOf, rulesOf } from "#api/graphql/policy/field-rules";
import { createLoaders } from "#api/graphql/loaders";
import { requireStorableArguments } from "#api/graphql/policy/storable-arguments";

export type Resolver = GraphQLFieldResolver<unknown, GraphQLContext>;
type Check = (source: unknown, context: GraphQLContext) => void | Promise<void>;

/**
 * Wraps the resolvers of the schema with what their rows demand, as far as that is known before they run. Fields that are
 * visible with their object and take no arguments keep their resolver as it is: a list has hundreds.
 */
export function enforcePolicy(schema: GraphQLSchema): GraphQLSchema {
  for (const { type, field } of fieldsOf(schema)) wrap(field as GraphQLField<unknown, GraphQLContext>, type);
  return schema;
}

/** Puts the row of a field in front of another resolver for it. */
export function withPolicy(type: string, field: GraphQLField<unknown, unknown>, resolve: Resolver): Resolver {
  return wrapped(resolve, type, rulesOf(field));
}

function wrapped(resolve: Resolver, type: string, { policy, audit }: FieldRules): Resolver {
  const allowed = guarded(resolve, checkOf(policy));
  if (type !== "Mutation") return withStorableArguments(allowed);
  const afresh = readingAfresh(withStorableArguments(guarded(allowed, (_, { actor }) => authorizeChange(actor))));
  // Content changes nobody's role.
  return audit?.content === true ? afresh : forgettingRoles(afresh);
}

function wrap(field: GraphQLField<unknown, GraphQLContext>, type: string): void {
  const rules = rulesOf(field);
  const check = checkOf(rules.policy);
  if (type === "Subscription") {
    field.subscribe = withStorableArguments(guarded(required(field.subscribe, field.name), check));
    field.resolve = readingAfresh(required(field.resolve, field.name));
    return;
  }
  if (check === undefined && type !== "Mutation" && field.args.length === 0) return;
  field.resolve = wrapped(required(field.resolve, field.name), type, rules);
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

/** Other processes hear of it when they do; the caller's next query to this one must see what was changed. */
function forgettingRoles(resolve: Resolver): Resolver {
  return async (source, args, context, info) => {
    try {
      return await resolve(source, args, context, info);
    } finally {
      context.services.roleCache.forget();
    }
  };
}

/** What is to be checked first; undefined: nothing, or only what the resolver finds out. */
function checkOf(row: Row | undefined): Check | undefined {
  if (row === undefined) return undefined;
  const { rule, cases } = row;
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
