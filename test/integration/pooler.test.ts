/** Home and a region behind PgBouncer in transaction mode, as it comes with Debian: docs/how-to/pooler.md. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATOR } from "#engine/auth/actor";
import { checkRegion } from "#engine/regions/probe-regions";
import { getRegion } from "#engine/regions/regions";
import { parsePoolUrl, parseServerUrl } from "#base/postgres/connection-url";
import { Pools } from "#base/postgres/pools";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { entriesOf } from "../support/audit.ts";
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
import { KNOWS_PREPARED, type Pooler } from "../support/pgbouncer.ts";
import { startPooler, verifierOf } from "../support/pooler.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const POOL_SIZE = 2;
/** Hundreds of requests at once are the point. */
const UNBOUNDED = {
  actorPointsPerSecond: 0,
  organizationPointsPerSecond: 0,
  actorConcurrency: 0,
  organizationConcurrency: 0,
};
const AUTH_USER = { auth_user: "asker", auth_query: "select usename, passwd from pg_shadow where usename = $1" };

let homeServer: OwnServer;
let regionServer: OwnServer;
/** Knows the API's role by its list of users. */
let homePooler: Pooler;
/** Asks the server for the API's role. */
let regionPooler: Pooler;
let app: TestApp;
let apiRole: string;

beforeAll(async () => {
  [homeServer, regionServer] = await Promise.all([startServer(), startServer()]);
  homePooler = await startPooler(homeServer.url());
  await sql(regionServer.url("postgres"), "create role asker superuser login password 'of the asker'");
  regionPooler = await startPooler(regionServer.url(), AUTH_USER);
  await regionPooler.letIn({ asker: "of the asker" });
  const first = await startApp({ homeServer: homeServer.url() });
  const { databaseUrl, secretKey } = first;
  apiRole = first.services.apiRole.name;
  await first.stop();
  await homePooler.letIn({ [apiRole]: await verifierOf(homeServer.url(), apiRole) });
  app = await startApp({
    homeServer: homeServer.url(),
    databaseUrl,
    databasePoolUrl: homePooler.url,
    secretKey,
    api: { limits: UNBOUNDED },
    replication: { carrier: { idleMs: 50 } },
  });
  await registerRegion(app, "eu", regionServer.url(), regionPooler.url);
});
afterAll(async () => {
  await app.stop();
  await Promise.all([homePooler, regionPooler].map((pooler) => pooler[Symbol.asyncDispose]()));
  await Promise.all([homeServer, regionServer].map((server) => server[Symbol.asyncDispose]()));
});

const RESOURCE = `query ($id: ID!) { resource(id: $id) {
  name organization { name } comments { edges { node { body author { name } } } } } }`;
const RESOURCES = "query ($id: ID) { resources(organizationId: $id, first: 50) { edges { node { id name } } } }";

type Content = {
  organization: string;
  user: string;
  resource: string;
  marker: string;
  placement: string;
  database: string;
};

async function makeContent(marker: string, isolation: "DEDICATED" | "SHARED"): Promise<Content> {
  const user = await createUser(app, marker);
  const organization = await createOrganization(app, marker);
  await addMember(app, organization, user);
  const granted = await grant(app, organization, "eu", isolation);
  expect(granted).toMatchObject({ state: "ACTIVE", failure: null });
  const resource = await createResource(app, { name: marker, organizationId: organization, regionKey: "eu" }, user);
  await comment(app, resource, user, `${marker} writes`);
  return { organization, user, resource, marker, placement: granted.id, database: granted.database };
}

/** A resource's name; undefined while there is no answer. */
const nameOf = (id: string, user: string): Promise<string | undefined> =>
  app.ask(RESOURCE, { id }, user).then(
    ({ resource }) => resource.name as string,
    () => undefined,
  );

/** The API's connections to a server's database, by process id. */
async function apiConnections(server: OwnServer, database: string): Promise<number[]> {
  const rows = await sql<{ pid: number }>(
    server.url("postgres"),
    "select pid from pg_stat_activity where usename = $1 and datname = $2",
    [apiRole, database],
  );
  return rows.map(({ pid }) => pid);
}

test("the journey goes through the poolers, and only they connect to the servers for the API", async () => {
  const own = await makeContent("Own", "DEDICATED");
  const { resource } = await app.ask(RESOURCE, { id: own.resource }, own.user);
  expect(resource).toEqual({
    name: "Own",
    organization: { name: "Own" },
    comments: { edges: [{ node: { body: "Own writes", author: { name: "Own" } } }] },
  });
  const { resources } = await app.ask(RESOURCES, { id: own.organization }, own.user);
  expect(resources.edges).toEqual([{ node: { id: own.resource, name: "Own" } }]);
  expect((await app.refuse(RESOURCE, { id: own.resource }, await createUser(app))).code).toBe("NOT_FOUND");
  const home = new URL(app.databaseUrl).pathname.slice(1);
  for (const [server, pooler, database] of [
    [homeServer, homePooler, home],
    [regionServer, regionPooler, own.database],
  ] as const) {
    const ofPooler = (await pooler.show("servers")).map(({ remote_pid: pid }) => pid);
    const ofApi = await apiConnections(server, database);
    expect(ofApi.length).toBeGreaterThan(0);
    expect(ofPooler).toEqual(expect.arrayContaining(ofApi));
  }
});

test("hundreds of reads of organizations that share connections see what is theirs", async () => {
  const all = [await makeContent("Red", "SHARED"), await makeContent("Blue", "SHARED")];
  all.push(await makeContent("Green", "DEDICATED"));
  expect(all[0]?.database).toBe(all[1]?.database);
  const [red, blue] = all;
  if (red === undefined || blue === undefined) throw new Error("content is missing");
  const reads = Array.from({ length: 600 }, async (_, index) => {
    const mine = all[index % all.length] ?? red;
    const { resource } = await app.ask(RESOURCE, { id: mine.resource }, mine.user);
    expect(resource.name).toBe(mine.marker);
    expect(resource.comments.edges).toEqual([
      { node: { body: `${mine.marker} writes`, author: { name: mine.marker } } },
    ]);
    const { resources } = await app.ask(RESOURCES, { id: mine.organization }, mine.user);
    expect(resources.edges.map(({ node }: { node: { name: string } }) => node.name)).toEqual([mine.marker]);
  });
  await Promise.all(reads);
  expect((await app.refuse(RESOURCE, { id: blue.resource }, red.user)).code).toBe("NOT_FOUND");
  for (const { database } of all)
    expect((await apiConnections(regionServer, database)).length).toBeLessThanOrEqual(POOL_SIZE);
}, 60_000);

describe("on two server connections for eight of ours", () => {
  const pools = new Pools(() => undefined, { maxPerDatabase: 8 });
  const open = (url = regionPooler.url) =>
    pools.open("tenant", parseServerUrl(regionServer.url(), "url"), "pooled", { pooler: parsePoolUrl(url, "url") });
  beforeAll(async () => {
    await sql(regionServer.url("postgres"), "create database pooled");
    await sql(
      regionServer.url("pooled"),
      `create table public.notes (id int primary key, body text);
       create schema tenantry;
       create domain tenantry.sets_test as text check (set_config('tenantry.test', value, true) is not null);
       create domain tenantry.sets_search_path as text check (set_config('search_path', value, true) is not null)`,
    );
  });
  afterAll(() => pools.close());

  const READ = `select current_setting('tenantry.test', true) as scope, pg_backend_pid() as pid, $1::int as value,
    (select 1 where pg_sleep(0.001) is null) as slow`;
  type Read = { scope: string | null; pid: number; value: number };

  test.each([
    ["as they are", ""],
    [
      KNOWS_PREPARED ? "prepared" : "prepared, though the pooler knows no prepared statements",
      "?prepared_statements=true",
    ],
  ])("statements %s have the setting that came with them and no other", async (_, parameters) => {
    const database = open(`${regionPooler.url}${parameters}`);
    const rows = await Promise.all(
      Array.from({ length: 600 }, async (__, index) => {
        const scope = index % 3 === 0 ? null : `scope ${index}`;
        const target =
          scope === null
            ? database
            : database.scoped({ setting: "tenantry.test", setter: "tenantry.sets_test", value: scope });
        const [row] = await target.query<Read>(`test.read${index % 5}`, READ, [index]);
        expect(row).toMatchObject({ value: index });
        expect(row?.scope ?? "").toBe(scope ?? "");
        return row?.pid;
      }),
    );
    // Where statements were lost, a few connections were closed.
    const most = parameters === "" || KNOWS_PREPARED ? POOL_SIZE : 10 * POOL_SIZE;
    expect(new Set(rows).size).toBeLessThanOrEqual(most);
  });

  test("a transaction stays on one of them, and what it did is undone when it fails", async () => {
    const database = open();
    const write = (id: number) =>
      database.transaction(async (transaction) => {
        await transaction.query("test.write", "insert into public.notes values ($1, 'written')", [id]);
        const pid = () => transaction.query<Read>("test.pid", "select pg_backend_pid() as pid");
        expect(await pid()).toEqual(await pid());
        if (id % 2 === 1) throw new Error("undone");
      });
    const written = await Promise.allSettled(Array.from({ length: 40 }, (_, id) => write(id)));
    expect(written.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
    expect(await database.query("test.count", "select count(*)::int from public.notes")).toEqual([{ count: 20 }]);
  });

  test("a session has a connection to the server of its own", async () => {
    await open().session(async (session) => {
      await session.query("test.set", "set tenantry.test = 'kept'");
      const [row] = await session.query<Read>("test.read", READ, [1]);
      expect(row?.scope).toBe("kept");
      const ofPooler = (await regionPooler.show("servers")).map(({ remote_pid: pid }) => pid);
      expect(ofPooler).not.toContain(row?.pid);
    });
  });
});

test("an operation that is over ends its SQL on the server, and no other's", async () => {
  const { resource, user, database } = await makeContent("Slow", "DEDICATED");
  const { databaseUrl, secretKey } = app;
  const limits = { ...UNBOUNDED, timeoutMs: 1_500 };
  const hurried = await startApp({
    databaseUrl,
    databasePoolUrl: homePooler.url,
    secretKey,
    role: "api",
    api: { limits },
  });
  const locker = new pg.Client({ connectionString: regionServer.url(database) });
  await locker.connect();
  await locker.query("begin; lock table app.comments in access exclusive mode");
  const running = async () =>
    (
      await sql(
        regionServer.url(database),
        "select from pg_stat_activity where datname = $1 and state = 'active' and query like '/* tenantry: resources.text */%'",
        [database],
      )
    ).length;
  try {
    const answer = hurried.refuse(RESOURCE, { id: resource }, user);
    expect(await eventually(async () => (await running()) === 1)).toBe(true);
    // On the other connection of the two.
    const others = Promise.all(
      Array.from({ length: 50 }, () =>
        app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: resource }, user),
      ),
    );
    expect(await answer).toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect(await eventually(async () => (await running()) === 0)).toBe(true);
    await others;
  } finally {
    await locker.end();
    await hurried.stop();
  }
  expect((await app.ask(RESOURCE, { id: resource }, user)).resource.name).toBe("Slow");
});

test("links are parked and woken", async () => {
  const { organization, user, database } = await makeContent("Parked", "DEDICATED");
  const enabled = () =>
    sql(app.databaseUrl, "select from pg_subscription where subenabled and subname like $1", [`${database}\\_%`]);
  expect(await eventually(async () => (await enabled()).length === 0)).toBe(true);
  await createResource(app, { name: "Woken", organizationId: organization, regionKey: "eu" }, user);
  const { resources } = await app.ask(RESOURCES, { id: organization }, user);
  expect(resources.edges.map(({ node }: { node: { name: string } }) => node.name).toSorted()).toEqual([
    "Parked",
    "Woken",
  ]);
  expect(await eventually(async () => (await enabled()).length === 0)).toBe(true);
});

test("a database to which the pooler holds connections is dropped when its placement is revoked", async () => {
  const { placement, marker, database, user, resource } = await makeContent("Gone", "DEDICATED");
  expect((await apiConnections(regionServer, database)).length).toBeGreaterThan(0);
  await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
    input: { placementId: placement, confirm: marker, skipGrace: true },
  });
  const left = () => sql(regionServer.url("postgres"), "select from pg_database where datname = $1", [database]);
  expect(await eventually(async () => (await left()).length === 0, 20_000)).toBe(true);
  expect((await app.refuse(RESOURCE, { id: resource }, user)).code).toBe("NOT_FOUND");
});

test("the audit log has what was done, content in the region and the rest at home", async () => {
  const { organization, user, resource } = await makeContent("Audited", "SHARED");
  const entries = await entriesOf(app, organization);
  expect(entries.map(({ action }) => action)).toEqual(
    expect.arrayContaining(["createOrganization", "addOrganizationMember", "grantRegionAccess", "createComment"]),
  );
  expect(entries).toContainEqual(
    expect.objectContaining({ action: "createResource", subjectId: resource, whoId: user, outcome: "OK" }),
  );
});

test.each([
  ["the region's", () => regionPooler, "REGION_UNAVAILABLE"],
  ["home's", () => homePooler, "HOME_UNAVAILABLE"],
])("%s pooler is killed and comes back, and so do answers", async (_, which, code) => {
  const { resource, user } = await makeContent("Back", "DEDICATED");
  const pooler = which();
  await pooler.kill();
  expect((await app.refuse(RESOURCE, { id: resource }, user)).code).toBe(code);
  await pooler.start();
  expect(await eventually(() => nameOf(resource, user))).toBe("Back");
});

test("the region's server is killed and comes back behind the pooler", async () => {
  const { resource, user } = await makeContent("Again", "SHARED");
  await regionServer.server.kill();
  expect((await app.refuse(RESOURCE, { id: resource }, user)).code).toMatch(/^(REGION_UNAVAILABLE|LIMIT_EXCEEDED)$/);
  await regionServer.server.start();
  expect(await eventually(() => nameOf(resource, user), 20_000)).toBe("Again");
}, 60_000);

describe("a pooler that will not do", () => {
  const register = "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }";
  const update = "mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { server { poolUrl } } }";
  const stored = () => sql(app.databaseUrl, "select key, pool_url from tenantry.regions order by key");
  /** In front of home's server, whose own password it shows there to let in anybody who says to be the API. */
  let trusting: Pooler;
  beforeAll(async () => {
    const { homeAddress, homeSystemIdentifier } = app.services;
    const { password = "" } = app.services.apiRole.on(homeAddress, homeSystemIdentifier);
    trusting = await startPooler(homeServer.url(), { auth_type: "trust" });
    await trusting.letIn({ [apiRole]: password });
    return () => trusting.kill();
  });
  const cases: [string, () => string | Promise<string>, RegExp][] = [
    ["where nothing listens", () => "postgres://127.0.0.1:1", /nothing listens there/],
    ["of another server", () => homePooler.url, /does not let in the role/],
    ["of another server that asks for no password", () => trusting.url, /leads to another server/],
    [
      "that knows no prepared statements",
      () => `${regionPooler.url}?prepared_statements=true`,
      /does not carry prepared/,
    ],
    ["with a user", () => regionPooler.url.replace("//", "//root:hunter2@"), /must not name a user/],
    ["with a database", () => `${regionPooler.url}/postgres`, /must not name a database/],
    ["with a slash", () => `${regionPooler.url}/`, /must not name a database/],
    ["with a parameter of another's", () => `${regionPooler.url}?options=x`, /"options" is not supported/],
    ["that is none", () => "http://127.0.0.1", /must look like postgres/],
  ];

  const here = KNOWS_PREPARED ? cases.filter(([what]) => !what.includes("prepared")) : cases;
  test.each(here)("%s is refused, and nothing is changed", async (_, urlOf, words) => {
    const before = await stored();
    const input = { key: "eu", poolUrl: await urlOf() };
    const refused = await app.refuse(update, { input });
    expect(refused).toMatchObject({ code: "INVALID_INPUT", field: "poolUrl", message: expect.stringMatching(words) });
    expect(refused.message).not.toContain("hunter2");
    await using other = await startServer();
    const added = { key: "new", name: "New", connectionUrl: other.url(), poolUrl: await urlOf() };
    expect(await app.refuse(register, { input: added })).toMatchObject({ code: "INVALID_INPUT", field: "poolUrl" });
    expect(await stored()).toEqual(before);
  });

  test("does not let the API in where it is not told of its role, and says which", async () => {
    await using stranger = await startPooler(regionServer.url());
    const refused = await app.refuse(update, { input: { key: "eu", poolUrl: stranger.url } });
    expect(refused).toMatchObject({ code: "INVALID_INPUT", field: "poolUrl" });
    expect(refused.message).toContain(`does not let in the role ${apiRole}`);
    await stranger.letIn({ [apiRole]: await verifierOf(regionServer.url(), apiRole) });
    const changed = await app.ask(update, { input: { key: "eu", poolUrl: stranger.url } });
    expect(changed.updateRegion.server.poolUrl).toBe(stranger.url);
    await app.ask(update, { input: { key: "eu", poolUrl: regionPooler.url } });
  });

  test("for home keeps the API from starting", async () => {
    const { databaseUrl, secretKey } = app;
    const start = (databasePoolUrl: string) => startApp({ databaseUrl, databasePoolUrl, secretKey, role: "api" });
    await expect(start(regionPooler.url)).rejects.toMatchObject({ code: "INVALID_INPUT", field: "DATABASE_POOL_URL" });
    await expect(start("postgres://127.0.0.1:1")).rejects.toThrow("nothing listens there");
  });
});

test("a pooler in place of a server is refused, with what to give instead", async () => {
  const input = {
    key: "pooled",
    name: "Pooled",
    connectionUrl: regionServer.url().replace(/@.*/, `@${new URL(regionPooler.url).host}`),
  };
  await regionPooler.letIn({ postgres: new URL(regionServer.url()).password });
  const register = "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }";
  expect(await app.refuse(register, { input })).toMatchObject({
    code: "REGION_UNAVAILABLE",
    message: expect.stringContaining("give the address of the server itself"),
  });
});

test("region check tells of the pooler, and what is wrong with it", async () => {
  const check = async () => checkRegion(app.services, OPERATOR, await getRegion(app.services, "eu"));
  const { port } = new URL(regionPooler.url);
  const fine = {
    host: "127.0.0.1",
    port: Number(port),
    preparedStatements: false,
    carriesPreparedStatements: KNOWS_PREPARED,
  };
  expect(await check()).toMatchObject({ obstacle: undefined, pooler: { ...fine, obstacle: null } });
  await regionPooler.kill();
  const words = expect.stringContaining("nothing listens there");
  expect(await check()).toMatchObject({
    obstacle: words,
    pooler: { obstacle: words, carriesPreparedStatements: null },
  });
  await regionPooler.start();
});

test("the command line gives a region another pooler, none, and says what is there", async () => {
  const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
  const env = {
    PATH: process.env["PATH"],
    DATABASE_URL: app.databaseUrl,
    DATABASE_POOL_URL: homePooler.url,
    TENANTRY_SECRET_KEY: app.secretKey,
  };
  const tenantry = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, [program, "region", ...args], { env })).stdout;
  await tenantry("update", "eu", "--no-pool-url");
  expect((await getRegion(app.services, "eu")).poolUrl).toBeNull();
  expect(await tenantry("check", "eu")).not.toContain("Pooler");
  await tenantry("update", "eu", "--pool-url", regionPooler.url);
  expect(await tenantry("check", "eu")).toContain("leads to this server, prepared statements off");
  const { pooler } = JSON.parse(await tenantry("check", "eu", "--json")) as { pooler: object };
  expect(pooler).toMatchObject({ host: "127.0.0.1", preparedStatements: false, obstacle: null });
}, 60_000);

test("prepared statements are used where they are carried, and the pooler can be taken away again", async () => {
  const update = "mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { server { poolUrl } } }";
  const { resource, user, database } = await makeContent("Prepared", "DEDICATED");
  // In session mode every version carries them, as a connection stays with one client.
  await using sessions = await startPooler(regionServer.url(), {
    ...AUTH_USER,
    pool_mode: "session",
    default_pool_size: "8",
  });
  await sessions.letIn({ asker: "of the asker" });
  const poolUrl = `${sessions.url}?prepared_statements=true`;
  expect((await app.ask(update, { input: { key: "eu", poolUrl } })).updateRegion.server.poolUrl).toBe(poolUrl);
  const isUsed = async () => {
    expect((await app.ask(RESOURCE, { id: resource }, user)).resource.name).toBe("Prepared");
    return (await sessions.show("servers")).some(({ database: name }) => name === database);
  };
  expect(await eventually(isUsed)).toBe(true);
  for (let index = 0; index < 10; index += 1) expect(await isUsed()).toBe(true);
  const pooler = await checkRegion(app.services, OPERATOR, await getRegion(app.services, "eu"));
  expect(pooler.pooler).toMatchObject({ preparedStatements: true, carriesPreparedStatements: true, obstacle: null });
  await app.ask(update, { input: { key: "eu", poolUrl: null } });
  expect((await getRegion(app.services, "eu")).poolUrl).toBeNull();
  await sessions.kill();
  // Routes are forgotten when home has announced the change.
  expect(await eventually(() => nameOf(resource, user))).toBe("Prepared");
  await app.ask(update, { input: { key: "eu", poolUrl: regionPooler.url } });
});
