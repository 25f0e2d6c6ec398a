/** A server dies and its standby takes over, without the last that the server had written. */
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { majorVersionOf, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { placementNumber, routedIdSql } from "../support/routed-id.ts";
import { type OwnServer, startServer } from "../support/servers.ts";
import { type Standby, startStandby } from "../support/standby.ts";

// No sweep comes by itself but the one with which a carrier begins, so nothing is seen by luck.
const REPLICATION = {
  sweepIntervalMs: 3_600_000,
  carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 },
  limits: { maxRetainedBytes: 1024 * 1024 * 1024, maxAgeMs: 3_600_000 },
};

let home: OwnServer;
let region: OwnServer;
let app: TestApp;
let organization: string;
let author: string;
let database: string;

beforeEach(async () => {
  [home, region] = await Promise.all([startServer(), startServer()]);
  app = await startApp({ homeServer: home.url(), replication: REPLICATION });
  await registerRegion(app, "own", region.url());
  organization = await createOrganization(app, "Failing over");
  author = await createUser(app, "Author");
  await addMember(app, organization, author);
  ({ database } = await grant(app, organization, "own"));
});
afterEach(async () => {
  await app.stop();
  await Promise.all([home, region].map((server) => server[Symbol.asyncDispose]()));
});

async function work(name: string): Promise<void> {
  const resource = await createResource(app, { name, organizationId: organization });
  await comment(app, resource, author, `On ${name}`);
  await addMember(app, organization, await createUser(app, name));
}

/** Everything has been carried and no subscription is awake; the standby's own connection does not count. */
async function parked(homeUrl = app.databaseUrl, regionUrl = region.url(database)): Promise<void> {
  const at = (name?: string) => regionUrl.replace(/[^/]*$/, name ?? "postgres");
  const installation: Installation = { homeUrl, regionUrl: (_, name) => at(name) };
  await expect.poll(() => findDifferences(installation), { timeout: 15_000 }).toEqual([]);
  const awake = "select from pg_subscription where subenabled and starts_with(subname, $1)";
  for (const url of [homeUrl, regionUrl]) await expect.poll(() => sql(url, awake, [`${database}_`])).toEqual([]);
}

async function agreement(installation: Installation): Promise<void> {
  const look = () => findDifferences(installation).catch((error: unknown) => [String(error)]);
  await expect.poll(look, { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => findUnrest(installation), { timeout: 20_000 }).toEqual([]);
}

const names = async (url: string, table: string) =>
  (await sql<{ name: string }>(url, `select name from ${table} order by name`)).map(({ name }) => name);

/** The end of a server's WAL moves beyond this position, by no change that anybody replicates. */
async function writeBeyond(url: string, position: string): Promise<void> {
  const passed = "select pg_current_wal_flush_lsn() > $1::pg_lsn as so";
  while ((await sql<{ so: boolean }>(url, passed, [position]))[0]?.so !== true) {
    await sql(url, "select pg_logical_emit_message(false, 'test', 'x')");
    await sql(url, "select pg_switch_wal()");
  }
}

const endOf = async (url: string) =>
  (await sql<{ lsn: string }>(url, "select pg_current_wal_insert_lsn()::text as lsn"))[0]?.lsn ?? "";

const move = (standby: Standby) =>
  app.ask("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", {
    input: { key: "own", connectionUrl: standby.url() },
  });

/** The last of "Kept" is on the standby, "Lost" on the primary alone. */
async function workOn(primary: OwnServer): Promise<Standby> {
  await work("Kept");
  await parked();
  const standby = await startStandby(primary);
  await standby.catchUp();
  await standby.cutOff();
  await work("Lost");
  await parked();
  return standby;
}

test("a region's standby takes over: the catalog loses what it has lost, and it learns the members it missed", async () => {
  await using standby = await workOn(region);
  const end = await endOf(region.url("postgres"));
  await standby.takeOver();
  // Positions prove nothing any more: the new primary is beyond everything that anybody has seen of the old one.
  await writeBeyond(standby.url("postgres"), end);
  // As where Tenantry's role may not read origins.
  await sql(app.databaseUrl, "update tenantry.links set origin_lsn = null");
  await move(standby);
  const tenant = standby.url(database);
  await agreement({ homeUrl: app.databaseUrl, regionUrl: (_, name) => standby.url(name) });
  expect(await names(tenant, "app.resources")).toEqual(["Kept"]);
  expect(await names(app.databaseUrl, "catalog.resources")).toEqual(["Kept"]);
  expect(await names(tenant, "tenantry.directory_members")).toEqual(["Author", "Kept", "Lost"]);
  expect(await sql(tenant, "select body from app.comments")).toEqual([{ body: "On Kept" }]);
  await work("After");
  await parked(app.databaseUrl, tenant);
  expect(await names(app.databaseUrl, "catalog.resources")).toEqual(["After", "Kept"]);
});

test("home's standby takes over: the regions lose the members it has lost, and it learns the resources it missed", async () => {
  await using standby = await workOn(home);
  const end = await endOf(home.url("postgres"));
  await app.stop();
  await standby.takeOver();
  await writeBeyond(standby.url("postgres"), end);
  const databaseUrl = standby.url(new URL(app.databaseUrl).pathname.slice(1));
  app = await startApp({ databaseUrl, secretKey: app.secretKey, replication: REPLICATION });
  const tenant = region.url(database);
  await agreement({ homeUrl: databaseUrl, regionUrl: (_, name) => region.url(name) });
  expect(await names(databaseUrl, "catalog.resources")).toEqual(["Kept", "Lost"]);
  expect(await names(tenant, "tenantry.directory_members")).toEqual(["Author", "Kept"]);
  expect(await sql(tenant, "select body from app.comments order by body")).toHaveLength(2);
  await work("After");
  await parked(databaseUrl, tenant);
});

/** Asks the server itself: the gateway passes no command about slots on, so the subscription cannot. */
async function keepOnStandby(url: string, slot: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, replication: "database" } as pg.ClientConfig);
  await client.connect();
  try {
    await client.query(`ALTER_REPLICATION_SLOT ${slot} (FAILOVER true)`);
  } finally {
    await client.end();
  }
}

test("a standby that kept its slots takes over: they are not believed", async ({ skip }) => {
  if ((await majorVersionOf(home.url("postgres"))) < 17) skip("failover slots came with 17");
  await using standby = await startStandby(region);
  await work("Kept");
  // A slot is kept on the standby once that has all the WAL which the slot needs: one that was made since needs little.
  await parked();
  await sql(region.url(database), "select pg_drop_replication_slot($1)", [`${database}_catalog`]);
  await app.sweep();
  await createResource(app, { name: "Mended", organizationId: organization });
  await parked();
  await keepOnStandby(region.url(database), `${database}_catalog`);
  await expect
    .poll(
      async () => {
        // It moves on when it has read what runs on the server, and once more has been confirmed.
        for (let times = 0; times < 3; times += 1) {
          await sql(region.url(database), "select pg_log_standby_snapshot()");
          await app.services.nudges.carry([{ databaseId: 1, direction: "catalog" }], 5_000);
        }
        await parked();
        await standby.catchUp();
        await sql(standby.url("postgres"), "select pg_sync_replication_slots()");
        return sql(
          standby.url("postgres"),
          "select slot_name from pg_replication_slots where synced and not temporary",
        );
      },
      { timeout: 20_000 },
    )
    .toEqual([{ slot_name: `${database}_catalog` }]);
  await standby.cutOff();
  await work("Lost");
  await parked();
  const end = await endOf(region.url("postgres"));
  await standby.takeOver();
  // What is written now lies before the position up to which home has confirmed: its slot would never send it.
  const insert = `insert into app.resources (database_id, id, organization_id, name)
    select database_id, ${routedIdSql(await placementNumber(app.databaseUrl, organization, database))}, $1, 'Written below'
    from tenantry.identity`;
  await sql(standby.url(database), insert, [organization]);
  await writeBeyond(standby.url("postgres"), end);
  await sql(app.databaseUrl, "update tenantry.links set origin_lsn = null");
  await move(standby);
  await agreement({ homeUrl: app.databaseUrl, regionUrl: (_, name) => standby.url(name) });
  expect(await names(app.databaseUrl, "catalog.resources")).toContain("Written below");
  expect(await names(app.databaseUrl, "catalog.resources")).not.toContain("Lost");
});

test("home's standby takes over at its address under a running program: it goes on, and no number is given twice", async () => {
  await using standby = await workOn(home);
  // A tenant database that home will not know of.
  const forgotten = await grant(app, await createOrganization(app, "Forgotten"), "own");
  await standby.takeOver({ samePort: true });
  const installation: Installation = { homeUrl: app.databaseUrl, regionUrl: (_, name) => region.url(name) };
  await expect.poll(() => findDifferences(installation).catch(String), { timeout: 20_000 }).toEqual([]);
  const tenant = region.url(database);
  await parked(app.databaseUrl, tenant);
  expect(await names(app.databaseUrl, "catalog.resources")).toEqual(["Kept", "Lost"]);
  expect(await names(tenant, "tenantry.directory_members")).toEqual(["Author", "Kept"]);
  // A grant that comes before home's new history was noticed is refused by the database that it finds.
  const noticed = "select from tenantry.installation where home_history like '%/00000002/%'";
  await expect.poll(() => sql(app.databaseUrl, noticed), { timeout: 10_000 }).toHaveLength(1);
  const granted = await grant(app, await createOrganization(app, "Another"), "own");
  expect(granted.state).toBe("ACTIVE");
  expect(granted.database).not.toBe(forgotten.database);
  await work("After");
  await parked(app.databaseUrl, tenant);
});
