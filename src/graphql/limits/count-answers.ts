/**
 * Counts the bytes of an answer while the executor makes it: what is asked for under many names is in memory once, and in the
 * answer many times. What is counted is close to what is sent; http/post-operation.ts looks at that.
 */
import { defaultFieldResolver, getNamedType, type GraphQLResolveInfo, type GraphQLSchema, isLeafType } from "graphql";
import { currentCall } from "#kernel/call";
import { type Resolver, fieldsOf } from "#graphql/enforce-policy";

/** Shorter strings are counted by their characters: it is cheaper, and there is no room in them for much else. */
const SHORT = 64;
/** Numbers, booleans, times. */
const OTHER_BYTES = 24;
/** Quotes, colon and comma. */
const AROUND_NAME = 4;

/** Puts the count around the resolvers of all fields that have no fields of their own. */
export function countAnswers(schema: GraphQLSchema): GraphQLSchema {
  for (const { field } of fieldsOf(schema)) {
    if (!isLeafType(getNamedType(field.type))) continue;
    field.resolve = counted((field.resolve as Resolver | undefined) ?? defaultFieldResolver) as typeof field.resolve;
  }
  return schema;
}

function counted(resolve: Resolver): Resolver {
  return (source, args, context, info) => {
    const value: unknown = resolve(source, args, context, info);
    if (value instanceof Promise) return value.then((later: unknown) => count(later, info));
    return count(value, info);
  };
}

function count(value: unknown, info: GraphQLResolveInfo): unknown {
  const name = info.path.key;
  currentCall()?.answer?.add(bytesOf(value) + (typeof name === "string" ? name.length : 0) + AROUND_NAME, () =>
    rootOf(info),
  );
  return value;
}

/** What the value is in JSON, about. */
function bytesOf(value: unknown): number {
  if (typeof value === "string")
    return value.length <= SHORT ? value.length + 2 : Buffer.byteLength(JSON.stringify(value));
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + bytesOf(one) + 1, 2);
  return OTHER_BYTES;
}

/** The name in the answer of the field at the root that this one stands under. */
function rootOf({ path }: Pick<GraphQLResolveInfo, "path">): string {
  let first = path;
  while (first.prev !== undefined) first = first.prev;
  return String(first.key);
}
