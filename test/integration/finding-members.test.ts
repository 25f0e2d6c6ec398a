/** Members found by role and by how their names begin. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser } from "../support/journey.ts";

let app: TestApp;
let owner: string;
let organization: string;

beforeAll(async () => {
  app = await startApp();
  owner = await createUser(app, "Zoe");
  organization = await createOrganization(app, "Finding", owner);
  const people = [
    ["ÉMILE", "ADMIN"],
    ["Émilie", "MEMBER"],
    ["émil", "VIEWER"],
    ["Emil", "MEMBER"],
    ["A.B (c", "VIEWER"],
    ["AxB", "VIEWER"],
  ] as const;
  for (const [index, [name, role]] of people.entries()) {
    const create = "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }";
    const { createUser: made } = await app.ask(create, { input: { name, email: `find.${index}@example.com` } });
    await addMember(app, organization, made.id, role);
  }
  // Somebody with such a name elsewhere.
  await createOrganization(app, "Other", await createUser(app, "emil"));
});
afterAll(() => app.stop());

const FIND = `query ($id: ID!, $first: Int, $after: String, $role: Role, $name: String) {
  organization(id: $id) {
    members(first: $first, after: $after, role: $role, name: $name) {
      edges { node { user { name } } } pageInfo { hasNextPage endCursor }
    }
  }
}`;

type Found = { edges: { node: { user: { name: string } } }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
async function find(search: Record<string, unknown>): Promise<{ names: string[]; pageInfo: Found["pageInfo"] }> {
  const found: Found = (await app.ask(FIND, { id: organization, ...search }, owner)).organization.members;
  return { names: found.edges.map(({ node }) => node.user.name), pageInfo: found.pageInfo };
}

test("members are found by the start of their name, in any case of any script", async () => {
  expect((await find({ name: "éMIL" })).names).toEqual(["ÉMILE", "Émilie", "émil"]);
  expect((await find({ name: "EMIL" })).names).toEqual(["Emil"]);
  expect((await find({ name: "mil" })).names).toEqual([]);
});

test("signs in a name mean themselves", async () => {
  expect((await find({ name: "a.b" })).names).toEqual(["A.B (c"]);
  expect((await find({ name: "a.b (" })).names).toEqual(["A.B (c"]);
  expect((await find({ name: ".*" })).names).toEqual([]);
});

test("members are found by role, and by both", async () => {
  expect((await find({ role: "OWNER" })).names).toEqual(["Zoe"]);
  expect((await find({ role: "VIEWER" })).names).toEqual(["émil", "A.B (c", "AxB"]);
  expect((await find({ role: "VIEWER", name: "É" })).names).toEqual(["émil"]);
  expect((await find({ role: null, name: null })).names).toHaveLength(7);
});

test("what is found has pages", async () => {
  const start = await find({ name: "é", first: 2 });
  expect(start).toMatchObject({ names: ["ÉMILE", "Émilie"], pageInfo: { hasNextPage: true } });
  const end = await find({ name: "é", first: 2, after: start.pageInfo.endCursor });
  expect(end).toMatchObject({ names: ["émil"], pageInfo: { hasNextPage: false } });
});

test("one request asks for several searches at once", async () => {
  const query = `query ($id: ID!) { organization(id: $id) {
    all: members { edges { node { role } } }
    owners: members(role: OWNER) { edges { node { role } } }
    admins: members(role: ADMIN) { edges { node { role } } }
  } }`;
  const found = (await app.ask(query, { id: organization }, owner)).organization;
  expect([found.all, found.owners, found.admins].map(({ edges }) => edges.length)).toEqual([7, 1, 1]);
});

test("a list says how many there are on all pages, of those that are looked for", async () => {
  const query = `query ($id: ID!) { organization(id: $id) {
    all: members(first: 1) { totalCount } viewers: members(first: 0, role: VIEWER) { totalCount }
    found: members(name: "é") { totalCount } none: members(name: "x") { totalCount }
    invitations { totalCount } } }`;
  const of = async (who: string | undefined) => {
    const found = (await app.ask(query, { id: organization }, who)).organization;
    return [found.all, found.viewers, found.found, found.none, found.invitations].map((one) => one.totalCount);
  };
  expect(await of(owner)).toEqual([7, 3, 3, 0, 0]);
  const invite = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id } }";
  await app.ask(invite, { input: { organizationId: organization, email: "new@example.com", sendMail: false } }, owner);
  expect(await of(owner)).toEqual([7, 3, 3, 0, 1]);
  expect(await of(undefined)).toEqual([7, 3, 3, 0, 1]);
});

test("a text that begins no name is refused", async () => {
  for (const name of [" ", "a\nb", "x".repeat(201)])
    expect(await app.refuse(FIND, { id: organization, name }, owner)).toMatchObject({ code: "INVALID_INPUT" });
});
