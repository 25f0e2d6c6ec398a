/**
 * The SQL of operations that are planned as one statement, as it is sent: a change of the code that makes it shows in
 * planned-statements.sql. `vitest run --project unit -u test/planned-statements.test.ts` writes that file.
 */
import { join } from "node:path";
import { getOperationAST, getVariableValues, parse, validate } from "graphql";
import { expect, test } from "vitest";
import type { Actor } from "#engine/auth/actor";
import type { GraphQLContext } from "#api/graphql/context";
import { planOf } from "#api/graphql/plan/plan";
import { schema } from "./support/schema.ts";
import { isUuid, newRoutedId } from "#base/kernel/ids";

const REGION = newRoutedId(7);
const HOME = newRoutedId(0);
const USER = "01900000-0000-7000-8000-00000000000a";
const LAST = "01900000-0000-7000-8000-00000000000b";
const AFTER = Buffer.from(LAST).toString("base64url");

type Case = { name: string; query: string; id?: string; variables?: Record<string, unknown> };

const read = (selected: string) => `query ($id: ID!) { resource(id: $id) ${selected} }`;
const write = (selected: string) =>
  `mutation ($id: ID!) { createComment(input: { resourceId: $id, body: "Text" }) ${selected} }`;

const CASES: Case[] = [
  { name: "one column", query: read("{ id }") },
  { name: "every column under other names", query: read("{ a: id b: name c: createdAt d: __typename id }") },
  { name: "at home", query: read("{ id name createdAt }"), id: HOME },
  { name: "the region's key", query: read("{ region { key __typename } }") },
  { name: "the region's name, which home is asked for", query: read("{ id region { name key } name }") },
  { name: "the region of what lives at home", query: read("{ id region { key } }"), id: HOME },
  { name: "the organization", query: read("{ organization { id name __typename } }") },
  { name: "the organization twice", query: read("{ organization { id } other: organization { name } }") },
  { name: "the organization of what lives at home", query: read("{ organization { name } }"), id: HOME },
  { name: "a page", query: read("{ comments { edges { node { id body createdAt } } } }") },
  {
    name: "a page after a row, with all that is said of it",
    query: read(
      `{ comments(first: 3, after: "${AFTER}") { __typename edges { __typename cursor node { __typename body } }
         pageInfo { __typename hasNextPage hasPreviousPage startCursor endCursor } } }`,
    ),
  },
  {
    name: "the last rows before a row, with all that is said of them",
    query: read(
      `{ comments(last: 3, before: "${AFTER}") { edges { cursor node { body } }
         pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
    ),
  },
  {
    name: "the first rows of those before a row",
    query: read(
      `{ comments(first: 3, before: "${AFTER}") { edges { node { id } } pageInfo { hasNextPage hasPreviousPage } } }`,
    ),
  },
  { name: "a page with nothing but where it ends", query: read("{ comments { pageInfo { endCursor } } }") },
  { name: "a page with nothing but its type", query: read("{ comments { __typename } }") },
  {
    name: "a page with authors",
    query: read("{ comments(first: 5) { edges { node { body author { id name email createdAt } } } } }"),
  },
  {
    name: "a page with authors at home",
    query: read("{ comments { edges { node { body author { id name createdAt } } } } }"),
    id: HOME,
  },
  {
    name: "a page with edges twice",
    query: read("{ comments { edges { cursor } more: edges { node { createdAt } } } }"),
  },
  {
    name: "two pages, from variables",
    query: `query ($id: ID!, $first: Int = 2, $after: String) { resource(id: $id) {
      a: comments(first: $first) { edges { node { id } } pageInfo { hasNextPage } }
      b: comments(first: 4, after: $after) { pageInfo { hasPreviousPage endCursor } edges { node { author { name } } } } } }`,
    variables: { after: AFTER },
  },
  {
    name: "fragments",
    query: `${read("{ ...R ... on Resource { name } }")}
      fragment R on Resource { id organization { name } comments(first: 2) { edges { node { ...C } } } }
      fragment C on Comment { body author { name } }`,
  },
  {
    name: "everything",
    query: read(
      `{ __typename id name createdAt region { key name } organization { id name }
         comments(first: 10) { edges { cursor node { id body createdAt author { id name email createdAt } } }
           pageInfo { hasNextPage endCursor } } }`,
    ),
  },
  { name: "quotes in a name are those of its fields", query: read("{ _id: id O0: organization { p1: id } }") },
  { name: "a new comment's id", query: write("{ id }") },
  { name: "a new comment with all of its columns", query: write("{ __typename id body createdAt }") },
  { name: "a new comment with its author", query: write("{ id author { __typename id name email createdAt } body }") },
];

type Sent = { name: string; text: string; values: readonly unknown[] };

/** The statements that the operation's plan sends. */
async function statementsOf({ query, variables = {}, id = REGION }: Case): Promise<Sent[]> {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  const plan = operation == null ? null : planOf(schema, document, operation);
  if (operation == null || plan === null) throw new Error(`not planned: ${query}`);
  const { variableValues } = getVariableValues(schema, operation.variableDefinitions ?? [], { id, ...variables });
  if (variableValues === undefined) throw new Error(`wrong variables: ${query}`);
  const sent: Sent[] = [];
  for (const { prepare } of plan.fields) await prepare(variableValues)?.answer(contextThatHears(sent));
  return sent;
}

/** A context whose databases keep what they are asked, and have one row for everything. */
function contextThatHears(sent: Sent[]): GraphQLContext {
  const database = (kind: "home" | "tenant") => ({
    kind,
    query: async (name: string, text: string, values: readonly unknown[] = []) => {
      sent.push({ name, text, values });
      return [{ text: "{}", bytes: 2 }];
    },
  });
  const route = {
    kind: "tenant",
    placementId: "placement",
    placementNumber: 7,
    organizationId: "organization",
    regionKey: "eu",
    databaseId: 70,
    state: "ACTIVE",
    requireOwned: () => undefined,
    open: () => database("tenant"),
  };
  const actor: Actor = { kind: "user", userId: USER };
  const home = { ...database("home"), scoped: () => database("home") };
  const services = {
    home,
    router: {
      routes: async ([id]: string[]) => [id === HOME ? { kind: "home" } : route],
      writing: (to: object, work: (route: object) => Promise<unknown>) => work(to),
    },
    roleCache: {
      rolesOf: async () => new Map([["organization", "MEMBER"]]),
      memberRoleOf: async () => "MEMBER",
    },
    // Nothing waits for the catalog.
    tables: { flows: () => false },
  };
  const callSource = { who: "USER", whoId: USER, via: "DEVELOPMENT", address: null, userAgent: null };
  const loaders = { regionsOfDatabases: { load: async () => ({ name: "Europe" }) } };
  return {
    actor,
    services,
    callSource,
    loaders,
    lag: [],
    written: new Set(),
    gone: undefined,
  } as unknown as GraphQLContext;
}

/** Ids that are made for each run are not part of it. */
function shown(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  const known: Record<string, string> = { [REGION]: "<id>", [HOME]: "<id>", [USER]: "<user>", [LAST]: "<after>" };
  return known[value] ?? (isUuid(value) ? "<new id>" : value);
}

test("planned operations send the statements of planned-statements.sql", async () => {
  const parts: string[] = [];
  for (const one of CASES) {
    const sent = await statementsOf(one);
    expect(sent.length, one.name).toBeGreaterThan(0);
    for (const { name, text, values } of sent)
      parts.push(`-- ${one.name}: ${name}\n${text};\n-- ${values.map(shown).join(" | ")}\n`);
  }
  await expect(parts.join("\n")).toMatchFileSnapshot(join(import.meta.dirname, "planned-statements.sql"));
});
