/** Lists are read from their end as well as from their start, and both ways have the same rows in the same order. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "#base/kernel/ids";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
let owner: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  app = await startApp();
  owner = await createUser(app, "Owner");
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  for (const name of ["Acme", "Bolt", "Cord", "Dune", "Echo"]) {
    const id = await createOrganization(app, name, owner);
    ids["organization"] ??= id;
    if (name === "Echo") continue;
    await grant(app, id, "eu", "SHARED");
    await grant(app, id, "us", "DEDICATED");
  }
  const organizationId = ids["organization"] ?? "";
  for (const name of ["Ada", "Ben", "Cem", "Dag"]) await addMember(app, organizationId, await createUser(app, name));
  for (const regionKey of ["eu", "us", "eu", "us", "eu"])
    ids["resource"] = await createResource(app, { name: `In ${regionKey}`, organizationId, regionKey });
  for (const body of ["1", "2", "3", "4", "5"]) await comment(app, ids["resource"] ?? "", owner, body);
  const invite = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id } }";
  const key = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key { id } } }";
  for (const at of [1, 2, 3, 4, 5]) {
    await app.ask(invite, { input: { organizationId, email: `p${at}@example.com`, sendMail: false } }, owner);
    await app.ask(key, { input: { name: `Key ${at}`, organizationId, role: "VIEWER" } }, owner);
    await sql(
      app.databaseUrl,
      `insert into tenantry.border_days (day, database_id, direction, table_name, way, region_id, region_key, rows, bytes, first_at, last_at)
       values ('2026-01-0${at}', 1, 'directory', 'tenantry.x', 'stream', '${newId()}', 'gone', 1, 1, now(), now())`,
    );
    await sql(
      app.databaseUrl,
      `insert into tenantry.border_refusals (id, first_at, last_at, attempts, code, sentence)
       values ('${newId()}', now(), now(), 1, 'wrong-password', 'No.')`,
    );
  }
});
afterAll(() => app?.stop());

const EDGES = "edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";
const LISTS: [name: string, path: string, who: string, filter?: string][] = [
  ["users", "users", "operator"],
  ["users", "users", "owner"],
  ["organizations", "organizations", "operator"],
  ["organizations", "organizations", "owner"],
  ["User.organizations", "me { users: organizations", "owner"],
  ["Organization.members", "organization(id: $organization) { members", "owner"],
  ["Organization.members of a role", "organization(id: $organization) { members", "owner", "role: MEMBER"],
  ["Organization.invitations", "organization(id: $organization) { invitations", "owner"],
  ["Organization.resources", "organization(id: $organization) { resources", "owner"],
  ["resources", "resources", "operator"],
  ["resources", "resources", "owner"],
  ["resources of a region", "resources", "owner", 'regionKey: "eu"'],
  ["Resource.comments", "resource(id: $resource) { comments", "owner"],
  ["Resource.comments with bodies", "node(id: $resource) { ... on Resource { comments", "owner"],
  ["Region.placements", 'region(key: "eu") { placements', "owner"],
  ["jobs", "jobs", "operator"],
  ["apiKeys", "apiKeys", "owner", "organizationId: $organization"],
  ["auditLog", "auditLog", "operator"],
  ["auditLog of an organization", "auditLog", "owner", "organizationId: $organization"],
  ["Border.crossed", "border { crossed", "operator", 'regionKey: "gone"'],
  ["Border.refused", "border { refused", "operator"],
  ["Replication.databases", "replication { databases", "operator"],
];

type Page = {
  edges: { cursor: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
};

async function read(path: string, who: string, filter: string | undefined, page: string): Promise<Page> {
  const args = [filter, page].filter((one) => one !== undefined && one !== "").join(", ");
  const text = `${path}${args === "" ? "" : `(${args})`} { ${EDGES} }${" }".repeat(path.split("{").length - 1)}`;
  const known = { organization: "$organization: ID!", resource: "$resource: ID!" };
  const used = Object.entries(known).filter(([name]) => text.includes(`$${name}`));
  const head = used.length === 0 ? "query" : `query (${used.map(([, definition]) => definition).join(", ")})`;
  const variables = Object.fromEntries(used.map(([name]) => [name, ids[name]]));
  let data = await app.ask(`${head} { ${text} }`, variables, who === "owner" ? owner : undefined);
  while (data.edges === undefined) data = Object.values(data)[0];
  return data;
}

const cursorsOf = ({ edges }: Page) => edges.map(({ cursor }) => cursor);

test.each(LISTS)("%s (%s, asked by the %s) goes backwards", async (...[, path, who, filter]) => {
  const all = cursorsOf(await read(path, who, filter, "first: 100"));
  expect(all.length).toBeGreaterThan(2);
  const backwards: string[] = [];
  let bound = "";
  for (;;) {
    const page = await read(path, who, filter, `last: 2${bound}`);
    expect(page.pageInfo).toMatchObject({ hasNextPage: bound !== "", startCursor: page.edges[0]?.cursor ?? null });
    backwards.unshift(...cursorsOf(page));
    if (!page.pageInfo.hasPreviousPage) break;
    bound = `, before: "${page.pageInfo.startCursor}"`;
  }
  expect(backwards).toEqual(all);
  // Between two rows, from either end; and what is in front of a row.
  const [first, last] = [all[0], all.at(-1)];
  const bounds = `after: "${first}", before: "${last}"`;
  const start = await read(path, who, filter, `first: 1, ${bounds}`);
  expect(cursorsOf(start)).toEqual(all.slice(1, 2));
  expect(start.pageInfo).toMatchObject({ hasPreviousPage: true, hasNextPage: true });
  expect(cursorsOf(await read(path, who, filter, `last: 1, ${bounds}`))).toEqual(all.slice(-2, -1));
  expect(cursorsOf(await read(path, who, filter, `before: "${last}"`))).toEqual(all.slice(0, -1).slice(-20));
  expect(await read(path, who, filter, `last: 0`)).toMatchObject({ edges: [], pageInfo: { hasPreviousPage: true } });
});

test("what makes no page is refused in one sentence", async () => {
  const refused: [string, RegExp][] = [
    ["first: 1, last: 1", /^Ask for first or for last, not for both\.$/],
    ["last: 101", /^last must be between 0 and 100\.$/],
    ["last: -1", /^last must be between 0 and 100\.$/],
    ['before: "nonsense"', /^before is not a cursor that this list gave out\.$/],
  ];
  for (const [page, message] of refused) {
    const error = await app.refuse(`{ users(${page}) { ${EDGES} } }`);
    expect(error).toMatchObject({ code: "INVALID_INPUT" });
    expect(error.message).toMatch(message);
  }
});
