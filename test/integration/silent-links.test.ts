/** Paths that swallow what is sent, without a word to either side: between the program and a region, or home. */
import { afterEach, describe, expect, test } from "vitest";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import type { GivenSettings } from "../support/settings.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { LOCK_CLASS } from "../../src/base/postgres/session-lock.ts";
import type { Direction } from "../../src/engine/replication/names.ts";
import type { LinkId } from "../../src/engine/replication/nudge.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { createOrganization, eventually, grant, registerRegion } from "../support/journey.ts";

/** What takes seconds takes less here. Nothing is found by a sweep. */
const QUICK: GivenSettings = {
  replication: {
    sweepIntervalMs: 600_000,
    stopWaitMs: 300,
    carrier: { statementMs: 1_000 },
    held: { beatMs: 100, heldMs: 1_000, endsAfterMs: 2_000 },
  },
};
const CARRIED_MS = 25_000;
const TEST_MS = 90_000;

let stack = new AsyncDisposableStack();
afterEach(async () => {
  const done = stack;
  stack = new AsyncDisposableStack();
  await done.disposeAsync();
});

type Placed = { organization: string; region: string; database: string; databaseId: number; via: Forwarder };
type Both = { app: TestApp; eu: Placed; us: Placed };

/** One organization with a database in each of two regions, which are reached by way of forwarders. */
async function begin(settings: GivenSettings = QUICK): Promise<Both> {
  const app = await startApp(settings);
  stack.defer(() => app.stop());
  const organization = await createOrganization(app, "Silent");
  const place = async (region: "eu" | "us"): Promise<Placed> => {
    const via = stack.use(await startForwarder(serverUrl(region)));
    await registerRegion(app, region, viaPort(serverUrl(region), via.port));
    const { database } = await grant(app, organization, region);
    const [row] = await sql<{ id: number }>(
      app.databaseUrl,
      "select id from tenantry.tenant_databases where name = $1",
      [database],
    );
    return { organization, region, database, databaseId: row?.id ?? 0, via };
  };
  return { app, eu: await place("eu"), us: await place("us") };
}

/** The links that are not carried in time. */
function late({ services }: TestApp, { databaseId }: Placed, timeoutMs = CARRIED_MS): Promise<LinkId[]> {
  return services.nudges.carry(
    [
      { databaseId, direction: "directory" },
      { databaseId, direction: "catalog" },
    ],
    timeoutMs,
  );
}

async function endSessionWithRegions(app: TestApp): Promise<number> {
  const rows = await sql(
    app.databaseUrl,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database()
       and pid in (select pid from pg_locks where locktype = 'advisory' and classid = $1 and granted)`,
    [LOCK_CLASS.region],
  );
  return rows.length;
}

test("a region that is a black hole keeps no other from being carried when the session that holds the regions ends", {
  timeout: TEST_MS,
}, async () => {
  const { app, eu, us } = await begin();
  expect(await late(app, us)).toEqual([]);
  const hole = eu.via.swallow();
  // Its carrier waits for a statement there.
  expect(await late(app, eu, 200)).toHaveLength(2);
  expect(await endSessionWithRegions(app)).toBe(1);
  expect(await late(app, us)).toEqual([]);
  hole[Symbol.dispose]();
  await eventually(async () => (await late(app, eu)).length === 0, 30_000);
  expect(await late(app, eu)).toEqual([]);
});

test("a region is carried on its new address while the old one is a black hole", { timeout: TEST_MS }, async () => {
  const { app, eu } = await begin();
  using _ = eu.via.swallow();
  expect(await late(app, eu, 200)).toHaveLength(2);
  await app.ask("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", {
    input: { key: "eu", connectionUrl: serverUrl("eu") },
  });
  expect(await late(app, eu)).toEqual([]);
});

test("what is announced while a region's carrier is replaced is carried by the next one", {
  timeout: TEST_MS,
}, async () => {
  const { app, us } = await begin();
  for (let round = 0; round < 8; round += 1) {
    await app.ask("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", {
      input: { key: "us", name: `Region ${round}` },
    });
    expect(await late(app, us), `round ${round}`).toEqual([]);
  }
});

/** As {@link begin}, with one region; its server and home's each reach the gateway by way of a forwarder. */
async function beginWithPaths(
  settings: GivenSettings = QUICK,
): Promise<{ app: TestApp; eu: Placed; paths: Record<Direction, Forwarder> }> {
  const app = await startApp(settings);
  stack.defer(() => app.stop());
  const gateway = `postgres://gateway@127.0.0.1:${app.gatewayPort}`;
  const paths = { directory: await startForwarder(gateway), catalog: await startForwarder(gateway) };
  for (const path of Object.values(paths)) stack.use(path);
  const at = ({ port }: Forwarder) => ({ host: "127.0.0.1", port, parameters: new Map<string, string>() });
  await app.services.border.setAddresses({ regions: at(paths.directory), home: at(paths.catalog) });
  const organization = await createOrganization(app, "Silent");
  const via = stack.use(await startForwarder(serverUrl("eu")));
  await registerRegion(app, "eu", viaPort(serverUrl("eu"), via.port));
  const { database } = await grant(app, organization, "eu");
  const [row] = await sql<{ id: number }>(app.databaseUrl, "select id from tenantry.tenant_databases");
  return { app, eu: { organization, region: "eu", database, databaseId: row?.id ?? 0, via }, paths };
}

/** Something to carry, whichever server publishes. */
async function write(app: TestApp, { database }: Placed): Promise<void> {
  for (const url of [app.databaseUrl, `${serverUrl("eu")}/${database}`])
    await sql(url, "select pg_logical_emit_message(true, 'test', 'to be carried')");
}

/** The subscription of a link, which a reseed makes anew. */
async function subscriptionOf(app: TestApp, { databaseId, database }: Placed, direction: Direction) {
  const url = direction === "directory" ? `${serverUrl("eu")}/${database}` : app.databaseUrl;
  const [row] = await sql<{ oid: number; isAwake: boolean }>(
    url,
    `select s.oid::int as oid, s.subenabled as "isAwake" from pg_subscription s join pg_database d on d.oid = s.subdbid
     where d.datname = current_database() and s.subname ~ $1`,
    [`_${databaseId}_${direction}$`],
  );
  return row;
}

describe.each(["directory", "catalog"] as const)(
  "a stream of the %s whose connection the way has forgotten",
  (direction) => {
    const settings = (idleMs: number): GivenSettings => ({
      replication: {
        ...QUICK.replication,
        carrier: { ...QUICK.replication?.carrier, stallMs: 2_000, idleMs, slowIdleMs: idleMs },
      },
      gateway: { host: "127.0.0.1", port: 0, limits: { silentMs: 3_000 } },
    });

    test.each(["at rest", "in the middle of streaming"] as const)(
      "is connected anew while its link is awake (%s), without a seed",
      { timeout: TEST_MS },
      async (when) => {
        const { app, eu, paths } = await beginWithPaths(settings(600_000));
        await write(app, eu);
        expect(await late(app, eu)).toEqual([]);
        const before = await subscriptionOf(app, eu, direction);
        expect(before?.isAwake).toBe(true);
        const writing = new AbortController();
        const writer = (async () => {
          while (when === "in the middle of streaming" && !writing.signal.aborted) await write(app, eu);
        })();
        stack.defer(async () => {
          writing.abort();
          await writer;
        });
        expect(paths[direction].forget()).toBeGreaterThan(0);
        await write(app, eu);
        // Neither side's system notices anything here: what is sent is taken.
        expect(await late(app, eu)).toEqual([]);
        expect(await subscriptionOf(app, eu, direction)).toEqual(before);
      },
    );

    test("is replaced by the next one when its link was parked meanwhile", { timeout: TEST_MS }, async () => {
      const { app, eu, paths } = await beginWithPaths(settings(1_500));
      await write(app, eu);
      expect(await late(app, eu)).toEqual([]);
      const before = await subscriptionOf(app, eu, direction);
      expect(paths[direction].forget()).toBeGreaterThan(0);
      await eventually(async () => (await subscriptionOf(app, eu, direction))?.isAwake === false, 20_000);
      await write(app, eu);
      expect(await late(app, eu)).toEqual([]);
      expect((await subscriptionOf(app, eu, direction))?.oid).toBe(before?.oid);
    });
  },
);

describe.each(["directory", "catalog"] as const)("the way of the %s's stream to the gateway", (direction) => {
  test.each(["both", "answers"] as const)(
    "that swallows (%s) keeps no other link, and is used again when it passes",
    {
      timeout: TEST_MS,
    },
    async (how) => {
      const { app, eu, paths } = await beginWithPaths();
      expect(await late(app, eu)).toEqual([]);
      const before = paths[direction].count;
      expect(before).toBeGreaterThan(0);
      const hole = paths[direction].swallow(how);
      const only = async () => {
        await write(app, eu);
        return (await late(app, eu, 3_000)).map((link) => link.direction).join() === direction;
      };
      expect(await eventually(only, 30_000)).toBe(true);
      hole[Symbol.dispose]();
      await eventually(async () => (await late(app, eu)).length === 0, 60_000);
      expect(await late(app, eu)).toEqual([]);
    },
  );
});

test("a link whose pauses have grown is carried soon after its region's server answers again", {
  timeout: TEST_MS,
}, async () => {
  const { app, eu } = await begin({
    replication: { ...QUICK.replication, carrier: { statementMs: 500, retryMs: 2_000, maxRetryMs: 600_000 } },
  });
  const hole = eu.via.swallow();
  expect(await late(app, eu, 200)).toHaveLength(2);
  const broken = () =>
    sql(app.databaseUrl, "select from tenantry.links where database_id = $1 and failure is not null", [eu.databaseId]);
  await eventually(async () => (await broken()).length > 0, 20_000);
  // By now its pauses have grown.
  await waitFor(async () => undefined, { timeoutMs: 8_000 });
  hole[Symbol.dispose]();
  await eventually(async () => (await late(app, eu)).length === 0, 20_000);
  expect(await late(app, eu)).toEqual([]);
});

test("both ends of connections to home and to a region ask their systems to check a silent peer", async () => {
  const { app } = await begin();
  const sent = [
    ...(await app.services.home.query<{ idle: string; interval: string; count: string }>("test", KEEP_ALIVE)),
    ...(await app.services.pools
      .open("server", parseServerUrl(serverUrl("eu"), "url"), "postgres")
      .query<{ idle: string; interval: string; count: string }>("test", KEEP_ALIVE)),
  ];
  expect(sent).toEqual([
    { idle: "10", interval: "5", count: "3" },
    { idle: "10", interval: "5", count: "3" },
  ]);
});

const KEEP_ALIVE = `select current_setting('tcp_keepalives_idle') as idle,
  current_setting('tcp_keepalives_interval') as interval, current_setting('tcp_keepalives_count') as count`;

test("what a client has asked for ends on the server when it is gone without a word", {
  timeout: TEST_MS,
}, async () => {
  const pools = new Pools(() => undefined, { closeTimeoutMs: 1 });
  const server = pools.open("server", parseServerUrl(serverUrl("eu"), "url"), "postgres");
  const asked = server.query("test.long", "select pg_sleep(60)").catch(() => undefined);
  const running = () =>
    sql(`${serverUrl("eu")}/postgres`, "select from pg_stat_activity where query like '/* tenantry: test.long */%'");
  await eventually(async () => (await running()).length === 1);
  // As when its process is killed: nobody asks the server to cancel anything.
  await pools.close();
  await asked;
  expect(await eventually(async () => (await running()).length === 0, 15_000)).toBe(true);
});
