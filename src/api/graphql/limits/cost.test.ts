import { type FragmentDefinitionNode, getOperationAST, Kind, parse } from "graphql";
import { expect, test } from "vitest";
import { costOf, measureCost } from "#api/graphql/limits/cost";
import { schema } from "../../../../test/support/schema.ts";

function cost(text: string, variables: Record<string, unknown> = {}): number {
  const { definitions } = parse(text);
  const operation = definitions.find((one) => one.kind === Kind.OPERATION_DEFINITION);
  if (operation === undefined) throw new Error("no operation");
  const fragments = definitions.filter((one): one is FragmentDefinitionNode => one.kind === Kind.FRAGMENT_DEFINITION);
  return measureCost(schema, operation, new Map(fragments.map((one) => [one.name.value, one])), variables);
}

test.each([
  ["the least", "{ __typename }", 1],
  ["one object", "{ me { id name email } }", 1],
  ["a page of twenty when first is left out", "{ users { edges { node { id } } pageInfo { hasNextPage } } }", 21],
  ["as many rows as first says", "{ users(first: 100) { edges { cursor node { id } } } }", 101],
  ["as many rows as last says", "{ users(last: 100) { edges { cursor node { id } } } }", 101],
  [
    "the larger of first and last, which is refused later",
    "{ users(first: 3, last: 50) { edges { node { id } } } }",
    51,
  ],
  [
    "a list in an order, and one of what is found",
    '{ a: resources(first: 1, orderBy: { field: NAME }) { edges { node { id } } } b: resources(first: 1, namePrefix: "a") { edges { node { id } } } }',
    14,
  ],
  [
    "no arguments that are null",
    "{ resources(first: 1, orderBy: null, namePrefix: null) { edges { node { id } } } }",
    2,
  ],
  [
    "a search for members by name, which reads them one by one",
    '{ organization(id: 1) { members(first: 1, name: "a", role: OWNER) { edges { node { id } } } } }',
    58,
  ],
  ["no rows", "{ users(first: 0) { edges { node { id } } } }", 1],
  [
    "a page under a page",
    "{ resources(first: 10) { edges { node { comments(first: 5) { edges { node { author { id } } } } } } } }",
    1 + 10 * (1 + 1 + 5 * 2),
  ],
  [
    "a list without first as ten rows",
    "{ regions { key placements(first: 3) { edges { node { id } } } } }",
    10 * (1 + 1 + 3),
  ],
  [
    "a text that can be long, for each row and under each name",
    "{ resource(id: 1) { comments(first: 100) { edges { node { id createdAt a: body b: body ...B } } } } } fragment B on Comment { body }",
    1 + 1 + 100 * (1 + 3),
  ],
  [
    "the name of a type only where it has another name, for each row",
    "{ users(first: 100) { __typename edges { node { __typename a: __typename b: __typename ...U } } } } fragment U on User { c: __typename }",
    1 + 100 * (1 + 3),
  ],
  ["the name of a type under other names at the root", "{ a: __typename b: __typename c: __typename }", 3],
  ["a mutation", 'mutation { createOrganization(input: { name: "A" }) { id } }', 6],
  ["a field that asks a server", '{ region(key: "eu") { server { version } } }', 1 + 1 + 5],
  ["introspection as a whole", "{ __schema { types { fields { name } } } }", 100],
  ["nonsense as a full page", "{ users(first: -5) { edges { node { id } } } }", 101],
])("counts %s", (_, text, points) => {
  expect(cost(text)).toBe(points);
});

test("reads first from variables, their defaults, and neither", () => {
  const query = "query ($n: Int = 7) { users(first: $n) { edges { node { id } } } }";
  expect(cost(query, { n: 3 })).toBe(4);
  expect(cost(query)).toBe(8);
  expect(cost(query, { n: null })).toBe(21);
  expect(cost(query, { n: "many" })).toBe(101);
  expect(cost("query ($n: Int) { users(first: $n) { edges { node { id } } } }")).toBe(21);
});

test("remembers what last costs apart from what it costs without", () => {
  const document = parse("query ($n: Int, $m: Int) { users(first: $n, last: $m) { edges { node { id } } } }");
  const operation = getOperationAST(document);
  if (operation == null) throw new Error("no operation");
  const of = (variables: Record<string, unknown>) => costOf(schema, operation, () => new Map(), variables);
  expect([of({ n: 3, m: null }), of({ n: 3 }), of({ n: 3, m: 20 }), of({ n: null, m: 7 }), of({})]).toEqual([
    4, 4, 21, 8, 21,
  ]);
});

test("reads from variables whether an argument that costs is given", () => {
  const query = 'query ($a: String = "a") { resources(first: 1, namePrefix: $a) { edges { node { id } } } }';
  expect([cost(query), cost(query, { a: null }), cost(query, { a: "b" })]).toEqual([7, 2, 7]);
});

test("a fragment costs what stands in it, by the page that it is spread in", () => {
  const rows = "fragment Rows on UserConnection { edges { node { id } } }";
  expect(cost(`{ users(first: 5) { ...Rows ... on UserConnection { pageInfo { endCursor } } } } ${rows}`)).toBe(6);
  expect(cost(`{ a: users(first: 5) { ...Rows } b: users(first: 50) { ...Rows } } ${rows}`)).toBe(57);
});

test("objects that are asked for by their ids cost by their number", () => {
  expect(cost(`{ nodes(ids: ["1", "2", "3"]) { id } }`)).toBe(15);
  expect(cost(`{ nodes(ids: ["1", "2", "3"]) { ... on User { organizations { edges { node { id } } } } } }`)).toBe(78);
  const document = parse("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }");
  const operation = getOperationAST(document);
  if (operation == null) throw new Error("there is no operation");
  const ask = (variables: object) => costOf(schema, operation, () => new Map(), variables as Record<string, unknown>);
  expect([{ ids: ["1"] }, { ids: Array(100).fill("1") }, { ids: Array(1_000).fill("1") }].map(ask)).toEqual([
    5, 500, 500,
  ]);
});

test("fragments that spread each other twice, forty deep, are measured at once and cost more than any limit", () => {
  const links = Array.from(
    { length: 40 },
    (_, n) =>
      `fragment F${n} on Organization { resources { edges { node { a: organization { ...F${n + 1} } b: organization { ...F${n + 1} } } } } }`,
  );
  const points = cost(`{ organization(id: "1") { ...F0 } } ${links.join(" ")} fragment F40 on Organization { id }`);
  expect(points).toBeGreaterThanOrEqual(1e9);
  expect(Number.isFinite(points)).toBe(true);
});

test("what is remembered of an operation is told apart by the rows that variables ask for", () => {
  const document = parse("query ($n: Int = 3) { users(first: $n) { edges { node { id } } } }");
  const operation = getOperationAST(document);
  if (operation == null) throw new Error("there is no operation");
  const ask = (variables: object) => costOf(schema, operation, () => new Map(), variables as Record<string, unknown>);
  for (const _ of [1, 2])
    expect([{}, { n: null }, { n: 5 }, { n: "many" }, { n: 0 }, { n: 5, other: 1 }].map(ask)).toEqual([
      4, 21, 6, 101, 1, 6,
    ]);
  // As many as anybody likes to send, and it is still right.
  for (let n = 0; n <= 100; n += 1) expect(ask({ n })).toBe(n + 1);
  expect(ask({ n: 7 })).toBe(8);
});
