/** Bad input is refused with a code and the field's name, and changes nothing. */
import { randomUUID } from "node:crypto";
import { getNamedType, isInputObjectType } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { schema as apiSchema } from "../support/schema.ts";
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
let user: string;
let organization: string;
let elsewhere: string;
let resource: string;

beforeAll(async () => {
  app = await startApp();
  user = await createUser(app);
  organization = await createOrganization(app);
  elsewhere = await createOrganization(app, "Elsewhere");
  await addMember(app, organization, user);
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  await grant(app, organization, "eu");
  resource = await createResource(app, { name: "Project", organizationId: organization });
});
afterAll(() => app.stop());

/** Everything that the API could have written, at home and in the region. */
async function snapshot(): Promise<unknown> {
  const home = await sql(
    app.databaseUrl,
    `select (select count(*) from tenantry.users) as users, (select count(*) from tenantry.organizations) as organizations,
            (select count(*) from tenantry.memberships) as memberships, (select count(*) from tenantry.regions) as regions,
            (select count(*) from tenantry.placements) as placements, (select count(*) from app.resources) as resources,
            (select count(*) from app.comments) as comments`,
  );
  const databases = await sql(
    `${serverUrl("eu")}/postgres`,
    "select datname from pg_database where datname ~ $1 order by 1",
    [await installationPrefix()],
  );
  return { home, databases };
}

// Other tests make databases on the same server.
async function installationPrefix(): Promise<string> {
  const [row] = await sql<{ id: string }>(app.databaseUrl, "select id from tenantry.installation");
  return `^tenantry_${row?.id}_`;
}

const MUTATIONS = {
  createUser: "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }",
  createOrganization: "mutation ($input: CreateOrganizationInput!) { createOrganization(input: $input) { id } }",
  addOrganizationMember:
    "mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role } }",
  registerRegion: "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }",
  grantRegionAccess: "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }",
  createResource: "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }",
  createComment: "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }",
};

const long = "x".repeat(201);
const region = (connectionUrl: string) => ({ key: "bad", name: "Bad", connectionUrl });

type Case = [what: string, mutation: keyof typeof MUTATIONS, input: () => object, field: string];
const cases: Case[] = [
  ["an empty user name", "createUser", () => ({ name: " ", email: "a@example.com" }), "name"],
  ["an overlong user name", "createUser", () => ({ name: long, email: "a@example.com" }), "name"],
  ["a NUL in a name", "createUser", () => ({ name: "a\0b", email: "a@example.com" }), "name"],
  ["a bad e-mail address", "createUser", () => ({ name: "A", email: "not an address" }), "email"],
  ["an empty organization name", "createOrganization", () => ({ name: "" }), "name"],
  ["an overlong organization name", "createOrganization", () => ({ name: long }), "name"],
  [
    "a malformed organization id",
    "addOrganizationMember",
    () => ({ organizationId: "1", userId: user }),
    "organizationId",
  ],
  ["a malformed user id", "addOrganizationMember", () => ({ organizationId: organization, userId: "x" }), "userId"],
  [
    "an unknown user",
    "addOrganizationMember",
    () => ({ organizationId: organization, userId: randomUUID() }),
    "userId",
  ],
  ["a bad region key", "registerRegion", () => ({ ...region("postgres://a@h"), key: "EU!" }), "key"],
  ["an empty region name", "registerRegion", () => ({ ...region("postgres://a@h"), name: "" }), "name"],
  ["a URL of another kind", "registerRegion", () => region("mysql://root:hunter2@localhost"), "connectionUrl"],
  ["a URL with a database", "registerRegion", () => region(`${serverUrl("us")}/postgres`), "connectionUrl"],
  ["a URL with a slash", "registerRegion", () => region(`${serverUrl("us")}/`), "connectionUrl"],
  ["a URL with a fragment", "registerRegion", () => region(`${serverUrl("us")}#x`), "connectionUrl"],
  ["a URL without a user", "registerRegion", () => region("postgres://localhost"), "connectionUrl"],
  ["a URL that smuggles in a database", "registerRegion", () => region(`${serverUrl("us")}?dbname=x`), "connectionUrl"],
  ["a URL with a Unix socket", "registerRegion", () => region("postgres://root:hunter2@%2Ftmp:5432"), "connectionUrl"],
  ["a URL with a line break", "registerRegion", () => region("postgres://root:hunter2@127.0.0.1%0a"), "connectionUrl"],
  [
    "a URL that names a device as a certificate",
    "registerRegion",
    () => region(`${serverUrl("us")}?sslmode=verify-full&sslrootcert=/dev/zero`),
    "connectionUrl",
  ],
  ["an unknown region", "grantRegionAccess", () => ({ organizationId: organization, regionKey: "mars" }), "regionKey"],
  ["an empty resource name", "createResource", () => ({ name: "" }), "name"],
  ["a region for the default organization", "createResource", () => ({ name: "A", regionKey: "eu" }), "regionKey"],
  [
    "an unknown region for a resource",
    "createResource",
    () => ({ name: "A", organizationId: organization, regionKey: "mars" }),
    "regionKey",
  ],
  [
    "a region without access",
    "createResource",
    () => ({ name: "A", organizationId: organization, regionKey: "us" }),
    "regionKey",
  ],
  [
    "an organization without any access",
    "createResource",
    () => ({ name: "A", organizationId: elsewhere }),
    "regionKey",
  ],
  ["an empty comment", "createComment", () => ({ resourceId: resource, body: " ", authorId: user }), "body"],
  [
    "an overlong comment",
    "createComment",
    () => ({ resourceId: resource, body: "x".repeat(10_001), authorId: user }),
    "body",
  ],
  ["a malformed resource id", "createComment", () => ({ resourceId: "x", body: "A", authorId: user }), "resourceId"],
  ["a comment by nobody", "createComment", () => ({ resourceId: resource, body: "A" }), "authorId"],
  [
    "a comment by an unknown user",
    "createComment",
    () => ({ resourceId: resource, body: "A", authorId: randomUUID() }),
    "authorId",
  ],
];

test.each(cases)("%s is INVALID_INPUT", async (_, mutation, input, field) => {
  const before = await snapshot();
  expect(await app.refuse(MUTATIONS[mutation], { input: input() })).toMatchObject({ code: "INVALID_INPUT", field });
  expect(await snapshot()).toEqual(before);
});

test("a comment by somebody who is not a member is INVALID_INPUT for the operator", async () => {
  const authorId = await createUser(app, "Outsider");
  const input = { resourceId: resource, body: "A", authorId };
  expect(await app.refuse(MUTATIONS.createComment, { input })).toMatchObject({
    code: "INVALID_INPUT",
    field: "authorId",
  });
});

test("a resource for a region without access names the regions there are", async () => {
  const input = { name: "A", organizationId: organization, regionKey: "us" };
  expect((await app.refuse(MUTATIONS.createResource, { input })).message).toContain("eu");
});

describe("registering a region", () => {
  test("that is registered under another key is refused, naming that key", async () => {
    const error = await app.refuse(MUTATIONS.registerRegion, { input: region(serverUrl("eu")) });
    expect(error).toMatchObject({ code: "CONFLICT", field: "connectionUrl" });
    expect(error.message).toContain("region eu");
  });

  test("whose key is taken is refused", async () => {
    const input = { key: "eu", name: "Again", connectionUrl: serverUrl("home") };
    expect(await app.refuse(MUTATIONS.registerRegion, { input })).toMatchObject({ code: "CONFLICT", field: "key" });
  });

  test("that cannot be reached is REGION_UNAVAILABLE, without the password", async () => {
    const error = await app.refuse(MUTATIONS.registerRegion, { input: region("postgres://u:hunter2@127.0.0.1:1") });
    expect(error).toMatchObject({ code: "REGION_UNAVAILABLE", field: "connectionUrl" });
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });

  test("with a wrong password is REGION_UNAVAILABLE, without the password", async () => {
    const url = new URL(serverUrl("home"));
    const error = await app.refuse(MUTATIONS.registerRegion, {
      input: region(`postgres://postgres:hunter2@${url.host}`),
    });
    expect(error).toMatchObject({ code: "REGION_UNAVAILABLE" });
    expect(error.message).toContain("password");
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });

  test.each([
    ["createdb", "CREATEDB"],
    ["replication", "REPLICATION"],
    ["roles", "CREATEROLE"],
    // What to grant depends on the version: subscription-methods.test.ts.
    ["subscription", "may not create subscriptions"],
  ])("with a role that lacks %s is CAPABILITY_MISSING and says what to grant", async (lacks, grantWords) => {
    const role = `probe_${lacks}_${randomUUID().slice(0, 8)}`;
    const rights = {
      createdb: "",
      replication: "createdb",
      roles: "createdb replication",
      subscription: "createdb replication createrole",
    }[lacks];
    const url = new URL(serverUrl("home"));
    await sql(`${serverUrl("home")}/postgres`, `create role ${role} login password 'probe-password' ${rights}`);
    const error = await app.refuse(MUTATIONS.registerRegion, {
      input: region(`postgres://${role}:probe-password@${url.host}`),
    });
    expect(error).toMatchObject({ code: "CAPABILITY_MISSING", field: "connectionUrl" });
    expect(error.message).toContain(grantWords);
    await sql(`${serverUrl("home")}/postgres`, `drop role ${role}`);
  });
});

test("another organization's things are NOT_FOUND for a user, never FORBIDDEN", async () => {
  const stranger = await createUser(app, "Stranger");
  const placement = (
    await app.ask("query ($id: ID!) { organization(id: $id) { placements { id } } }", { id: organization })
  ).organization.placements[0].id;
  const attempts: [string, object][] = [
    ["query ($id: ID!) { organization(id: $id) { id } }", { id: organization }],
    ["query ($id: ID!) { resource(id: $id) { id } }", { id: resource }],
    ["query ($id: ID!) { placement(id: $id) { id } }", { id: placement }],
    ["query ($id: ID!) { user(id: $id) { id } }", { id: user }],
    [MUTATIONS.createComment, { input: { resourceId: resource, body: "A" } }],
    [MUTATIONS.createResource, { input: { name: "A", organizationId: organization } }],
    [MUTATIONS.addOrganizationMember, { input: { organizationId: organization, userId: stranger } }],
    [MUTATIONS.grantRegionAccess, { input: { organizationId: organization, regionKey: "eu" } }],
  ];
  for (const [query, variables] of attempts)
    expect(await app.refuse(query, variables, stranger), query).toMatchObject({ code: "NOT_FOUND" });
  const { resources } = await app.ask("{ resources(first: 100) { edges { node { id } } } }", {}, stranger);
  expect(JSON.stringify(resources)).not.toContain(resource);
});

test("a viewer may read but not write, and only the operator names another author", async () => {
  const viewer = await createUser(app, "Viewer");
  await addMember(app, organization, viewer, "VIEWER");
  await app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: resource }, viewer);
  const input = { resourceId: resource, body: "A" };
  expect(await app.refuse(MUTATIONS.createComment, { input }, viewer)).toMatchObject({ code: "FORBIDDEN" });
  expect(await app.refuse(MUTATIONS.createComment, { input: { ...input, authorId: viewer } }, user)).toMatchObject({
    code: "FORBIDDEN",
  });
  expect(await app.refuse(MUTATIONS.createUser, { input: { name: "A", email: "b@example.com" } }, user)).toMatchObject({
    code: "FORBIDDEN",
  });
});

test("the last owner stays", async () => {
  const owner = await createUser(app, "Owner");
  const own = await createOrganization(app, "Own", owner);
  const query = "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }";
  expect(await app.refuse(query, { input: { organizationId: own, userId: owner } }, owner)).toMatchObject({
    code: "CONFLICT",
  });
});

describe("a name that could write on what it stands in is refused wherever a name is given", () => {
  /** By mutation: what else it needs. */
  const inputs: Record<string, () => object> = {
    createUser: () => ({ email: `named.${randomUUID()}@example.com` }),
    updateUser: () => ({ id: user }),
    createOrganization: () => ({}),
    renameOrganization: () => ({ organizationId: organization }),
    createApiKey: () => ({ organizationId: organization, role: "VIEWER" }),
    registerRegion: () => ({ key: "named", connectionUrl: serverUrl("home") }),
    updateRegion: () => ({ key: "us" }),
    createResource: () => ({ organizationId: organization }),
    updateResource: () => ({ resourceId: resource }),
  };
  const names = [
    "Your bank.\r\nURGENT: open https://evil.example/ now",
    "Acme \u202egnp.exe",
    "A\u001b[2J",
    "A\u2028B",
    "A\u200bB",
  ];

  test("and these are all the places", () => {
    const takingNames = Object.values(apiSchema.getMutationType()?.getFields() ?? {}).filter(({ args }) =>
      args.some(({ type }) => {
        const named = getNamedType(type);
        return isInputObjectType(named) && "name" in named.getFields();
      }),
    );
    expect(takingNames.map(({ name }) => name).toSorted()).toEqual(Object.keys(inputs).toSorted());
  });

  test.each(Object.keys(inputs))("%s", async (mutation) => {
    const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename } }`;
    const before = await snapshot();
    for (const name of names)
      expect(await app.refuse(query, { input: { ...inputs[mutation]?.(), name } }), name).toMatchObject({
        code: "INVALID_INPUT",
        field: "name",
      });
    expect(await snapshot()).toEqual(before);
  });
});

test("an e-mail address belongs to one user", async () => {
  const email = `twin.${randomUUID()}@example.com`;
  await app.ask(MUTATIONS.createUser, { input: { name: "A", email } });
  expect(await app.refuse(MUTATIONS.createUser, { input: { name: "B", email: email.toUpperCase() } })).toMatchObject({
    code: "CONFLICT",
    field: "email",
  });
});

test("a header that names nobody is UNAUTHENTICATED; syntax and unknown fields are INVALID_INPUT", async () => {
  expect(await app.refuse("{ me { id } }", {}, randomUUID())).toMatchObject({ code: "UNAUTHENTICATED" });
  expect(await app.refuse("{ me { id } }", {}, "nobody")).toMatchObject({ code: "UNAUTHENTICATED" });
  expect(await app.refuse("{ me { nope } }")).toMatchObject({ code: "INVALID_INPUT" });
  expect(await app.refuse("{ me {")).toMatchObject({ code: "INVALID_INPUT" });
  expect(await app.refuse("query ($id: ID!) { user(id: $id) { id } }", {})).toMatchObject({ code: "INVALID_INPUT" });
});

test("the connection URL is encrypted at rest and never comes back", async () => {
  const { password } = new URL(serverUrl("eu"));
  const [row] = await sql<{ connection_url: Buffer }>(
    app.databaseUrl,
    "select connection_url from tenantry.regions where key = 'eu'",
  );
  expect(row?.connection_url.toString("latin1")).not.toContain(password);
  const schema = await app.ask('{ __type(name: "Region") { fields { name } } }');
  expect(JSON.stringify(schema)).not.toMatch(/url/i);
});
