/** A carrier by itself: what it does to a link when things happen at once. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../../src/kernel/wait.ts";
import { parseDatabaseUrl } from "../../src/postgres/connection-url.ts";
import { Pools } from "../../src/postgres/pools.ts";
import { DAMAGE } from "../../src/replication/damage.ts";
import { Carrier } from "../../src/replication/carrier.ts";
import { type Link, linksOf } from "../../src/replication/link.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { routedIdSql } from "../support/routed-id.ts";
import { createOrganization, eventually, grant, registerRegion } from "../support/journey.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let server: OwnServer;
let app: TestApp;
let pools: Pools;
let link: Link;
let organization: string;
let installation: Installation;

beforeAll(async () => {
  server = await startServer();
  app = await startApp({ homeServer: server.url() });
  await registerRegion(app, "own", server.url());
  organization = await createOrganization(app, "Carried");
  const { database } = await grant(app, organization, "own");
  installation = { homeUrl: app.databaseUrl, regionUrl: (_, name) => server.url(name) };
  await eventually(async () => (await findUnrest(installation)).length === 0);
  // From here on nobody carries but the test.
  await app.stop();
  pools = new Pools(() => undefined);
  const { address, database: home } = parseDatabaseUrl(app.databaseUrl, "home");
  const reachedAt = { address, setting: "DATABASE_URL" } as const;
  link = linksOf(
    database.split("_")[1] ?? "",
    1,
    { database: pools.open("home", address, home), reachedAt, name: home },
    { database: pools.open("tenant", address, database), reachedAt, name: database },
  ).catalog;
});
afterAll(async () => {
  await pools.close();
  await server[Symbol.asyncDispose]();
});

const id = { databaseId: 1, direction: "catalog" } as const;

function newCarrier(
  options: ConstructorParameters<typeof Carrier>[1],
  startsSlowly: boolean,
  report: (message: string) => void = () => undefined,
): Carrier {
  const { name, reachedAt } = link.subscriber;
  const { address } = reachedAt;
  return new Carrier(
    {
      home: pools.open("home", address, name),
      region: pools.open("server", address, "postgres"),
      openLink: async () => link,
      reopenLink: async () => link,
      capacity: { directory: 1, catalog: 1 },
      startsSlowly: { directory: startsSlowly, catalog: startsSlowly },
      timelines: { home: "00000001", region: "00000001" },
      onFork: () => undefined,
      report,
    },
    options,
  );
}

test("a link that breaks again while it is mended is not mended twice at the same time", async () => {
  const reports: string[] = [];
  const carrier = newCarrier({ idleMs: 50, retryMs: 20 }, false, (message) => reports.push(message));
  carrier.start();
  // Whoever makes a slot waits for every transaction that has written.
  const writer = new pg.Client({ connectionString: server.url(link.publisher.name) });
  writer.on("error", () => undefined);
  await writer.connect();
  await writer.query("begin");
  await writer.query(
    `insert into tenantry.resources (database_id, id, organization_id, name) values (1, ${routedIdSql(1)}, '${organization}', 'Late')`,
  );
  await sql(server.url("postgres"), "select pg_drop_replication_slot($1)", [link.name]);
  await carrier.nudge(id, { broken: DAMAGE.slotGone });
  const making = () =>
    sql<{ pid: number }>(
      server.url("postgres"),
      "select pid from pg_stat_activity where query like '%tenantry: slot.create%' and wait_event_type = 'Lock'",
    );
  await eventually(async () => (await making()).length === 1);
  const [first] = await making();
  await carrier.nudge(id, { broken: DAMAGE.slotGone });
  // Between two transactions that it waits for, the first does not wait for a moment: only another one counts.
  const disturbed = async () => ((await making()).some(({ pid }) => pid !== first?.pid) ? true : undefined);
  expect(await waitFor(disturbed, { timeoutMs: 1_000 }), reports.join("\n")).toBeUndefined();
  await writer.query("commit");
  await writer.end();
  // A mended link is at rest for a moment before it is woken: what has arrived is known when the carrier let go of it.
  await eventually(async () => !carrier.isBusy(id));
  await expect.poll(() => findUnrest(installation)).toEqual([]);
  expect(await findDifferences(installation)).toEqual([]);
  await carrier.stop();
});

test("where workers start slowly, the launcher is asked again until there is one, and the link is kept awake", async () => {
  const subscriber = server.url(link.subscriber.name);
  const enables = () => readFileSync(`${server.dataFolder}.log`, "utf8").split("subscription.enable").length - 1;
  const configure = async (value: string) => {
    await sql(subscriber, `alter system set log_statement = ${value}`);
    await sql(subscriber, "select pg_reload_conf()");
    await eventually(
      async () =>
        (await sql<{ v: string }>(subscriber, "select current_setting('log_statement') as v"))[0]?.v === value,
    );
  };
  await configure("ddl");
  const [{ connection } = { connection: "" }] = await sql<{ connection: string }>(
    subscriber,
    "select subconninfo as connection from pg_subscription where subname = $1",
    [link.name],
  );
  const connect = (to: string) =>
    sql(subscriber, `alter subscription ${link.name} connection '${to.replaceAll("'", "''")}'`);
  // Nobody listens there, so that there is no worker, as while the launcher waits.
  await connect(connection.replace(/port='\d+'/, "port='1'"));
  const carrier = newCarrier({ idleMs: 50, stallMs: 60_000, askAgainMs: 20, slowIdleMs: 60_000 }, true);
  carrier.start();
  await carrier.nudge(id);
  await eventually(async () => enables() > 3);
  expect(enables()).toBeGreaterThan(3);
  await connect(connection);
  const atEnd = () =>
    sql(
      server.url("postgres"),
      "select from pg_replication_slots where slot_name = $1 and active and confirmed_flush_lsn >= pg_current_wal_flush_lsn()",
      [link.name],
    );
  expect(await eventually(async () => (await atEnd()).length === 1)).toBe(true);
  expect(await waitFor(async () => (carrier.isBusy(id) ? undefined : true), { timeoutMs: 500 })).toBeUndefined();
  await carrier.stop();
  await configure("none");
  await expect.poll(() => findUnrest(installation)).toEqual([]);
});
