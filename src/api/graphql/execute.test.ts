import {
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  parse,
} from "graphql";
import { beforeEach, expect, test } from "vitest";
import { executeOperation, followOperation } from "#api/graphql/execute";

/** Throws for a number below zero, as a value may that nobody thought of. */
const Picky = new GraphQLScalarType({
  name: "Picky",
  coerceOutputValue: (value) => {
    if (Number(value) < 0) throw new Error("no such value");
    return value;
  },
});

let waiting: PromiseWithResolvers<number>;
const rows = () => [
  { late: () => waiting.promise, value: 1 },
  { late: () => 2, value: -1 },
];
const Row = new GraphQLObjectType({
  name: "Row",
  fields: {
    late: { type: new GraphQLNonNull(GraphQLInt) },
    value: { type: new GraphQLNonNull(Picky) },
  },
});
const type = new GraphQLList(new GraphQLNonNull(Row));
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: "Query", fields: { rows: { type, resolve: rows } } }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: {
      rows: {
        type,
        async *subscribe() {
          yield await Promise.resolve(0);
        },
        resolve: rows,
      },
    },
  }),
});

let nobodys: unknown[];
const take = (error: unknown) => nobodys.push(error);
beforeEach(() => {
  nobodys = [];
  waiting = Promise.withResolvers();
  process.on("unhandledRejection", take);
  return () => process.off("unhandledRejection", take);
});
// Node tells of rejections that nobody took after the microtasks have run.
const afterRejections = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test("a scalar that throws in the second row while the first waits: the first row's error is taken", async () => {
  const stop = new AbortController();
  const result = await executeOperation({
    schema,
    document: parse("{ rows { late value } }"),
    abortSignal: stop.signal,
  });
  expect(result).toMatchObject({ data: { rows: null }, errors: [{ path: ["rows", 1, "value"] }] });
  const reason = new Error("the operation has been answered");
  stop.abort(reason);
  waiting.reject(reason);
  await afterRejections();
  expect(nobodys).toEqual([]);
});

test("the same in an event of a subscription", async () => {
  const followed = await followOperation({ schema, document: parse("subscription { rows { late value } }") });
  if (!("next" in followed)) throw new Error("it is not followed");
  expect((await followed.next()).value).toMatchObject({ data: { rows: null } });
  waiting.reject(new Error("too late"));
  await afterRejections();
  expect(nobodys).toEqual([]);
});

test("an operation that is stopped while it runs: what it began fails unheard", async () => {
  const stop = new AbortController();
  const running = executeOperation({
    schema,
    document: parse("{ a: rows { late } b: rows { late } }"),
    abortSignal: stop.signal,
  });
  stop.abort(new Error("the caller has gone"));
  await expect(running).rejects.toThrow("the caller has gone");
  waiting.reject(new Error("too late"));
  await afterRejections();
  expect(nobodys).toEqual([]);
});

test("an operation that cannot run has a status, a resolver's error has none", async () => {
  const unknown = await executeOperation({ schema, document: parse("{ rows { late } }"), operationName: "no" });
  expect(unknown.errors?.[0]?.extensions).toEqual({ http: { status: 400 } });
  const failed = await executeOperation({ schema, document: parse("{ rows { value } }") });
  expect(failed.errors?.[0]?.extensions).toEqual({});
});
