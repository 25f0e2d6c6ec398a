/** Resources found by the start of their name and listed in orders, across regions and in one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
let member: string;
let stranger: string;
let acme: string;
let bolt: string;

const NAMES = ["Émile", "émilie", "Emil", "emil", "100% a_b", "100x aXb", "Жук", "жУК два", "a.b", "axb", "Zoe"];

/** By name: without regard to upper and lower case, namesakes by age. */
const BY_NAME = ["100% a_b", "100x aXb", "a.b", "axb", "Emil", "emil", "Zoe", "Émile", "émilie", "Жук", "жУК два"];

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  member = await createUser(app, "Member");
  stranger = await createUser(app, "Stranger");
  acme = await createOrganization(app, "Acme");
  bolt = await createOrganization(app, "Bolt");
  const other = await createOrganization(app, "Other", stranger);
  for (const id of [acme, bolt]) await addMember(app, id, member);
  for (const id of [acme, bolt, other]) await grant(app, id, "eu", "SHARED");
  await grant(app, acme, "us", "DEDICATED");
  for (const [index, name] of NAMES.entries())
    await createResource(app, { name, organizationId: acme, regionKey: index % 2 === 0 ? "eu" : "us" });
  await createResource(app, { name: "Emily of Bolt", organizationId: bolt, regionKey: "eu" });
  await createResource(app, { name: "Emil of another", organizationId: other, regionKey: "eu" });
  await createResource(app, { name: "EMILE at home" });
});
afterAll(() => app?.stop());

const FIND = `query ($first: Int, $last: Int, $after: String, $before: String, $organizationId: ID, $regionKey: String,
                     $namePrefix: String, $orderBy: ResourceOrder) {
  resources(first: $first, last: $last, after: $after, before: $before, organizationId: $organizationId,
            regionKey: $regionKey, namePrefix: $namePrefix, orderBy: $orderBy) {
    edges { cursor node { id name updatedAt } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;
type Found = {
  edges: { cursor: string; node: { id: string; name: string; updatedAt: string } }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
};
const find = async (search: Record<string, unknown>, who: string | undefined = member): Promise<Found> =>
  (await app.ask(FIND, { organizationId: acme, ...search }, who)).resources;
const names = async (search: Record<string, unknown>, who?: string) =>
  (await find(search, who)).edges.map(({ node }) => node.name);
/** All rows by pages of two, from the start or from the end. */
async function paged(search: Record<string, unknown>, way: "forwards" | "backwards"): Promise<string[]> {
  const all: string[] = [];
  let bound: Record<string, unknown> = {};
  for (;;) {
    const { edges, pageInfo } = await find({
      ...search,
      ...(way === "forwards" ? { first: 2 } : { last: 2 }),
      ...bound,
    });
    const found = edges.map(({ node }) => node.name);
    if (way === "forwards") all.push(...found);
    else all.unshift(...found);
    if (!(way === "forwards" ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) return all;
    bound = way === "forwards" ? { after: pageInfo.endCursor } : { before: pageInfo.startCursor };
  }
}

test("resources are found by the start of their name, in any case, in every region", async () => {
  expect(await names({ namePrefix: "éMIL" })).toEqual(["Émile", "émilie"]);
  expect(await names({ namePrefix: "EMIL" })).toEqual(["Emil", "emil"]);
  expect(await names({ namePrefix: "ЖУ" })).toEqual(["Жук", "жУК два"]);
  expect(await names({ namePrefix: "mil" })).toEqual([]);
  expect(await names({ namePrefix: "emil", regionKey: "eu" })).toEqual(["Emil"]);
  expect(await names({ namePrefix: "emil", regionKey: "us" })).toEqual(["emil"]);
});

test("signs in a prefix mean themselves", async () => {
  expect(await names({ namePrefix: "100%" })).toEqual(["100% a_b"]);
  expect(await names({ namePrefix: "100% a_" })).toEqual(["100% a_b"]);
  expect(await names({ namePrefix: "a.b" })).toEqual(["a.b"]);
  expect(await names({ namePrefix: "%" })).toEqual([]);
  expect(await names({ namePrefix: "\\" })).toEqual([]);
});

test("everybody finds what they may see, across organizations, and nothing else", async () => {
  const everywhere = { organizationId: null, namePrefix: "emil" };
  expect(await names(everywhere)).toEqual(["Emil", "emil", "EMILE at home", "Emily of Bolt"]);
  expect(await names(everywhere, stranger)).toEqual(["Emil of another", "EMILE at home"]);
  expect((await app.ask(FIND, everywhere)).resources.edges).toHaveLength(5);
  expect(await names({ namePrefix: "emil" }, stranger)).toEqual([]);
  expect(await names({ organizationId: null, orderBy: { field: "NAME" } }, stranger)).toEqual([
    "Emil of another",
    "EMILE at home",
  ]);
});

test.each([
  ["NAME", "ASC"],
  ["NAME", "DESC"],
  ["CREATED", "ASC"],
  ["CREATED", "DESC"],
  ["UPDATED", "ASC"],
  ["UPDATED", "DESC"],
])("pages by %s %s have every row once, both ways", async (field, direction) => {
  const orderBy = { field, direction };
  const all = await find({ orderBy, first: 100 });
  const found = all.edges.map(({ node }) => node.name);
  expect(found.toSorted()).toEqual(NAMES.toSorted());
  const other = await names({ orderBy: { field, direction: direction === "ASC" ? "DESC" : "ASC" }, first: 100 });
  expect(other).toEqual(found.toReversed());
  const rising = direction === "ASC" ? found : found.toReversed();
  expect(rising).toEqual(field === "NAME" ? BY_NAME : NAMES);
  for (const way of ["forwards", "backwards"] as const) {
    expect(await paged({ orderBy }, way)).toEqual(found);
    expect(await paged({ orderBy, regionKey: "us" }, way)).toEqual(
      found.filter((name) => NAMES.indexOf(name) % 2 === 1),
    );
  }
});

test("a changed resource moves in the order of changes, and a page goes on where its cursor was", async () => {
  const orderBy = { field: "UPDATED", direction: "DESC" };
  const before = await find({ orderBy, first: 3 });
  const oldest = (await find({ orderBy, last: 1 })).edges[0]?.node;
  const update = "mutation ($input: UpdateResourceInput!) { updateResource(input: $input) { id } }";
  await app.ask(update, { input: { resourceId: oldest?.id, name: "Émile" } });
  expect(await names({ orderBy, first: 1 })).toEqual(["Émile"]);
  expect(await names({ orderBy, first: 1, after: before.pageInfo.endCursor })).toEqual([NAMES.at(-4)]);
});

test("an organization lists its own in orders, several organizations at once", async () => {
  const query = `{ organizations { edges { node { name
    byName: resources(orderBy: { field: NAME, direction: DESC }, first: 2) { edges { node { name } } pageInfo { endCursor } }
    found: resources(namePrefix: "emil") { edges { node { name } } } } } } }`;
  const rows = (await app.ask(query, {}, member)).organizations.edges.map(({ node }: any) => node);
  const of = (list: Found) => list.edges.map(({ node }) => node.name);
  expect(rows.map((one: any) => [one.name, of(one.byName), of(one.found)])).toEqual([
    ["Acme", ["жУК два", "Жук"], ["Emil", "emil"]],
    ["Bolt", ["Emily of Bolt"], ["Emily of Bolt"]],
  ]);
  const rest = `query ($id: ID!, $after: String) { organization(id: $id) {
    resources(orderBy: { field: NAME, direction: DESC }, after: $after, first: 1) { edges { node { name } } } } }`;
  const { endCursor } = rows[0].byName.pageInfo;
  expect(of((await app.ask(rest, { id: acme, after: endCursor }, member)).organization.resources)).toEqual(["émilie"]);
});

test("what makes no sense is refused in one sentence", async () => {
  const byId = (await find({ first: 1 })).pageInfo.endCursor;
  const byName = (await find({ first: 1, orderBy: { field: "NAME" } })).pageInfo.endCursor;
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ namePrefix: " " }, /^namePrefix /],
    [{ namePrefix: "a\nb" }, /^namePrefix /],
    [{ namePrefix: "a", orderBy: { field: "UPDATED" } }, /leave orderBy out, or order by NAME\.$/],
    [{ after: byName }, /^after is not a cursor/],
    [{ after: byId, orderBy: { field: "NAME" } }, /^after is not a cursor/],
    [{ before: byName, orderBy: { field: "UPDATED" } }, /^before is not a cursor/],
  ];
  for (const [search, message] of refused) {
    const error = await app.refuse(FIND, { organizationId: acme, ...search }, member);
    expect(error).toMatchObject({ code: "INVALID_INPUT" });
    expect(error.message).toMatch(message);
  }
});

test("home folds names as JavaScript does, in the scripts that it knows", async () => {
  const known = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Armenian}\p{Script=Georgian}]/u;
  const characters = Array.from({ length: 0x2000 - 0x20 }, (_, index) => String.fromCodePoint(index + 0x20)).filter(
    (one) => known.test(one) && [...one.toLowerCase()].length === 1,
  );
  const [row] = await sql<{ key: string[] }>(
    app.databaseUrl,
    "select array(select tenantry.name_key(one) from unnest($1::text[]) with ordinality as given (one, rank) order by rank) as key",
    [characters],
  );
  expect(row?.key).toEqual(characters.map((one) => one.toLowerCase()));
});
