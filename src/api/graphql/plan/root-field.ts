/** What planners of root fields have in common: reading arguments, and who may and what is recorded. */
import { type FieldNode, getArgumentValues, type GraphQLField, type GraphQLSchema, type VariableValues } from "graphql";
import { currentCall } from "#base/kernel/call";
import { DEFAULT_LIMITS } from "#base/kernel/limits";
import { type PageArguments, type PageRequest, readPageRequest } from "#base/kernel/page";
import { withAuditLog } from "#api/graphql/policy/audited-mutations";
import { type Resolver, withPolicy } from "#api/graphql/policy/enforce-policy";
import type { Run } from "#api/graphql/plan/planner";
import { NotPlanned } from "#api/graphql/plan/selections";
import type { TextRow } from "#engine/routing/region-text";

export type ReadArguments = (variables: VariableValues) => Record<string, unknown>;

/** Reads the arguments of a field of a type, each time with the values that came with the operation. */
export function readArguments(schema: GraphQLSchema, type: string, node: FieldNode | undefined): ReadArguments {
  const field = fieldOf(schema, type, node);
  return (variables) => getArgumentValues(field, node as FieldNode, variables);
}

/** The page that a list's arguments ask for; undefined: it is refused, at its place in the answer. */
export function pageOf(args: PageArguments): PageRequest | undefined {
  try {
    return readPageRequest(args);
  } catch {
    return undefined;
  }
}

/** Puts what the modules say of a root field in front of another resolver for it. */
export function guarding(
  schema: GraphQLSchema,
  type: "Query" | "Mutation",
  node: FieldNode | undefined,
  resolve: Resolver,
): Resolver {
  const field = fieldOf(schema, type, node);
  const allowed = withPolicy(type, field, resolve);
  return type === "Mutation" ? withAuditLog(field, allowed) : allowed;
}

/** One run of a planned field about the row with an id. */
export function running(id: string, resolve: Resolver, args: object): Run {
  return {
    id,
    answer: (context) => resolve(undefined, args, context, undefined as never) as Promise<TextRow | undefined>,
  };
}

/** The longest text that the running call may answer. */
export function maxBytes(): number {
  return currentCall()?.answer?.max ?? DEFAULT_LIMITS.maxAnswerBytes;
}

function fieldOf(schema: GraphQLSchema, type: string, node: FieldNode | undefined): GraphQLField<unknown, unknown> {
  const parent = schema.getType(type);
  const field = parent !== undefined && "getFields" in parent ? parent.getFields()[node?.name.value ?? ""] : undefined;
  if (node === undefined || field === undefined || !("args" in field)) throw new NotPlanned();
  return field;
}
