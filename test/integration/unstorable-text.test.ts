/**
 * Text that PostgreSQL does not store as it is, in every argument of every field: refused in one way, whoever calls. Made of the
 * schema, so a new field is covered.
 */
import {
  getNamedType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isCompositeType,
} from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newRoutedId } from "../../src/base/kernel/ids.ts";
import { fieldsOf } from "../../src/api/graphql/policy/field-rules.ts";
import { schema } from "../support/schema.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { firstAnswer } from "../support/follow.ts";
import { createUser } from "../support/journey.ts";

let app: TestApp;
let user: string;
beforeAll(async () => {
  app = await startApp();
  user = await createUser(app);
});
afterAll(() => app.stop());

const BAD = { NUL: "\0", "half of a surrogate pair": "\ud800" };
/** Ids of home, and of a placement: operations are planned by where an id leads. */
const IDS = { home: newRoutedId(0), "a placement": newRoutedId(7) };
const TEXTS = new Set(["String", "ID"]);

type Input = GraphQLArgument | GraphQLInputField;

/** The ways to each text in an argument, as the names that lead there. */
function textsIn(input: Input): string[][] {
  const type = getNamedType(input.type);
  if (TEXTS.has(type.name)) return [[input.name]];
  if (!isInputObjectType(type)) return [];
  return Object.values(type.getFields())
    .flatMap(textsIn)
    .map((path) => [input.name].concat(path));
}

/** A value of the type, good as far as its form goes, with `bad` where the path leads. */
function valueOf(input: Input, path: readonly string[], bad: string, id: string): unknown {
  const isOnPath = path[0] === input.name;
  const make = (type: GraphQLInputType): unknown => {
    if (isNonNullType(type)) return make(type.ofType);
    if (isListType(type)) return [make(type.ofType)];
    if (isEnumType(type)) return type.getValues()[0]?.name;
    if (isInputObjectType(type))
      return Object.fromEntries(
        Object.values(type.getFields())
          .filter((field) => isNonNullType(field.type) || (isOnPath && field.name === path[1]))
          .map((field) => [field.name, valueOf(field, isOnPath ? path.slice(1) : [], bad, id)]),
      );
    if (type.name === "Int" || type.name === "Float") return 1;
    if (type.name === "Boolean") return true;
    if (type.name === "DateTime") return "2026-01-31T12:00:00.000Z";
    const good = type.name === "ID" ? id : "Anything";
    return isOnPath && path.length === 1 ? `${good}${bad}` : good;
  };
  return make(input.type);
}

/** An operation with variables that asks for the field with `bad` in one of its texts. */
function operationOf(
  operation: string,
  field: GraphQLField<unknown, unknown>,
  path: readonly string[],
  bad: string,
  id: string,
): { query: string; variables: object } {
  const given = field.args.filter(({ name, type }) => isNonNullType(type) || name === path[0]);
  const declared = given.map(({ name, type }) => `$${name}: ${String(type)}`).join(", ");
  const args = given.map(({ name }) => `${name}: $${name}`).join(", ");
  const selection = isCompositeType(getNamedType(field.type)) ? " { __typename }" : "";
  return {
    query: `${operation} (${declared}) { ${field.name}(${args})${selection} }`,
    variables: Object.fromEntries(given.map((one) => [one.name, valueOf(one, path, bad, id)])),
  };
}

const ROOTS = {
  query: schema.getQueryType(),
  mutation: schema.getMutationType(),
  subscription: schema.getSubscriptionType(),
};
const CASES = Object.entries(ROOTS).flatMap(([operation, type]) =>
  Object.values(type?.getFields() ?? {}).flatMap((field) =>
    field.args.flatMap(textsIn).map((path) => ({ operation, field, path, name: `${field.name} ${path.join(".")}` })),
  ),
);

test("there are many of them, and those of regions' keys", () => {
  expect(CASES.length).toBeGreaterThan(40);
  expect(CASES.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      "resources regionKey",
      "region key",
      "createResource input.regionKey",
      "updateRegion input.key",
    ]),
  );
});

describe.each(Object.entries(BAD))("%s", (_, bad) => {
  test.each(CASES)("in $name", async ({ operation, field, path }) => {
    for (const id of Object.values(IDS))
      for (const as of [undefined, user]) {
        const asked = operationOf(operation, field, path, bad, id);
        const extensions =
          operation === "subscription"
            ? (await firstAnswer(app, undefined, asked)).errors?.[0]?.extensions
            : await app.refuse(asked.query, asked.variables, as);
        expect(extensions).toMatchObject({ code: "INVALID_INPUT", field: path.at(-1) });
      }
  });

  test("in the arguments of fields further down", () => {
    const further = fieldsOf(schema).filter(
      ({ type, field }) =>
        !["Query", "Mutation", "Subscription"].includes(type) && field.args.flatMap(textsIn).length > 0,
    );
    expect(further.map(({ name }) => name)).toEqual(expect.arrayContaining(["Resource.comments", "Region.placements"]));
    for (const { name, field } of further)
      for (const path of field.args.flatMap(textsIn)) {
        const args = Object.fromEntries(field.args.map((one) => [one.name, valueOf(one, path, bad, IDS.home)]));
        expect(() => field.resolve?.({}, args, {}, undefined as never), name).toThrow(
          expect.objectContaining({ code: "INVALID_INPUT", field: path.at(-1) }),
        );
      }
  });
});

test("in a cursor's planned page it is no cursor either", async () => {
  const query =
    "query ($id: ID!, $after: String) { resource(id: $id) { comments(after: $after) { edges { cursor } } } }";
  const cursor = Buffer.from(IDS.home, "latin1").toString("base64url");
  for (const after of [`\0${cursor}`, `${cursor}=`, ` ${cursor}`])
    for (const id of [
      IDS.home,
      (await app.ask('mutation { createResource(input: { name: "A" }) { id } }')).createResource.id,
    ])
      expect((await app.refuse(query, { id, after })).code).toMatch(
        id === IDS.home ? /NOT_FOUND|INVALID_INPUT/ : /INVALID_INPUT/,
      );
});

test("in a literal it is refused too, and the log names no unexpected error", async () => {
  expect(await app.refuse('{ region(key: "e\\u0000u") { name } }')).toMatchObject({
    code: "INVALID_INPUT",
    field: "key",
  });
  expect(await app.refuse('{ region(key: "e\\uD800u") { name } }')).toMatchObject({ code: "INVALID_INPUT" });
  const outcomes = await sql(
    app.databaseUrl,
    "select from tenantry.audit_log a left join tenantry.audit_outcomes o on o.entry_id = a.id where coalesce(a.outcome, o.outcome) = 'INTERNAL'",
  );
  expect(outcomes).toEqual([]);
});
