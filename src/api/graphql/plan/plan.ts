/**
 * Operations that are answered by one statement per database, whose text is sent as it is: the statement is planned from the
 * document's selections once, and no resolver runs below a root field. What is not planned here goes the ordinary way,
 * through the executor, as does what turns out to need it; test/integration/planned-operations.test.ts proves that both
 * answer the same.
 */
import {
  type FieldNode,
  type DocumentNode,
  getArgumentValues,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type VariableValues,
} from "graphql";
import { DEFAULT_LIMITS } from "#base/kernel/limits";
import { HOME_NUMBER, isUuid, placementNumberOf } from "#base/kernel/ids";
import { type PageRequest, readPageRequest } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";
import { currentCall } from "#base/kernel/call";
import { commentInsertion, createCommentText, type NewComment } from "#app/comments/comments";
import type { TextRow } from "#engine/routing/region-text";
import { resourceText } from "#app/resources/resource-text";
import { readResourceText } from "#app/resources/resources";
import type { TenantRoute } from "#engine/routing/routing";
import { withAuditLog } from "#api/graphql/policy/audited-mutations";
import { readNewComment } from "#app/comments/graphql";
import type { GraphQLContext } from "#api/graphql/context";
import { type Resolver, withPolicy } from "#api/graphql/policy/enforce-policy";
import { type Fragments, fragmentsOf } from "#api/graphql/fragments";
import { type ResourceSelection, selectComment, selectResource } from "#app/resources/resource-members";
import { collect, NotPlanned } from "#api/graphql/plan/selections";

/**
 * Answers a root field with JSON text. Made for each run; undefined: the values that came with the operation take it the
 * ordinary way. The text is undefined where only the answer shows that.
 */
export type Run = {
  /** The id of what it is about, which says where that is. */
  id: string;
  answer: (context: GraphQLContext) => Promise<TextRow | undefined>;
};
export type PlannedField = {
  /** Its name in the answer. */
  name: string;
  nodes: readonly FieldNode[];
  prepare: (variables: VariableValues) => Run | undefined;
};
export type Plan = { fields: readonly PlannedField[] };

const plans = new WeakMap<OperationDefinitionNode, Plan | null>();

/** The plan of a validated operation, made when it is first asked for; null: there is none. */
export function planOf(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): Plan | null {
  const found = plans.get(operation);
  if (found !== undefined) return found;
  const plan = makePlan(schema, document, operation);
  plans.set(operation, plan);
  return plan;
}

function makePlan(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): Plan | null {
  const fragments = fragmentsOf(document);
  const type = schema.getRootType(operation.operation)?.name ?? "";
  const fields = new Map<string, FieldNode[]>();
  try {
    if ((operation.directives ?? []).length > 0) return null;
    collect(operation.selectionSet, type, fragments, fields);
    // One mutation after the other, each to be read afresh: not for two.
    if (type === "Mutation" && fields.size > 1) return null;
    return {
      fields: [...fields].map(([name, nodes]) => {
        const planner = PLANNERS[`${type}.${nodes[0]?.name.value}`];
        if (planner === undefined) throw new NotPlanned();
        return { name, nodes, prepare: planner(schema, nodes, fragments) };
      }),
    };
  } catch (error) {
    if (error instanceof NotPlanned) return null;
    throw error;
  }
}

type Planner = (schema: GraphQLSchema, nodes: readonly FieldNode[], fragments: Fragments) => PlannedField["prepare"];

const PLANNERS: Readonly<Record<string, Planner>> = {
  "Query.resource": planResource,
  "Mutation.createComment": planCreateComment,
};

function planResource(
  schema: GraphQLSchema,
  nodes: readonly FieldNode[],
  fragments: Fragments,
): PlannedField["prepare"] {
  const selection = selectResource(nodes, fragments);
  const statements = {
    region: resourceText(selection.members, "region"),
    // Who may see an address there depends on who asks.
    home: selection.asksForAddress ? undefined : resourceText(selection.members, "home"),
  };
  const argumentsOf = readArguments(schema, "Query", nodes);
  const pagesOf = selection.pages.map((page) => readArguments(schema, "Resource", [page]));
  const run: Resolver = (_, { id, pages }: { id: string; pages: PageRequest[] }, context) =>
    readResourceText(
      context.services,
      context.actor,
      { id: validId("id", id), pages, maxBytes: maxBytes() },
      statements,
      (route) => regionText(selection.region ?? [], route, context),
    );
  const resolve = withPolicy("Query", "resource", run);
  return (variables) => {
    const pages = pagesOf.map((read) => pageOf(read(variables)));
    const args = argumentsOf(variables) as { id: string };
    return pages.includes(undefined) ? undefined : running(args.id, resolve, { ...args, pages });
  };
}

function planCreateComment(
  schema: GraphQLSchema,
  nodes: readonly FieldNode[],
  fragments: Fragments,
): PlannedField["prepare"] {
  const insertion = commentInsertion(selectComment(nodes, fragments));
  const argumentsOf = readArguments(schema, "Mutation", nodes);
  const run: Resolver = (_, { input }: { input: NewComment }, { actor, services, origin }) => {
    const wanted = { ...readNewComment(input), maxBytes: maxBytes() };
    return createCommentText(services, actor, wanted, { origin, action: "createComment" }, insertion);
  };
  const resolve = withAuditLog("createComment", withPolicy("Mutation", "createComment", run));
  return (variables) => {
    const args = argumentsOf(variables) as { input: NewComment };
    // At home everybody is known by name, and by address to some.
    const isRouted = isTenants(args.input.resourceId);
    return isRouted ? running(args.input.resourceId, resolve, args) : undefined;
  };
}

function isTenants(id: string): boolean {
  return isUuid(id) && placementNumberOf(id) !== HOME_NUMBER;
}

function running(id: string, resolve: Resolver, args: object): Run {
  return {
    id,
    answer: (context) => resolve(undefined, args, context, undefined as never) as Promise<TextRow | undefined>,
  };
}

function maxBytes(): number {
  return currentCall()?.answer?.max ?? DEFAULT_LIMITS.maxAnswerBytes;
}

type ReadArguments = (variables: VariableValues) => Record<string, unknown>;

function readArguments(schema: GraphQLSchema, type: string, [node]: readonly FieldNode[]): ReadArguments {
  const parent = schema.getType(type);
  const field = parent !== undefined && "getFields" in parent ? parent.getFields()[node?.name.value ?? ""] : undefined;
  if (node === undefined || field === undefined || !("args" in field)) throw new NotPlanned();
  return (variables) => getArgumentValues(field, node, variables);
}

/** undefined: it is refused, at its place in the answer. */
function pageOf(args: { first?: number | null; after?: string | null }): PageRequest | undefined {
  try {
    return readPageRequest(args.first, args.after);
  } catch {
    return undefined;
  }
}

/** The key cannot change; the name can, so that home is asked. */
function regionText(
  members: NonNullable<ResourceSelection["region"]>,
  { regionKey, databaseId }: TenantRoute,
  { loaders }: GraphQLContext,
): string | Promise<string> {
  const text = (name: string) =>
    `{${members
      .map((one) => {
        const value = { __typename: "Region", key: regionKey, name }[one.value];
        return `${JSON.stringify(one.name)}:${JSON.stringify(value)}`;
      })
      .join(",")}}`;
  if (!members.some(({ value }) => value === "name")) return text("");
  return loaders.regionsOfDatabases.load(databaseId).then((region) => (region === null ? "null" : text(region.name)));
}
