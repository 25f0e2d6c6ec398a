/**
 * Counts the bytes of an answer while the executor makes it: what is asked for under many names is in memory once, and in the
 * answer many times. Of a field with fields of its own its name is counted: a row of nothing but names is in the answer too.
 * The count is close to the bytes that are sent. api/http/endpoint/post-operation.ts measures those.
 */
import { defaultFieldResolver, getNamedType, type GraphQLResolveInfo, type GraphQLSchema, isLeafType } from "graphql";
import { currentCall } from "#base/kernel/call";
import type { Resolver } from "#api/graphql/policy/enforce-policy";
import { fieldsOf } from "#api/graphql/policy/field-rules";

/** Shorter strings are counted by their characters: it is cheaper, and there is no room in them for much else. */
const SHORT = 64;
/** Numbers, booleans, times. */
const OTHER_BYTES = 24;
/** Quotes, colon and comma. */
const AROUND_NAME = 4;

/**
 * Puts the count around the resolvers of all fields. Those of Mutation are few, and their names are not counted: a field that
 * is too much is said to have been carried out, and before its resolver that is not true.
 */
export function countAnswers(schema: GraphQLSchema): GraphQLSchema {
  for (const { type, field } of fieldsOf(schema)) {
    const isLeaf = isLeafType(getNamedType(field.type));
    if (!isLeaf && type === "Mutation") continue;
    const resolve = (field.resolve as Resolver | undefined) ?? defaultFieldResolver;
    field.resolve = (isLeaf ? counted(resolve) : withCountedName(resolve)) as typeof field.resolve;
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

/** What stands in the field is counted by itself. What the resolver returns stays as it is: a list has hundreds of them. */
function withCountedName(resolve: Resolver): Resolver {
  return (source, args, context, info) => {
    add(0, info);
    return resolve(source, args, context, info);
  };
}

function count(value: unknown, info: GraphQLResolveInfo): unknown {
  add(bytesOf(value), info);
  return value;
}

/** These bytes, and the name that they have in the answer. */
function add(bytes: number, info: GraphQLResolveInfo): void {
  const name = info.path.key;
  currentCall()?.answer?.add(bytes + (typeof name === "string" ? name.length : 0) + AROUND_NAME, () => rootOf(info));
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
