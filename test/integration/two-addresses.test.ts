/**
 * Servers that are reached one way by the program and another way by each other's subscriptions. The other way is a port of
 * the test's, which counts what comes by it, and where nothing has to listen.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/auth/actor.ts";
import { getRegion } from "../../src/directory/regions.ts";
import { trySubscriptions } from "../../src/operations/try-subscriptions.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  type Granted,
  grant,
} from "../support/journey.ts";
import { findDifferences, findUnrest } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const REGISTER = `mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) {
  key server { host port replicationHost replicationPort } } }`;
const UPDATE = `mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) {
  key server { host port replicationHost replicationPort } } }`;
const CONNINFO = "select subname as name, subconninfo as conninfo from pg_subscription where subname like $1";
const replication = { carrier: { idleMs: 50, stallMs: 1_000, retryMs: 50 } };

let home: OwnServer;
let region: OwnServer;
/** The ways of subscriptions. */
let toHome: Forwarder;
let toRegion: Forwarder;
let app: TestApp;
let databaseUrl: string;
let organization: string;
let placement: Granted;

beforeAll(async () => {
  [home, region] = await Promise.all([startServer({ databases: ["directory"] }), startServer()]);
  [toHome, toRegion] = await Promise.all([startForwarder(home.url()), startForwarder(region.url())]);
  databaseUrl = home.url("directory");
  app = await startApp({ databaseUrl, databaseReplicationUrl: viaPort(databaseUrl, toHome.port), replication });
});
afterAll(async () => {
  await app.stop();
  await Promise.all([toHome, toRegion, home, region].map((one) => one[Symbol.asyncDispose]()));
});

const portOf = (url: string) => Number(new URL(url).port);
const installation = () => ({ homeUrl: databaseUrl, regionUrl: (_: string, name?: string) => region.url(name) });

/** The ports that a database's subscriptions connect to: home's own, and the one in the region. */
async function subscribedPorts({ database }: Granted): Promise<{ catalog: number; directory: number }> {
  const portIn = async (url: string) => {
    const [row] = await sql<{ conninfo: string }>(url, CONNINFO, [`${database}\\_%`]);
    return Number(/port='(\d+)'/.exec(row?.conninfo ?? "")?.[1]);
  };
  return { catalog: await portIn(databaseUrl), directory: await portIn(region.url(database)) };
}

/** Both directions carry what the API writes, and come to rest. */
async function carries(name: string): Promise<void> {
  await createResource(app, { name, organizationId: organization });
  await addMember(app, organization, await createUser(app, name));
  const isSettled = await eventually(async () => {
    // What a carrier that was just replaced did not hear of, a sweep finds.
    await sql(databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
    await app.sweep();
    return (await findDifferences(installation())).length === 0;
  });
  expect(isSettled).toBe(true);
  expect(await eventually(async () => (await findUnrest(installation())).length === 0)).toBe(true);
}

/** What the servers say to connecting to each other. */
const tried = async (key: string) => trySubscriptions(app.services, OPERATOR, await getRegion(app.services, key));

/** Everything that a refusal must leave as it was. */
const stored = async () => [
  await sql(databaseUrl, "select * from tenantry.regions order by id"),
  await sql(databaseUrl, "select id from tenantry.operations order by id"),
];

test("subscriptions go by the other addresses, and nothing else does", async () => {
  const input = {
    key: "own",
    name: "Own",
    connectionUrl: region.url(),
    replicationUrl: viaPort(region.url(), toRegion.port),
  };
  const { registerRegion } = await app.ask(REGISTER, { input });
  expect(registerRegion.server).toEqual({
    host: "127.0.0.1",
    port: portOf(region.url()),
    replicationHost: "127.0.0.1",
    replicationPort: toRegion.port,
  });
  organization = await createOrganization(app, "Apart");
  const before = [toHome.count, toRegion.count];
  placement = await grant(app, organization, "own");
  expect(placement).toMatchObject({ state: "ACTIVE", failure: null });
  expect(await subscribedPorts(placement)).toEqual({ catalog: toRegion.port, directory: toHome.port });
  await carries("First");
  const after = [toHome.count, toRegion.count];
  expect(after[0]).toBeGreaterThan(before[0] ?? 0);
  expect(after[1]).toBeGreaterThan(before[1] ?? 0);
  // At rest nobody is connected by these ways; the program reads by its own.
  await app.ask("{ resources { edges { node { name comments { edges { node { body } } } } } } }");
  await app.ask('{ region(key: "own") { server { version } } }');
  expect([toHome.count, toRegion.count]).toEqual(after);
  // The servers try it when they are asked, by these ways, and keep nothing of it.
  const subscriptions = async () => [
    await sql(databaseUrl, "select oid, subname from pg_subscription"),
    await sql(region.url("postgres"), "select oid, subname from pg_subscription"),
  ];
  const kept = await subscriptions();
  expect(await tried("own")).toEqual([]);
  expect([toHome.count, toRegion.count]).toEqual(after.map((count) => count + 1));
  expect(await subscriptions()).toEqual(kept);
});

describe("an address that is wrong is refused, and nothing is changed", () => {
  const wrong = (url: () => string) => (key: string) => ({ key, replicationUrl: url() });
  const withPassword = (password: string) => {
    const url = new URL(viaPort(region.url(), toRegion.port));
    url.password = password;
    return url.href.replace(/\/$/, "");
  };
  test.each([
    ["of another kind", wrong(() => "mysql://root:hunter22@localhost"), "INVALID_INPUT"],
    ["with a database", wrong(() => `${region.url()}/postgres`), "INVALID_INPUT"],
    ["with a slash", wrong(() => `${region.url()}/`), "INVALID_INPUT"],
    ["without a user", wrong(() => "postgres://localhost"), "INVALID_INPUT"],
    ["that is empty", wrong(() => ""), "INVALID_INPUT"],
    ["of an unknown sslmode", wrong(() => `${region.url()}?sslmode=perhaps`), "INVALID_INPUT"],
    ["with the system's authorities, unverified", wrong(() => `${region.url()}?sslrootcert=system`), "INVALID_INPUT"],
    ["of another server", wrong(() => home.url()), "CONFLICT"],
    ["with a wrong password", wrong(() => withPassword("not-this-one")), "REGION_UNAVAILABLE"],
  ])("one %s", async (_, input, code) => {
    const before = await stored();
    const refusals = [
      await app.refuse(UPDATE, { input: input("own") }),
      await app.refuse(REGISTER, { input: { ...input("new"), name: "New", connectionUrl: serverUrl("us") } }),
    ];
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ field: "replicationUrl" });
      expect(refusal.message).not.toMatch(/hunter22|not-this-one/);
    }
    expect(refusals[0]?.code).toBe(code);
    expect(await stored()).toEqual(before);
  });
});

test("it is changed, kept and taken away, and the subscriptions follow", async () => {
  await using other = await startForwarder(region.url());
  const update = async (input: object) => (await app.ask(UPDATE, { input: { key: "own", ...input } })).updateRegion;
  const follows = async (port: number) => {
    await expect.poll(async () => (await subscribedPorts(placement)).catalog, { timeout: 10_000 }).toBe(port);
  };
  expect(await update({ replicationUrl: viaPort(region.url(), other.port) })).toMatchObject({
    server: { replicationPort: other.port },
  });
  await follows(other.port);
  await carries("Changed");
  // A new name or another connection URL leaves it as it is.
  expect((await update({ name: "Renamed" })).server.replicationPort).toBe(other.port);
  const byName = region.url().replace("127.0.0.1", "localhost");
  expect((await update({ connectionUrl: byName })).server).toMatchObject({
    host: "localhost",
    replicationHost: "127.0.0.1",
    replicationPort: other.port,
  });
  await follows(other.port);
  expect((await update({ connectionUrl: region.url(), replicationUrl: null })).server).toMatchObject({
    host: "127.0.0.1",
    replicationHost: null,
    replicationPort: null,
  });
  await follows(portOf(region.url()));
  const count = other.count;
  await carries("Without");
  expect(other.count).toBe(count);
  await update({ replicationUrl: viaPort(region.url(), toRegion.port) });
  await follows(toRegion.port);
});

test("a password that is rotated in one address only is refused by name of the other", async () => {
  await sql(region.url("postgres"), "create role rotated superuser login password 'password-before'");
  const as = (password: string, port: number) => {
    const url = new URL(viaPort(region.url(), port));
    url.username = "rotated";
    url.password = password;
    return url.href.replace(/\/$/, "");
  };
  const direct = portOf(region.url());
  const update = (input: object) => ({ input: { key: "own", ...input } });
  const both = (password: string) =>
    update({ connectionUrl: as(password, direct), replicationUrl: as(password, toRegion.port) });
  await app.ask(UPDATE, both("password-before"));
  await sql(region.url("postgres"), "alter role rotated password 'password-after'");
  expect(await app.refuse(UPDATE, update({ connectionUrl: as("password-after", direct) }))).toMatchObject({
    code: "REGION_UNAVAILABLE",
    field: "replicationUrl",
    message: `The server at 127.0.0.1:${toRegion.port} refused the user name or the password of replicationUrl.`,
  });
  await app.ask(UPDATE, both("password-after"));
  await carries("Rotated");
  await app.ask(UPDATE, update({ connectionUrl: region.url(), replicationUrl: viaPort(region.url(), toRegion.port) }));
});

describe("home's other address", () => {
  const start = (databaseReplicationUrl: string | undefined) => async () => {
    const second = await startApp({ databaseUrl, secretKey: app.secretKey, databaseReplicationUrl, role: "worker" });
    await second.stop();
  };
  const renewals = async () =>
    (
      await sql(
        databaseUrl,
        "select from tenantry.operations where kind = 'renew-subscriptions' and region_id is not null",
      )
    ).length;

  test("is noticed at the start, and the regions' subscriptions are told", async () => {
    await using other = await startForwarder(home.url());
    const follows = async (port: number) => {
      await expect.poll(async () => (await subscribedPorts(placement)).directory, { timeout: 10_000 }).toBe(port);
    };
    const restart = async (databaseReplicationUrl: string | undefined) => {
      await app.stop();
      app = await startApp({ databaseUrl, secretKey: app.secretKey, databaseReplicationUrl, replication });
    };
    await restart(viaPort(databaseUrl, other.port));
    await follows(other.port);
    await carries("Elsewhere");
    await restart(undefined);
    await follows(portOf(home.url()));
    await restart(viaPort(databaseUrl, toHome.port));
    await follows(toHome.port);
  });

  test.each([
    ["names another database", () => viaPort(home.url("postgres"), toHome.port), "the same database as DATABASE_URL"],
    ["names none", () => viaPort(home.url(), toHome.port), /^DATABASE_REPLICATION_URL: .* must name a database/],
    ["leads to another server", () => viaPort(databaseUrl, toRegion.port), /DATABASE_REPLICATION_URL/],
  ])("keeps a program from starting that %s", async (_, url, words) => {
    const before = await renewals();
    await expect(start(url())).rejects.toThrow(words);
    expect(await renewals()).toBe(before);
    expect((await subscribedPorts(placement)).directory).toBe(toHome.port);
  });
});

test("one that leads nowhere from here is taken, and the server that cannot connect says by which setting", async () => {
  await using own = await startServer();
  await using later = await startForwarder(own.url(), { open: false });
  const input = {
    key: "private",
    name: "Private",
    connectionUrl: own.url(),
    replicationUrl: viaPort(own.url(), later.port),
  };
  await app.ask(REGISTER, { input });
  const failure = "Home's server cannot connect to the region's by replicationUrl: nothing listens there.";
  // Nobody has to wait for a grant to know.
  expect(await tried("private")).toEqual([failure]);
  const there = await createOrganization(app, "Behind");
  const granted = await grant(app, there, "private");
  expect(granted).toMatchObject({ state: "FAILED", failure });
  const [operation] = await sql<{ last_error: string; state: string }>(
    databaseUrl,
    "select last_error, state from tenantry.operations where placement_id = $1",
    [granted.id],
  );
  expect(operation).toEqual({ last_error: granted.failure, state: "WAITING" });
  // The way there is opened: nobody has to do anything.
  await later.open();
  expect(await tried("private")).toEqual([]);
  const state = () => sql(databaseUrl, "select state from tenantry.placements where id = $1", [granted.id]);
  expect(await eventually(async () => (await state())[0]?.["state"] === "ACTIVE")).toBe(true);
});

test("a way that is closed later is named by the link's health", async () => {
  await using own = await startServer();
  const way = await startForwarder(own.url());
  const input = {
    key: "closing",
    name: "Closing",
    connectionUrl: own.url(),
    replicationUrl: viaPort(own.url(), way.port),
  };
  await app.ask(REGISTER, { input });
  const there = await createOrganization(app, "Cut off");
  const { id } = await grant(app, there, "closing");
  await way[Symbol.asyncDispose]();
  await createResource(app, { name: "Waiting", organizationId: there });
  const failure = () =>
    sql(
      databaseUrl,
      `select l.failure from tenantry.links l join tenantry.placements p using (database_id)
       where p.id = $1 and direction = 'catalog'`,
      [id],
    );
  const said = "Home's server cannot connect to the region's by replicationUrl: nothing listens there.";
  expect(await eventually(async () => (await failure())[0]?.["failure"] === said, 20_000)).toBe(true);
  await app.ask(UPDATE, { input: { key: "closing", replicationUrl: null } });
  expect(await eventually(async () => (await failure())[0]?.["failure"] === null, 20_000)).toBe(true);
});
