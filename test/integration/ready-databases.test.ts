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

let home: OwnServer;
let region: OwnServer;
let app: TestApp;
let installation: Installation;

beforeAll(async () => {
  // Servers of its own: what is at rest on them is looked at.
  [home, region] = await Promise.all([startServer(), startServer()]);
  app = await startApp({ homeServer: home.url(), readyDatabases: 2, replication: REPLICATION });
  await registerRegion(app, "own", region.url());
  installation = { homeUrl: app.databaseUrl, regionUrl: (_, database) => region.url(database) };
}, 60_000);
afterAll(async () => {
  await app.stop();
  await region[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
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

test("a ready database belongs to nobody: it holds no row, and whoever the API stands for reads none", async () => {
  const [one] = await refilled();
  const name = one?.name ?? "";
  for (const table of [
    "app.resources",
    "app.comments",
    "tenantry.directory_organizations",
    "tenantry.directory_members",
  ])
    expect(await sql(region.url(name), `select from ${table}`), table).toEqual([]);
  const [rights] = await sql<{ connects: boolean; everybody: boolean }>(
    region.url("postgres"),
    `select has_database_privilege((select rolname from pg_roles where rolname like 'tenantry%api'), $1, 'connect') as connects,
       exists (select from pg_database, aclexplode(datacl) a where datname = $1 and a.grantee = 0) as everybody`,
    [name],
  );
  expect(rights).toEqual({ connects: true, everybody: false });
  // A row that comes there all the same is nobody's to read.
  const api = `tenantry_${app.services.installation}_api`;
  await sql(
    region.url(name),
    `do $$ begin
       insert into tenantry.directory_organizations (database_id, organization_id, name, created_at) values (${one?.id}, gen_random_uuid(), 'Stray', now());
       insert into app.resources (id, organization_id, name) select gen_random_uuid(), organization_id, 'Stray' from tenantry.directory_organizations;
     end $$`,
  );
  const asApi = `${region.url(name)}?options=-c%20role%3D${api}`;
  expect(await sql(asApi, "select current_user::text as role")).toEqual([{ role: api }]);
  expect(await sql(asApi, "select name from app.resources")).toEqual([]);
  await sql(region.url(name), "delete from app.resources");
  await sql(region.url(name), "delete from tenantry.directory_organizations");
  // Whoever asks what there is, is told of placements.
  const { placements } = await app.ask("{ placements(first: 100) { edges { node { database } } } }");
  expect(placements.edges.map(({ node }: { node: { database: string } }) => node.database)).not.toContain(name);
});

test("how many there are is on a metric and in the overview", async () => {
  await refilled();
  const { regions } = await readOverview(app.services, OPERATOR);
  expect(regions).toMatchObject([{ region: { key: "own" }, readyDatabases: 2 }]);
  const text = await (await fetch(`${app.url}/metrics`)).text();
  expect(text).toContain('tenantry_ready_databases{region="own"} 2');
});

test("grants that come at once take a database each, and who finds none gets one that is made", async () => {
  const before = await refilled();
  const ids = await Promise.all(["One", "Two", "Three"].map((name) => createOrganization(app, name)));
  const granted = await Promise.all(ids.map((id) => grant(app, id, "own")));
  expect(granted.map(({ state }) => state)).toEqual(["ACTIVE", "ACTIVE", "ACTIVE"]);
  const names = granted.map(({ database }) => database);
  expect(new Set(names).size).toBe(3);
  expect(names).toEqual(expect.arrayContaining(before.map(({ name }) => name)));
  await refilled();
  await expect.poll(() => findDifferences(installation), { timeout: 20_000 }).toEqual([]);
}, 60_000);

test("one of an older version, or that somebody has changed or dropped, makes way for another", async () => {
  const [older, changed] = await refilled();
  await sql(app.databaseUrl, "update tenantry.tenant_databases set app_version = app_version - 1 where id = $1", [
    older?.id,
  ]);
  await sql(region.url(changed?.name), "create table app.notes (id uuid primary key)");
  const [third, fourth] = await refilled(2, { compare: true });
  expect([third?.id, fourth?.id]).not.toEqual(expect.arrayContaining([older?.id]));
  expect([third?.id, fourth?.id]).not.toEqual(expect.arrayContaining([changed?.id]));
  await dropByHand(third?.name ?? "");
  const [fifth, sixth] = await refilled(2, { compare: true });
  expect([fifth?.id, sixth?.id]).toEqual([fourth?.id, expect.any(Number)]);
  expect(sixth?.id).not.toBe(third?.id);
  expect(await findOrphans(app.services)).toEqual([]);
  const there = await sql<{ name: string }>(region.url("postgres"), "select datname as name from pg_database");
  for (const gone of [older, changed, third]) expect(there).not.toContainEqual({ name: gone?.name });
}, 60_000);

/** As somebody does who takes it for a rest. */
async function dropByHand(name: string): Promise<void> {
  await sql(region.url(name), `alter subscription ${name}_directory disable`);
  await sql(region.url(name), `alter subscription ${name}_directory set (slot_name = none)`);
  await sql(region.url(name), `drop subscription ${name}_directory`);
  await sql(region.url("postgres"), `drop database ${name} with (force)`);
}

test("one that home has forgotten giving away is not given to anybody else, and stays as it is", async () => {
  const [first] = await refilled();
  const organization = await createOrganization(app, "Forgotten");
  const granted = await grant(app, organization, "own");
  expect(granted.database).toBe(first?.name);
  await createResource(app, { name: "Kept", organizationId: organization });
  await refilled();
  // As in a home that is restored to a moment before the grant.
  const forget = async (state: string) => {
    await sql(app.databaseUrl, "delete from tenantry.placements where id = $1", [granted.id]);
    await sql(app.databaseUrl, "update tenantry.tenant_databases set ready_state = $2 where id = $1", [
      first?.id,
      state,
    ]);
  };
  await forget("READY");
  // Also where it was not noticed yet.
  const early = await grant(app, await createOrganization(app, "Early"), "own");
  expect(early).toMatchObject({ state: "FAILED", database: first?.name });
  expect(early.failure).toContain("is another organization's, whom home has forgotten");
  await sql(app.databaseUrl, "delete from tenantry.placements where id = $1", [early.id]);
  await forget("READY");
  await skipNumbers(app.services.home);
  await refilled();
  expect((await databases()).map(({ id }) => id)).not.toContain(first?.id);
  expect(await sql(region.url(first?.name), "select name from app.resources")).toEqual([{ name: "Kept" }]);
  // The operator hears of it, with what it holds.
  expect(await findOrphans(app.services)).toMatchObject(
    expect.arrayContaining([expect.objectContaining({ kind: "database", name: first?.name, rows: 1 })]),
  );
}, 60_000);

test("with a smaller number those that are too many go, and nothing of them stays on a server", async () => {
  const before = await findOrphans(app.services);
  await refilled();
  app.services.readyDatabases = 1;
  const [left] = await refilled(1);
  app.services.readyDatabases = 0;
  await refilled(0);
  app.services.readyDatabases = 2;
  expect(await databases()).not.toContainEqual(expect.objectContaining({ id: left?.id }));
  expect(await findOrphans(app.services)).toEqual(before);
}, 60_000);

test("none is made where the servers would have too little room for grants", async () => {
  await using small = await startServer({ settings: { max_replication_slots: "9", max_wal_senders: "9" } });
  await registerRegion(app, "small", small.url());
  await requestReadyDatabases(app.services.home, await regionIdOf("small"));
  const jobs = `select state, last_error from tenantry.jobs j join tenantry.regions r on r.id = j.region_id
     where r.key = 'small' and kind = 'keep-ready-databases'`;
  const allDone = async () =>
    (await sql(app.databaseUrl, jobs)).every(({ state, last_error: error }) => state === "DONE" && error === null);
  await expect.poll(allDone, { timeout: 20_000 }).toBe(true);
  const made = await readyOnes("small");
  // Of 9 slots 2 are kept free: 7 are enough for one more than the 3 that one and as many grants take.
  app.services.readyDatabases = 100;
  await requestReadyDatabases(app.services.home, await regionIdOf("small"));
  await expect.poll(allDone, { timeout: 20_000 }).toBe(true);
  app.services.readyDatabases = 2;
  expect(await readyOnes("small")).toEqual(made);
  expect((await grant(app, await createOrganization(app, "Small"), "small")).state).toBe("ACTIVE");
  await sql(app.databaseUrl, "update tenantry.regions set retired_at = now() where key = 'small'");
}, 60_000);

test.each([false, true])(
  "a region that is retired takes them along; its server abandoned: %s",
  async (abandonServer) => {
    const key = abandonServer ? "abandoned" : "leaving";
    await using leaving = await startServer();
    await registerRegion(app, key, leaving.url());
    await requestReadyDatabases(app.services.home, await regionIdOf(key));
    await expect
      .poll(async () => (await readyOnes(key)).map(({ state }) => state), { timeout: 20_000 })
      .toEqual(["READY", "READY"]);
    const names = (await readyOnes(key)).map(({ name }) => name);
    if (abandonServer) await leaving.server.kill();
    await app.ask("mutation ($input: RetireRegionInput!) { retireRegion(input: $input) { key } }", {
      input: { key, abandonServer },
    });
    await expect
      .poll(() => sql(app.databaseUrl, "select from tenantry.regions where key = $1", [key]), { timeout: 30_000 })
      .toEqual([]);
    const atHome = await sql<{ name: string }>(
      app.databaseUrl,
      "select slot_name as name from pg_replication_slots union all select subname from pg_subscription union all select pubname from pg_publication",
    );
    expect(atHome.filter(({ name }) => names.some((one) => name.startsWith(`${one}_`)))).toEqual([]);
    if (abandonServer) await leaving.server.start();
    const there = await sql(
      leaving.url("postgres"),
      "select from pg_database where datname ~ '^tenantry_[0-9a-f]+_[0-9]+$'",
    );
    expect(there).toHaveLength(abandonServer ? 2 : 0);
  },
  60_000,
);
