/**
 * What is planned as a statement answers the same as the executor: generated operations are sent both ways, with every kind of
 * caller and of resource. An unusual `accept` sends a request the long way, where nothing is planned.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Resource } from "#app/resources/shape";
import { columnText, join } from "#api/graphql/plan/sql-text";
import type { Holds } from "#api/graphql/shapes/fields";
import { bothWays, inOrder, isPlanned, send } from "../support/both-ways.ts";
import { schema as shippedSchema } from "../support/schema.ts";
import { Project, secondApplication, secondSchema } from "../support/second-application.ts";
import { selectionOf, variablesOf } from "../support/shape-operations.ts";
import { newId, newRoutedId, placementNumberOf } from "#base/kernel/ids";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";

const STRANGE = `"quoted" \\ back\nslash\t\u0001 é 漢字 🦉 </script> \u2028 'single' %s $1`;

const STRANGE_NAME = STRANGE.replaceAll(/\p{C}|\u2028/gu, "");

let app: TestApp;
/** A process with another application on the same databases. */
let second: TestApp;
let member: string;
let viewer: string;
let left: string;
let outsider: string;
/** A resource of each kind, and ids of none. */
const resources: Record<string, string> = {};
const organizations: string[] = [];

beforeAll(async () => {
  app = await startApp();
  const { databaseUrl, secretKey } = app;
  second = await startApp({ databaseUrl, secretKey, role: "api", application: secondApplication });
  member = await createUser(app, "Member");
  await app.ask("mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id } }", {
    input: { id: member, name: `Member ${STRANGE_NAME}` },
  });
  viewer = await createUser(app, "Viewer");
  left = await createUser(app, "Leaver");
  outsider = await createUser(app, "Outsider");
  await registerRegion(app, "eu", serverUrl("eu"));
  for (const isolation of ["DEDICATED", "SHARED"] as const) {
    const organization = await createOrganization(app, `Organization ${isolation} ${STRANGE_NAME}`);
    organizations.push(organization);
    await addMember(app, organization, member);
    await addMember(app, organization, viewer, "VIEWER");
    await addMember(app, organization, left);
    await grant(app, organization, "eu", isolation);
    const id = await createResource(app, { name: `Resource ${STRANGE_NAME}`, organizationId: organization });
    resources[isolation] = id;
    resources[`${isolation} without comments`] = await createResource(app, {
      name: "Empty",
      organizationId: organization,
    });
    for (let index = 0; index < 7; index += 1)
      await comment(app, id, [member, left][index % 2] ?? "", `${index} ${STRANGE}`);
    // Its number, and no row.
    resources[`${isolation} that is none`] = newRoutedId(placementNumberOf(id));
    await app.ask(
      "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }",
      { input: { organizationId: organization, userId: left } },
    );
  }
  resources["home"] = await createResource(app, { name: `At home ${STRANGE_NAME}` });
  for (let index = 0; index < 3; index += 1)
    await comment(app, resources["home"], [member, outsider][index % 2] ?? "", `${index}`);
  resources["home that is none"] = newRoutedId(0);
  resources["of nobody"] = newRoutedId(999_999);
  resources["malformed"] = "no-id";
  resources["upper case"] = (resources["SHARED"] ?? "").toUpperCase();
  const [{ database }] = (await app.ask(`{ organization(id: "${organizations[0]}") { placements { database } } }`))
    .organization.placements;
  await eventually(
    async () => (await sql(`${serverUrl("eu")}/${database}`, "select from tenantry.directory_members")).length === 2,
  );
});
afterAll(async () => {
  await second.stop();
  await app.stop();
});

const caller = fc.constantFrom("operator", "member", "viewer", "outsider");
const which = fc.constantFrom(
  "DEDICATED",
  "SHARED",
  "DEDICATED without comments",
  "SHARED that is none",
  "DEDICATED that is none",
  "home",
  "home that is none",
  "of nobody",
  "malformed",
  "upper case",
);

function headersOf(name: string): Record<string, string> {
  const id = { member, viewer, outsider }[name];
  return id === undefined ? {} : { "x-user-id": id };
}

const ROOTS = [
  { field: "resource", shape: Resource, schema: shippedSchema, of: () => app, numRuns: 250 },
  { field: "project", shape: Project, schema: secondSchema, of: () => second, numRuns: 150 },
];

describe("reading rows of shapes", () => {
  test.each(ROOTS)(
    "generated operations on $field answer the same both ways",
    async ({ field, shape, schema, of, numRuns }) => {
      let plans = 0;
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(which, selectionOf(shape)), { minLength: 1, maxLength: 3 }),
          caller,
          fc.constantFrom(undefined, null, 1, 2, 100, 101, -1),
          fc.constantFrom(undefined, null, "third", "wrong"),
          async (roots, who, first, cursor) => {
            const text = roots.map(([, fields]) => fields).join(" ");
            const definitions = [...roots.map((_, index) => `$id${index}: ID!`), ...variablesOf(text)];
            const fields = roots.map(([, rest], index) => `r${index}: ${field}(id: $id${index}) ${rest}`);
            const query = `query (${definitions.join(", ")}) { ${fields.join(" ")} }`;
            const variables: Record<string, unknown> = Object.fromEntries(
              roots.map(([name], index) => [`id${index}`, resources[name]]),
            );
            if (first !== undefined) variables["first"] = first;
            if (cursor !== undefined) variables["after"] = cursor === "third" ? await thirdCursor() : cursor;
            runs += 1;
            if (isPlanned(query, schema)) plans += 1;
            const { short, long } = await bothWays(of(), { query, variables }, headersOf(who));
            expect(short).toEqual(long);
          },
        ),
        { numRuns },
      );
      // Two regions in one resource are not, and need not be.
      expect(plans / runs).toBeGreaterThan(0.5);
    },
  );

  let cursor: string | undefined;
  async function thirdCursor(): Promise<string> {
    cursor ??= (
      await app.ask(`{ resource(id: "${resources["DEDICATED"]}") { comments(first: 3) { pageInfo { endCursor } } } }`)
    ).resource.comments.pageInfo.endCursor as string;
    return cursor;
  }

  test.each([
    ["a field that is resolved at home", "{ resource(id: $id) { id createdBy { id } } }"],
    [
      "what belongs to the organization",
      "{ resource(id: $id) { organization { members { edges { node { role } } } } } }",
    ],
    ["a directive", "{ resource(id: $id) { id name @skip(if: true) } }"],
    ["two regions", "{ resource(id: $id) { region { key } other: region { name } } }"],
    ["a comment's resource", "{ resource(id: $id) { comments { edges { node { resource { name } } } } } }"],
    ["beside what is not planned", "{ resource(id: $id) { id } regions { key } }"],
  ])("%s is not planned, and answers the same", async (_, selected) => {
    const query = `query ($id: ID!) ${selected}`;
    expect(isPlanned(query, shippedSchema)).toBe(false);
    const { short, long } = await bothWays(app, { query, variables: { id: resources["SHARED"] } });
    expect(JSON.parse(long.body)).not.toHaveProperty("errors");
    expect(short).toEqual(long);
  });

  test("named fragments are planned", async () => {
    const query = `query ($id: ID!) { resource(id: $id) { ...R } }
      fragment R on Resource { name comments(first: 2) { edges { node { ...C } } } }
      fragment C on Comment { body author { name } }`;
    expect(isPlanned(query, shippedSchema)).toBe(true);
    const { short, long } = await bothWays(app, { query, variables: { id: resources["SHARED"] } });
    expect(short).toEqual(long);
    expect(JSON.parse(short.body).data.resource.comments.edges).toHaveLength(2);
  });

  test("an organization that its region has not heard of is read at home", async () => {
    const organization = await createOrganization(app, "Unheard");
    const { database } = await grant(app, organization, "eu", "DEDICATED");
    const id = await createResource(app, { name: "Early", organizationId: organization });
    await sql(`${serverUrl("eu")}/${database}`, "delete from tenantry.directory_organizations");
    const { short, long } = await bothWays(app, { query: `{ resource(id: "${id}") { organization { name } } }` });
    expect(JSON.parse(short.body).data.resource.organization).toEqual({ name: "Unheard" });
    expect(short).toEqual(long);
  });

  test("a region that is away fails its own root field and no other", async () => {
    const query = `{ gone: resource(id: "${newRoutedId(999_999)}") { id } here: resource(id: "${resources["SHARED"]}") { id } }`;
    const { short, long } = await bothWays(app, { query });
    expect(JSON.parse(short.body)).toMatchObject({ data: { gone: null, here: { id: resources["SHARED"] } } });
    expect(short).toEqual(long);
  });
});

describe("another application on the same databases", () => {
  test("lists what its shape says, and knows no other types", async () => {
    const { projects } = await second.ask(
      "{ projects { edges { node { title home { key } notes { edges { node { words } } } } } } }",
    );
    const { resources: shipped } = await app.ask(
      "{ resources { edges { node { name region { key } comments { edges { node { body } } } } } } }",
    );
    const renamed = JSON.stringify(shipped)
      .replaceAll('"name":', '"title":')
      .replaceAll('"region":', '"home":')
      .replaceAll('"comments":', '"notes":')
      .replaceAll('"body":', '"words":');
    expect(JSON.stringify(projects)).toBe(renamed);
    expect(await second.refuse("{ resources { edges { cursor } } }")).toMatchObject({ code: "INVALID_INPUT" });
  });
});

test.each<[Holds, string, unknown[]]>([
  ["uuid", "uuid", [newId(), null]],
  ["text", "text", [STRANGE, "", null]],
  ["int", "int", [0, -2_147_483_648, 2_147_483_647, null]],
  ["boolean", "boolean", [true, false, null]],
  ["time", "timestamptz", [new Date(0), new Date("9999-12-31T23:59:59.999Z"), null]],
])("a database writes a column of kind %s as JSON does", async (holds, type, values) => {
  const written = join(columnText({ holds, nullable: true }, "v.value"));
  for (const value of values) {
    const [row] = await sql(
      `${serverUrl("home")}/postgres`,
      `select ${written} as text from (select $1::${type} as value) v`,
      [value],
    );
    expect(row).toEqual({ text: JSON.stringify(value) });
  }
});

describe("writing a comment", () => {
  const ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z/g;
  const selected = "{ id body at: createdAt __typename author { id name email createdAt __typename } }";
  const query = `mutation ($input: CreateCommentInput!) { createComment(input: $input) ${selected} }`;
  const cases: [string, () => object, string][] = [
    ["by a member", () => ({ body: STRANGE }), "member"],
    ["by the operator for a member", () => ({ body: "x", authorId: member }), "operator"],
    ["by the operator for nobody", () => ({ body: "x" }), "operator"],
    ["by the operator for who has left", () => ({ body: "x", authorId: left }), "operator"],
    ["by the operator for an outsider", () => ({ body: "x", authorId: outsider }), "operator"],
    ["by the operator for an id that is no user", () => ({ body: "x", authorId: newId() }), "operator"],
    ["by a member in another's name", () => ({ body: "x", authorId: viewer }), "member"],
    ["by a viewer", () => ({ body: "x" }), "viewer"],
    ["by an outsider", () => ({ body: "x" }), "outsider"],
    ["without a text", () => ({ body: " " }), "member"],
    ["that is too long", () => ({ body: "x".repeat(10_001) }), "member"],
    ["with an author that is no id", () => ({ body: "x", authorId: "nobody" }), "operator"],
    ["with a variable of the wrong type", () => ({ body: 5 }), "member"],
  ];

  test.each(cases)("%s answers the same on every resource", async (_, input, who) => {
    expect(isPlanned(query, shippedSchema)).toBe(true);
    for (const [name, resourceId] of Object.entries(resources)) {
      const { short, long } = await bothWays(
        app,
        { query, variables: { input: { ...input(), resourceId } } },
        headersOf(who),
      );
      const plain = ({ body, ...rest }: typeof short) => ({ ...rest, body: body.replaceAll(ID, "*") });
      expect(plain(short), name).toEqual(plain(long));
    }
  });

  test("to a resource that is none says so before it says anything of its author", async () => {
    const input = { resourceId: resources["SHARED that is none"], body: "x", authorId: outsider };
    const { short } = await bothWays(app, { query, variables: { input } });
    expect(JSON.parse(short.body).errors).toMatchObject([{ extensions: { code: "NOT_FOUND" } }]);
  });

  test("each leaves its entry in the audit log, whichever way", async () => {
    const [organizationId] = organizations;
    const entries = async () => {
      const { auditLog } = await app.ask(
        `{ auditLog(organizationId: "${organizationId}", first: 100) { edges { node { action outcome subjectKind } } } }`,
      );
      return auditLog.edges.map(({ node }: any) => node).filter(({ action }: any) => action === "createComment");
    };
    const before = (await entries()).length;
    const input = { resourceId: resources["DEDICATED"], body: "Counted" };
    await bothWays(app, { query, variables: { input } }, headersOf("member"));
    await bothWays(app, { query, variables: { input } }, headersOf("viewer"));
    const after = await entries();
    expect(after).toHaveLength(before + 4);
    expect(
      after
        .slice(0, 4)
        .map(({ outcome }: any) => outcome)
        .toSorted(),
    ).toEqual(["FORBIDDEN", "FORBIDDEN", "OK", "OK"]);
  });
});

describe("requests", () => {
  const requests: [string, unknown, Record<string, string>?][] = [
    ["an operation", { query: "{ regions { key } }" }],
    ["an unknown field", { query: "{ nothing }" }],
    ["no GraphQL", { query: "{" }],
    ["no operation of that name", { query: "query A { me { id } }", operationName: "B" }],
    ["several operations and none named", { query: "query A { me { id } } query B { me { id } }" }],
    ["a variable of the wrong type", { query: "query ($id: ID!) { user(id: $id) { id } }", variables: { id: {} } }],
    ["a missing variable", { query: "query ($id: ID!) { user(id: $id) { id } }" }],
    ["an error below a root field", { query: `{ user(id: "00000000-0000-7000-8000-000000000000") { id } }` }],
    ["a user that is none", { query: "{ me { id } }" }, { "x-user-id": "nobody" }],
    ["a subscription", { query: `subscription { commentAdded(resourceId: "x") { id } }` }],
    ["no query", { variables: {} }],
    ["an unknown hash", { extensions: { persistedQuery: { version: 1, sha256Hash: "0".repeat(64) } } }],
    ["an unknown parameter", { query: "{ me { id } }", more: 1 }],
    ["variables that are none", { query: "{ me { id } }", variables: [] }],
    ["no JSON", "{"],
    ["JSON that is no object", "5"],
    ["a batch", [{ query: "{ me { id } }" }, { query: "{ nothing }" }]],
    ["a page of a friendly origin", { query: "{ me { id } }" }, { origin: "https://studio.apollographql.com" }],
    ["a page of the same origin", { query: "{ me { id } }" }, { origin: "http://localhost:1" }],
    ["too much", { query: `{ ${"a: __typename ".repeat(3_000)} }` }],
  ];

  test.each(requests)("%s is answered the same", async (_, body, headers) => {
    const { short, long } = await bothWays(app, body, headers);
    expect(short).toEqual(long);
  });

  test.each(requests)("%s is answered the same as graphql-response+json", async (_, body, headers) => {
    const [short, long] = await Promise.all([
      send(app, body, "application/graphql-response+json, application/json;q=0.9", headers),
      send(app, body, "application/graphql-response+json;charset=utf-8, application/json;q=0.9", headers),
    ]);
    expect(inOrder(short)).toEqual(inOrder(long));
  });
});
