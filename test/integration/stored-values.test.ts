/**
 * Rows as whoever administers a server may write them: a moment that cannot be shown is an error of its field, in the
 * planned way and in the ordinary one, and the process lives.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
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

let app: TestApp;
let user: string;
let organization: string;
let resources: string[];
let comments: string[];
let region: string;

beforeAll(async () => {
  // Each moment is asked for many times.
  app = await startApp({ api: { limits: { actorPointsPerSecond: 0, organizationPointsPerSecond: 0 } } });
  user = await createUser(app);
  organization = await createOrganization(app);
  await addMember(app, organization, user);
  await registerRegion(app, "eu", serverUrl("eu"));
  region = `${serverUrl("eu")}/${(await grant(app, organization, "eu")).database}`;
  const make = (name: string) => createResource(app, { name, organizationId: organization }, user);
  resources = [await make("One"), await make("Two"), await make("Three")];
  const [first = ""] = resources;
  comments = [await comment(app, first, user), await comment(app, first, user), await comment(app, first, user)];
  await eventually(async () => (await sql(region, "select from tenantry.directory_members")).length === 1);
  for (const url of [region, app.databaseUrl]) await dropChecks(url);
});
afterAll(() => app.stop());
beforeEach(async () => {
  const now = "now() where created_at not between '2000-01-01' and '2100-01-01'";
  await sql(region, `update app.resources set created_at = ${now}`);
  await sql(region, `update app.comments set created_at = ${now}`);
  await sql(region, "update tenantry.directory_members set user_created_at = now()");
});

/** What the schema refuses, a server's administrator can have it take. */
async function dropChecks(url: string): Promise<void> {
  const checks = await sql<{ relation: string; name: string }>(
    url,
    `select conrelid::regclass::text as relation, quote_ident(conname) as name from pg_constraint
     where contype = 'c' and connamespace in ('app'::regnamespace, 'tenantry'::regnamespace) and pg_get_constraintdef(oid) like '%created_at%'`,
  );
  for (const { relation, name } of checks) await sql(url, `alter table ${relation} drop constraint if exists ${name}`);
}

type Answer = { data: any; errors?: { message: string; path: (string | number)[]; extensions: { code: string } }[] };

/** An unusual `accept` sends it the long way, where nothing is planned. */
const WAYS = { planned: "application/json", ordinary: "application/json; charset=utf-8" };
async function ask(way: keyof typeof WAYS, query: string): Promise<Answer> {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: WAYS[way], "x-user-id": user },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as Answer;
}
const lives = async () => expect(await app.ask("{ me { id } }", {}, user)).toEqual({ me: { id: user } });

const MOMENTS = ["294276-12-31", "infinity", "-infinity", "4713-01-01 BC", "10000-01-01 00:00:00Z"];
const SHOWN = ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"];

describe.each(Object.keys(WAYS) as (keyof typeof WAYS)[])("the %s way", (way) => {
  test.each(MOMENTS)("a resource made at %s", async (moment) => {
    const [id = ""] = resources;
    await sql(region, "update app.resources set created_at = $2 where id = $1", [id, moment]);
    expect(await ask(way, `{ resource(id: "${id}") { name createdAt } }`)).toMatchObject({
      data: { resource: null },
      errors: [{ path: ["resource", "createdAt"], extensions: { code: "INTERNAL" } }],
    });
    // A caller that does not ask for it is not told.
    expect(await ask(way, `{ resource(id: "${id}") { name } }`)).toEqual({ data: { resource: { name: "One" } } });
    await lives();
  });

  test.each(MOMENTS)("the second of three comments, written at %s", async (moment) => {
    const [id = ""] = resources;
    await sql(region, "update app.comments set created_at = $2 where id = $1", [comments[1], moment]);
    const { data, errors } = await ask(
      way,
      `{ resource(id: "${id}") { name comments { edges { node { id createdAt } } pageInfo { hasNextPage } } } }`,
    );
    expect(data.resource).toMatchObject({ name: "One", comments: { pageInfo: { hasNextPage: false } } });
    // Never with one missing in silence.
    expect(data.resource.comments.edges).toBeNull();
    expect(errors).toMatchObject([{ path: ["resource", "comments", "edges", 1, "node", "createdAt"] }]);
    await lives();
  });

  test.each(MOMENTS)("an author made at %s", async (moment) => {
    const [id = ""] = resources;
    await sql(region, "update tenantry.directory_members set user_created_at = $1", [moment]);
    const { data, errors } = await ask(
      way,
      `{ resource(id: "${id}") { comments { edges { node { id author { name createdAt } } } } } }`,
    );
    const { edges } = data.resource.comments;
    expect(edges.map(({ node }: any) => node.id)).toEqual(comments);
    expect(edges.map(({ node }: any) => node.author)).toEqual([null, null, null]);
    expect(errors).toHaveLength(3);
    await lives();
  });

  test.each(SHOWN)("what was made at %s is shown", async (moment) => {
    const [id = ""] = resources;
    await sql(region, "update app.resources set created_at = $2 where id = $1", [id, moment]);
    await sql(region, "update app.comments set created_at = $2 where id = $1", [comments[1], moment]);
    const { data } = await ask(
      way,
      `{ resource(id: "${id}") { createdAt comments { edges { node { createdAt } } } } }`,
    );
    expect(data.resource.createdAt).toBe(moment);
    expect(data.resource.comments.edges[1].node.createdAt).toBe(moment);
  });
});

test.each(MOMENTS)(
  "a member lists while the catalog has a resource made at %s, and its region is asked",
  async (moment) => {
    await eventually(
      async () =>
        (await sql(app.databaseUrl, "select from catalog.resources where id = any($1::uuid[])", [resources])).length ===
        3,
    );
    await sql(app.databaseUrl, "update catalog.resources set created_at = $2 where id = $1", [resources[1], moment]);
    const query = `{ resources(organizationId: "${organization}", first: 100) {
    edges { node { createdAt region { key } comments { edges { node { body } } } } } } }`;
    for (let index = 0; index < 3; index += 1) {
      const { errors } = await ask("ordinary", query);
      expect(errors?.[0]).toMatchObject({ extensions: { code: "INTERNAL" } });
    }
    await lives();
  },
);
