/** Databases that are made ahead of grants: what a grant finds in one, who may see it, and when it goes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { skipNumbers } from "../../src/engine/home/notice-home-history.ts";
import { requestReadyDatabases } from "../../src/engine/placements/ready-databases.ts";
import { readOverview } from "../../src/engine/doctor/overview.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
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
import { type OwnServer, startServer } from "../support/servers.ts";

const REPLICATION = { sweepIntervalMs: 500, carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 } };

type Row = { id: number; name: string; state: string | null };

let region: OwnServer;
let app: TestApp;
let installation: Installation;

beforeAll(async () => {
  region = await startServer();
  app = await startApp({ readyDatabases: 2, replication: REPLICATION });
  await registerRegion(app, "own", region.url());
  installation = { homeUrl: app.databaseUrl, regionUrl: (_, database) => region.url(database) };
}, 60_000);
afterAll(async () => {
  await app.stop();
  await region[Symbol.asyncDispose]();
});

const regionIdOf = async (key = "own") =>
  (await sql<{ id: string }>(app.databaseUrl, "select id from tenantry.regions where key = $1", [key]))[0]?.id ?? "";
const databases = (key = "own") =>
  sql<Row>(
    app.databaseUrl,
    `select d.id, d.name, ready_state as state from tenantry.tenant_databases d
     join tenantry.regions r on r.id = d.region_id and r.key = $1 order by d.id`,
    [key],
  );
const readyOnes = async (key = "own") => (await databases(key)).filter(({ state }) => state !== null);
/** Asks and waits until there are so many, all of them READY. */
async function refilled(count = 2, input: { compare?: boolean } = {}): Promise<Row[]> {
  await requestReadyDatabases(app.services.home, await regionIdOf(), input);
  await expect
    .poll(async () => (await readyOnes()).map(({ state }) => state), { timeout: 30_000 })
    .toEqual(Array.from({ length: count }, () => "READY"));
  await expect
    .poll(() => sql(app.databaseUrl, "select from tenantry.jobs where state in ('WAITING', 'RUNNING')"), {
      timeout: 30_000,
    })
    .toEqual([]);
  return readyOnes();
}

/** What is on the servers of a tenant database, with its number left out. */
async function partsOf({ id, name }: Row): Promise<unknown> {
  const without = (rows: object[]) =>
    JSON.parse(JSON.stringify(rows).replaceAll(name, "DATABASE").replaceAll(`= ${id})`, "= ID)")) as unknown;
  const server = await sql(
    region.url("postgres"),
    `select replace(shobj_description(d.oid, 'pg_database'), 'database ' || $2 || ',', 'database ID,') as remark,
       d.datacl::text as acl, datconnlimit, datallowconn, pg_get_userbyid(datdba) as owner,
       array(select setconfig::text from pg_db_role_setting s where s.setdatabase = d.oid) as settings,
       array(select slot_name || ' ' || plugin || ' ' || active from pg_replication_slots s where s.database = datname) as slots,
       array(select subname || ' ' || subenabled || ' ' || pg_get_userbyid(subowner) || ' ' || subpublications::text
             from pg_subscription s where s.subdbid = d.oid) as subscriptions
     from pg_database d where datname = $1`,
    [name, String(id)],
  );
  const atHome = await sql(
    app.databaseUrl,
    `select array(select p.pubname || ' ' || t.tablename || ' ' || t.attnames::text || ' ' || t.rowfilter
              from pg_publication p join pg_publication_tables t using (pubname)
              where starts_with(p.pubname, $1 || '_') order by t.tablename) as published,
       array(select slot_name || ' ' || plugin || ' ' || active from pg_replication_slots where starts_with(slot_name, $1 || '_')) as slots,
       array(select subname || ' ' || subenabled || ' ' || pg_get_userbyid(subowner) from pg_subscription
             where starts_with(subname, $1 || '_')) as subscriptions,
       (select json_agg(json_build_object('isolation', isolation, 'engine', engine_version, 'app', app_version,
          'made', made_at is not null, 'closing', closing_at, 'generation', credential_generation))
        from tenantry.tenant_databases where name = $1) as record`,
    [name],
  );
  const inside = await sql(
    region.url(name),
    `select (select json_agg(json_build_object('installation', installation_id)) from tenantry.identity) as identity,
       array(select pubname || ' ' || tablename || ' ' || attnames::text || ' ' || coalesce(rowfilter, '') from pg_publication_tables
             order by 1) as published,
       array(select nspname || ' ' || coalesce(nspacl::text, '') from pg_namespace order by 1) as schemas`,
  );
  return without([...server, ...atHome, ...inside]);
}

test("a grant finds a database that was made ahead, which is in all respects as one that is made from nothing", async () => {
  const [first, second] = await refilled();
  // None is left for the next one, and nobody makes any.
  await sql(
    app.databaseUrl,
    "update tenantry.tenant_databases set ready_state = 'LEAVING' where ready_state is not null",
  );
  const fromNothing = await grant(app, await createOrganization(app, "From nothing"), "own");
  await sql(
    app.databaseUrl,
    "update tenantry.tenant_databases set ready_state = 'READY' where ready_state = 'LEAVING'",
  );
  expect(fromNothing.state).toBe("ACTIVE");
  const jobs = "select step from tenantry.jobs";
  expect(await sql(app.databaseUrl, `${jobs} where kind = 'provision-placement'`)).toHaveLength(1);
  const organization = await createOrganization(app, "Ahead");
  const author = await createUser(app);
  await addMember(app, organization, author);
  const granted = await grant(app, organization, "own");
  expect(granted).toMatchObject({ state: "ACTIVE", database: first?.name });
  const steps = await sql<{ name: string }>(
    app.databaseUrl,
    `select s.name from tenantry.job_steps s join tenantry.jobs j on j.id = s.job_id
     where j.kind = 'provision-placement' and j.placement_id = $1 order by s.started_at, s.name`,
    [granted.id],
  );
  expect(steps.map(({ name }) => name)).toEqual(
    expect.not.arrayContaining(["make-template", "create-database", "protect"]),
  );
  const resource = await createResource(app, { name: "First", organizationId: organization }, author);
  await comment(app, resource, author);
  // Another one takes its place.
  const now = await refilled();
  expect(now[0]?.name).toBe(second?.name);
  expect(new Set((await databases()).map(({ id }) => id)).size).toBe((await databases()).length);
  await expect.poll(() => findDifferences(installation), { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => findUnrest(installation), { timeout: 20_000 }).toEqual([]);
  const all = await databases();
  const rowOf = (name: string) => all.find((one) => one.name === name) as Row;
  const expected = await partsOf(rowOf(fromNothing.database));
  expect(await partsOf(rowOf(granted.database))).toEqual(expected);
  expect(await partsOf(rowOf(now[0]?.name ?? ""))).toEqual(expected);
  expect(await findOrphans(app.services)).toEqual([]);
  expect(await findDrift(app.services)).toEqual([]);
}, 90_000);
