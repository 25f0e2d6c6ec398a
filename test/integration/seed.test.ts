/** Seeding: a copy becomes equal to its source, whatever the region's server makes of what it is asked. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { endMove } from "../../src/engine/home/end-move.ts";
import { switchBack, switchPlacement } from "../support/switches.ts";
import { newId, newRoutedId } from "../../src/base/kernel/ids.ts";
import { parseDatabaseUrl } from "../../src/base/postgres/connection-url.ts";
import { LOCK_CLASS } from "../../src/base/postgres/session-lock.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import type { Link } from "../../src/engine/replication/link.ts";
import { seed } from "../../src/engine/replication/seed.ts";
import { SEED_BOUNDS } from "../../src/engine/replication/seed-rows.ts";
import { sql } from "../support/app.ts";

import { begin, sendAs, sent } from "../support/moving-home.ts";
import { createGuardedHome, type GuardedHome, readCatalog } from "../support/guarded-home.ts";
import { eventually } from "../support/journey.ts";
import { looseLinks } from "../support/links.ts";
import { routedIdSql } from "../support/routed-id.ts";
import { createScratchPublisher, type ScratchPublisher } from "../support/scratch-publisher.ts";

let home: GuardedHome;
let pools: Pools;
let region: ScratchPublisher;
let links: Record<"directory" | "catalog", Link>;

beforeAll(async () => {
  home = await createGuardedHome();
  pools = new Pools(() => undefined);
});
afterAll(async () => {
  await pools.close();
  await home.app.stop();
});

beforeEach(async () => {
  region = await createScratchPublisher();
  await region.run("create schema app");
  links = looseLinks(home.installation, home.first.databaseId, {
    home: endpoint(home.url, "home"),
    tenant: endpoint(region.url, "tenant"),
  });
});
afterEach(async () => {
  await sql(home.url, "delete from catalog.resources");
  for (const { databaseId } of [home.first, home.other])
    await sql(
      home.url,
      `begin; set local tenantry.catalog_sender = '${databaseId}';
       delete from tenantry_inbox.resources where database_id = ${databaseId}; commit`,
    );
  const { address } = parseDatabaseUrl(region.url, "region");
  await pools.closeDatabase(address, region.name);
  await region[Symbol.asyncDispose]();
});

function endpoint(url: string, kind: "home" | "tenant") {
  const { address, database } = parseDatabaseUrl(url, kind);
  return pools.open(kind, address, database);
}

/** The region's table; `types` of its own where its administrator has made it anew. */
async function makeTable(types = { id: "uuid", organization: "uuid", by: "uuid", at: "timestamptz" }): Promise<void> {
  await region.run(
    `create table app.resources (database_id int, id ${types.id}, organization_id ${types.organization}, name text,
       created_by ${types.by}, created_at ${types.at}, updated_at ${types.at})`,
  );
}

async function put(name: string | null, more: Partial<Record<"id" | "organization" | "by" | "at", string>> = {}) {
  const { id = newRoutedId(home.first.number), organization = home.first.organization, by = null } = more;
  await region.run("insert into app.resources values ($1, $2, $3, $4, $5, $6, '2026-01-01 00:00:00+00')", [
    home.first.databaseId,
    id,
    organization,
    name,
    by,
    more.at ?? "2026-01-01 00:00:00.123456+00",
  ]);
  return id;
}

const catalog = () =>
  sql(
    home.url,
    `select id, organization_id, name, created_by, created_at::text, updated_at::text from catalog.resources where placement_number = $1 order by id`,
    [home.first.number],
  );
const versions = () => sql(home.url, "select xmin::text, id from tenantry_inbox.resources order by id");

test("the copy becomes equal: what is missing comes, what changed changes, what is too much goes", async () => {
  await makeTable();
  await put("Changed", { by: newId() });
  await put("Lost");
  await put("Gone");
  await seed(links.catalog);
  expect((await readCatalog(home.url)).names).toEqual(["Changed", "Gone", "Lost"]);
  await region.run("update app.resources set name = 'Changed again' where name = 'Changed'");
  await region.run("delete from app.resources where name = 'Gone'");
  await put("New");
  // At home somebody lost one, wrote another one, and changed a third.
  await sql(home.url, "delete from catalog.resources where name = 'Lost'");
  await sql(home.url, `insert into catalog.resources values ($1, $2, $3, 'Ghost')`, [
    home.first.number,
    newId(),
    home.first.organization,
  ]);
  await seed(links.catalog);
  expect((await readCatalog(home.url)).names).toEqual(["Changed again", "Lost", "New"]);
  await sql(home.url, "update catalog.resources set name = 'Defaced', created_at = now() where name = 'New'");
  await seed(links.catalog);
  expect(await catalog()).toEqual(
    await region.run(
      "select id, organization_id, name, created_by, created_at::text, updated_at::text from app.resources order by id",
    ),
  );
});

test("rows that are equal are not written again", async () => {
  await makeTable();
  for (const name of ["One", "Two", "Three"]) await put(name);
  await seed(links.catalog);
  const before = await versions();
  expect(before).toHaveLength(3);
  await seed(links.catalog);
  expect(await versions()).toEqual(before);
});

test("rows of a placement that is on its way here wait in the inbox, and are not written again either", async () => {
  const { first, other } = home;
  const move = await begin(home, other);
  const done = { withDatabase: false, signal: new AbortController().signal };
  await using ends = new AsyncDisposableStack();
  ends.defer(() => endMove(home.app.services, move.placementId, done));
  await makeTable();
  await put("First's");
  const waiting = await put("Other's", { id: newRoutedId(other.number), organization: other.organization });
  const inDatabase = "select from tenantry_inbox.resources where database_id = $1 and fault is null";
  await sendAs(home.url, other.databaseId, sent(other.databaseId, other, waiting, "As it is"));
  const listed = () => sql(home.url, "select xmin::text, name from catalog.resources order by name");
  const kept = await listed();
  await seed(links.catalog);
  expect(await sql(home.url, inDatabase, [first.databaseId])).toHaveLength(2);
  expect((await readCatalog(home.url)).names).toEqual(["As it is", "First's"]);
  expect(await listed()).toEqual(expect.arrayContaining(kept));
  const before = await versions();
  await seed(links.catalog);
  expect(await versions()).toEqual(before);
  // A seed of who it is with still takes nothing of it away, and one after the switch takes it over.
  await region.run("delete from app.resources where name = 'Other''s'");
  await seed(links.catalog);
  expect((await readCatalog(home.url)).names).toEqual(["As it is", "First's"]);
  await put("As it is there", { id: waiting, organization: other.organization });
  expect(await switchPlacement(home.app.services, move)).toBe(true);
  await seed(links.catalog);
  expect((await readCatalog(home.url)).names).toEqual(["As it is there", "First's"]);
  expect(await switchBack(home.app.services, move)).toBe(true);
});

test("batches of rows that wait are passed over by their digests", async () => {
  const { first, other } = home;
  const move = await begin(home, other);
  const done = { withDatabase: false, signal: new AbortController().signal };
  await using ends = new AsyncDisposableStack();
  ends.defer(() => endMove(home.app.services, move.placementId, done));
  await makeTable();
  await region.run(
    `insert into app.resources select $1, ${routedIdSql(other.number)}, $2, 'Row ' || i, null, now(), now()
     from generate_series(1, $3::int) i`,
    [first.databaseId, other.organization, 10 * SMALL.batchRows],
  );
  await seed(links.catalog, SMALL);
  let crossed = 0;
  const ledger = { ...links.catalog.ledger, seeded: (_: string, rows: number) => void (crossed += rows) };
  await seed({ ...links.catalog, ledger }, SMALL);
  expect(crossed).toBeLessThanOrEqual(4 * SMALL.batchRows);
  expect((await readCatalog(home.url)).names).toEqual([]);
});

test("more rows than one batch come in order, and twice is the same", async () => {
  await makeTable();
  await region.run(
    `insert into app.resources
     select $1, ${routedIdSql(home.first.number)}, $2, 'Name ' || i, null, now(), now() from generate_series(1, 12000) i`,
    [home.first.databaseId, home.first.organization],
  );
  await seed(links.catalog);
  await seed(links.catalog);
  expect(
    await sql(home.url, "select count(*)::int as n, count(distinct name)::int as names from catalog.resources"),
  ).toEqual([{ n: 12_000, names: 12_000 }]);
});

const SMALL = { ...SEED_BOUNDS, batchRows: 100 };

test("what both have is passed over without its rows, and what differs behind it is found", async () => {
  await makeTable();
  await region.run(
    `insert into app.resources
     select $1, ${routedIdSql(home.first.number)}, $2, 'Name ' || i, null, now(), now() from generate_series(1, $3::int) i`,
    [home.first.databaseId, home.first.organization, 8 * SMALL.batchRows],
  );
  await seed(links.catalog);
  let crossed = 0;
  const ledger = { ...links.catalog.ledger, seeded: (_: string, rows: number) => void (crossed += rows) };
  const again = { ...links.catalog, ledger };
  await seed(again, SMALL);
  // Two batches that are equal, the one after, and the last.
  expect(crossed).toBeLessThanOrEqual(4 * SMALL.batchRows);
  // One is changed, one is gone, one is too much: at home in the catalog alone, and in the inbox.
  const [row] = await region.run("select id::text from app.resources order by id offset $1 limit 1", [
    6 * SMALL.batchRows,
  ]);
  await region.run("update app.resources set name = 'Changed' where id = $1", [row?.["id"]]);
  const [gone] = await region.run("select id::text from app.resources order by id offset $1 limit 1", [
    7 * SMALL.batchRows + 9,
  ]);
  await region.run("delete from app.resources where id = $1", [gone?.["id"]]);
  const stray = newRoutedId(home.first.number);
  await sql(home.url, "insert into catalog.resources values ($1, $2, $3, 'Ghost')", [
    home.first.number,
    stray,
    home.first.organization,
  ]);
  await seed(again, SMALL);
  expect(await catalog()).toEqual(
    await region.run(
      "select id, organization_id, name, created_by, created_at::text, updated_at::text from app.resources order by id",
    ),
  );
});

test("a copy that has very many rows too many loses them in pieces", async () => {
  await makeTable();
  await region.run(
    `insert into app.resources
     select $1, ${routedIdSql(home.first.number)}, $2, 'Name ' || i, null, now(), now() from generate_series(1, $3::int) i`,
    [home.first.databaseId, home.first.organization, 20 * SMALL.batchRows],
  );
  await seed(links.catalog);
  await region.run("delete from app.resources where name not in ('Name 7', 'Name 1500')");
  await sql(
    home.url,
    `create table public.pieces (rows bigint);
     create function public.count_piece() returns trigger language plpgsql as $$ begin
       insert into public.pieces select count(*) from gone; return null; end $$;
     create trigger count_piece after delete on tenantry_inbox.resources referencing old table as gone
       for each statement execute function public.count_piece()`,
  );
  try {
    await seed(links.catalog, SMALL);
    const [piece] = await sql<{ most: number; all: number }>(
      home.url,
      "select max(rows)::int as most, sum(rows)::int as all from public.pieces",
    );
    expect(piece?.most).toBeLessThanOrEqual(2 * SMALL.batchRows);
    expect(piece?.all).toBe(20 * SMALL.batchRows - 2);
  } finally {
    await sql(
      home.url,
      "drop trigger count_piece on tenantry_inbox.resources; drop function public.count_piece(); drop table public.pieces",
    );
  }
  expect(await readCatalog(home.url)).toEqual({ names: ["Name 1500", "Name 7"], faults: [] });
  await region.run("delete from app.resources");
  await seed(links.catalog, SMALL);
  expect(await readCatalog(home.url)).toEqual({ names: [], faults: [] });
});

test("long values go in smaller batches, and one that is too long is refused as a row", async () => {
  await makeTable();
  await region.run(
    `insert into app.resources
     select $1, ${routedIdSql(home.first.number)}, $2, repeat('x', 50000), null, now() from generate_series(1, 300) i`,
    [home.first.databaseId, home.first.organization],
  );
  await put("x".repeat(10_000_000));
  await put("Good");
  await seed(links.catalog);
  const { names, faults } = await readCatalog(home.url);
  expect(names).toEqual(["Good"]);
  expect(faults).toHaveLength(301);
});

test("what the guard refuses in the stream it refuses here, and refused rows come in when they are mended", async () => {
  await makeTable();
  const id = await put("", {});
  await put("Elsewhere", { organization: home.other.organization });
  await put("Led elsewhere", { id: newRoutedId(home.other.number) });
  await put("Never", { at: "infinity" });
  await put("Late", { at: "294276-12-31" });
  await put("Good");
  await seed(links.catalog);
  const { names, faults } = await readCatalog(home.url);
  expect(names).toEqual(["Good"]);
  expect(faults).toHaveLength(5);
  await region.run("update app.resources set name = 'Mended' where id = $1", [id]);
  await seed(links.catalog);
  expect((await readCatalog(home.url)).names).toEqual(["Good", "Mended"]);
  expect((await readCatalog(home.url)).faults).toHaveLength(4);
});

test("a placement that is granted later lets its rows in with the next seed", async () => {
  await makeTable();
  await put("Waiting", { id: newRoutedId(15_000_000) });
  await seed(links.catalog);
  expect((await readCatalog(home.url)).names).toEqual([]);
  await sql(
    home.url,
    "insert into tenantry.adopted_numbers (number, placement_id) select 15000000, id from tenantry.placements where organization_id = $1",
    [home.first.organization],
  );
  await seed(links.catalog);
  expect(await readCatalog(home.url)).toEqual({ names: ["Waiting"], faults: [] });
});

test("values that are not of the column's type refuse the row, and never stop the seed", async () => {
  await makeTable({ id: "text", organization: "text", by: "text", at: "text" });
  await put("No id", { id: "garbage" });
  await put("No organization", { organization: "garbage" });
  await put("No moment", { at: "garbage" });
  await put("Thirtieth of February", { at: "2026-02-30 00:00:00+00" });
  await put("By nobody", { by: "garbage" });
  await seed(links.catalog);
  expect(await readCatalog(home.url)).toEqual({
    names: ["By nobody"],
    faults: [
      "its organization has no placement in this database",
      "it was not created between the years 2000 and 2100",
      "it was not created between the years 2000 and 2100",
    ].toSorted(),
  });
});

test("functions, operators and settings of the region's own change nothing", async () => {
  await makeTable();
  await put("True");
  for (const text of [
    "create schema evil",
    "create function evil.octet_length(text) returns int language sql as 'select 0'",
    "create function evil.row_number() returns bigint language sql as 'select 7::bigint'",
    "create function evil.concat_evil(text, text) returns text language sql as $$ select '[[\"0\"]]' $$",
    "create operator evil.|| (leftarg = text, rightarg = text, function = evil.concat_evil)",
    "create function evil.json_build_array(variadic \"any\") returns json language internal as 'json_build_array_noargs'",
    "create type evil.text as enum ('forged')",
    `alter database ${region.name} set search_path = evil, pg_catalog`,
    `alter database ${region.name} set datestyle = 'German, DMY'`,
    `alter database ${region.name} set timezone = 'Asia/Kathmandu'`,
  ])
    await region.run(text);
  await seed(links.catalog);
  expect(await readCatalog(home.url)).toEqual({ names: ["True"], faults: [] });
  expect((await catalog())[0]?.["created_at"]).toMatch(/^2026-01-01 00:00:00.123456/);
});

const moment = "2026-01-01 00:00:00+00";

/** The link with a server in place of the region's that answers this, whatever it is asked. */
function lying(rows: (string | null)[][], more: boolean): Link {
  const query = async <Row extends object>(name: string) =>
    (name === "seed.read" ? [{ rows: JSON.stringify(rows), more }] : []) as Row[];
  const script = () => Promise.resolve([]);
  const database = {
    kind: "tenant",
    session: (work: (session: object) => Promise<unknown>) => work({ kind: "tenant", query, script }),
  };
  const publisher = { ...links.catalog.publisher, database: database as unknown as Link["publisher"]["database"] };
  return { ...links.catalog, publisher };
}

test("a server speaks for no other database, whatever number it writes into its rows", async () => {
  const theirs = newRoutedId(home.other.number);
  const ours = newRoutedId(0);
  await sql(
    home.url,
    "insert into catalog.resources (placement_number, id, organization_id, name) values (0, $1, tenantry.default_organization(), 'Of home')",
    [ours],
  );
  await sql(
    home.url,
    `begin; set local tenantry.catalog_sender = '${home.other.databaseId}';
     insert into tenantry_inbox.resources values (${home.other.databaseId}, '${theirs}', '${home.other.organization}', 'Theirs', null, now(), now());
     commit`,
  );
  const own = newRoutedId(home.first.number);
  const rows = [
    [String(home.other.databaseId), theirs, home.other.organization, "Forged", null, moment, moment],
    ["0", ours, home.first.organization, "Forged", null, moment, moment],
    [null, own, home.first.organization, "Good", null, moment, moment],
  ];
  await seed(lying(rows, false));
  expect(await sql(home.url, "select placement_number, name from catalog.resources order by name")).toEqual([
    { placement_number: home.first.number, name: "Good" },
    { placement_number: 0, name: "Of home" },
    { placement_number: home.other.number, name: "Theirs" },
  ]);
});

test("a server that sends the same rows again and again is left, and its rows are taken in once", async () => {
  const rows = [[null, newRoutedId(home.first.number), home.first.organization, "Again", null, moment, moment]];
  await expect(seed(lying(rows, true))).rejects.toMatchObject({
    code: "REGION_UNAVAILABLE",
    message: "the publisher's server sent no row that it had not sent before",
  });
  expect(await readCatalog(home.url)).toEqual({ names: ["Again"], faults: [] });
});

test("rows that come out of their turn are left out, and their places are the others'", async () => {
  const [one = "", two = "", three = ""] = [1, 2, 3].map(() => newRoutedId(home.first.number)).toSorted();
  const row = (id: string, name: string) => [null, id, home.first.organization, name, null, moment, moment];
  await seed(lying([row(two, "Two"), row(one, "One"), row(two, "Two again"), row(three, "Three")], false));
  expect(await readCatalog(home.url)).toEqual({ names: ["Three", "Two"], faults: [] });
});

const ENDLESS = (id: string) =>
  `create view app.resources as
   select 1 as database_id, ${id} as id, null::uuid as organization_id, 'Endless'::text as name, null::uuid as created_by,
          now() as created_at, now() as updated_at from generate_series(1, ${SEED_BOUNDS.batchRows})`;

test("a server that sends rows without end is left, and the next seed takes out what it had sent", async () => {
  await makeTable();
  await put("Before");
  await seed(links.catalog);
  await region.run("drop table app.resources");
  // Whatever was sent last, these come after it.
  await region.run("create sequence app.endless");
  await region.run(
    ENDLESS(
      "('ffffffff-' || substr(lpad(to_hex(nextval('app.endless')), 12, '0'), 1, 4) || '-7000-8000-' || lpad(to_hex(currval('app.endless')), 12, '0'))::uuid",
    ).replace("select 1 as database_id", `select ${home.first.databaseId} as database_id`),
  );
  await expect(seed(links.catalog, { ...SEED_BOUNDS, rows: 3 * SEED_BOUNDS.batchRows })).rejects.toMatchObject({
    code: "LIMIT_EXCEEDED",
  });
  await region.run("drop view app.resources");
  await makeTable();
  await put("After");
  await seed(links.catalog);
  expect(await readCatalog(home.url)).toEqual({ names: ["After"], faults: [] });
});

test("a server that does not answer keeps no transaction of home open", async () => {
  await region.run(
    `create view app.resources as
     select ${home.first.databaseId} as database_id, null::uuid as id, null::uuid as organization_id, pg_sleep(600)::text as name,
            null::uuid as created_by, now() as created_at, now() as updated_at`,
  );
  const stuck = seed(links.catalog, { ...SEED_BOUNDS, answerMs: 300 });
  await expect(stuck).rejects.toMatchObject({
    code: "REGION_UNAVAILABLE",
    message: "a server took too long to send its rows or to take them",
  });
  expect(
    await sql(
      home.url,
      "select from pg_stat_activity where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()",
    ),
  ).toEqual([]);
  await region.run(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%seed.read%' and pid <> pg_backend_pid()",
  );
});

/** What a seed left behind that nobody could cancel: it has the lock, and writes as soon as it can. */
async function leaveSeedBehind(as = home.url) {
  const left = new pg.Client({ connectionString: as });
  const ended = new Promise<void>((resolve) => left.on("end", resolve));
  left.on("error", () => undefined);
  await left.connect();
  await left.query("select pg_advisory_lock($1, hashtext($2))", [LOCK_CLASS.seed, links.catalog.name]);
  return { left, ended };
}

test("what an earlier seed left behind is ended before another one writes", async () => {
  await makeTable();
  await put("New");
  const { ended } = await leaveSeedBehind();
  await seed(links.catalog);
  await ended;
  expect((await readCatalog(home.url)).names).toEqual(["New"]);
  const held = "select from pg_locks where locktype = 'advisory' and classid = $1";
  expect(await sql(home.url, held, [LOCK_CLASS.seed])).toEqual([]);
});

test("where that may not be ended, the seed is tried again later", async () => {
  await makeTable();
  await put("New");
  const password = randomBytes(12).toString("hex");
  await sql(home.url, `create role other_seeder login password '${password}'`);
  const url = new URL(home.url);
  url.username = "other_seeder";
  url.password = password;
  const { left } = await leaveSeedBehind(url.href);
  await expect(seed(links.catalog)).rejects.toMatchObject({ code: "NOT_SYNCED" });
  expect((await readCatalog(home.url)).names).toEqual([]);
  await left.end();
  await eventually(() =>
    seed(links.catalog).then(
      () => true,
      () => undefined,
    ),
  );
  expect((await readCatalog(home.url)).names).toEqual(["New"]);
  await sql(home.url, "drop role other_seeder");
});

test("a server that sends a row now and then does not get the whole time", async () => {
  await region.run(
    `create view app.resources as
     select ${home.first.databaseId} as database_id, gen_random_uuid() as id, null::uuid as organization_id, pg_sleep(0.05)::text as name,
            null::uuid as created_by, now() as created_at, now() as updated_at from generate_series(1, 20)`,
  );
  await expect(seed(links.catalog, { ...SEED_BOUNDS, readMs: 0 })).rejects.toMatchObject({
    code: "REGION_UNAVAILABLE",
  });
});

test.each([
  ["takes no rows", "trigger sleep before insert"],
  ["does not commit them", "constraint trigger sleep after insert"],
])("a region that %s keeps no transaction of home open", async (_, trigger) => {
  const deferred = trigger.startsWith("constraint") ? "deferrable initially deferred" : "";
  await region.run(
    `create schema tenantry;
     create table tenantry.directory_organizations (database_id int, organization_id uuid, name text, created_at timestamptz, primary key (database_id, organization_id));
     create table tenantry.directory_members (database_id int, organization_id uuid, user_id uuid, role text, joined_at timestamptz,
       name text, email text, user_created_at timestamptz, primary key (database_id, organization_id, user_id));
     create function public.sleep() returns trigger language plpgsql as 'begin perform pg_sleep(600); return new; end';
     create ${trigger} on tenantry.directory_organizations ${deferred} for each row execute function public.sleep()`,
  );
  await expect(seed(links.directory, { ...SEED_BOUNDS, answerMs: 300 })).rejects.toMatchObject({
    code: "REGION_UNAVAILABLE",
  });
  const open = () =>
    sql(
      home.url,
      "select from pg_stat_activity where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()",
    );
  expect(await eventually(async () => (await open()).length === 0)).toBe(true);
  await region.run(
    "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
  );
});

test("a directory is seeded into the region, and a temporary table of the same name there is another one", async () => {
  await region.run("create schema tenantry");
  await region.run(
    "create table tenantry.directory_organizations (database_id int, organization_id uuid, name text, created_at timestamptz, primary key (database_id, organization_id))",
  );
  await region.run(
    `create table tenantry.directory_members (database_id int, organization_id uuid, user_id uuid, role text, joined_at timestamptz,
       name text, email text, user_created_at timestamptz, primary key (database_id, organization_id, user_id))`,
  );
  await region.run("create table public.seed_directory_organizations (nonsense int)");
  const [user] = await sql<{ id: string }>(
    home.url,
    "insert into tenantry.users (id, name, email) values ($1, 'Ada', 'ada@example.com') returning id",
    [newId()],
  );
  await sql(home.url, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [
    home.first.organization,
    user?.id,
  ]);
  await region.run("insert into tenantry.directory_organizations values ($1, $2, 'Stale', now())", [
    home.first.databaseId,
    newId(),
  ]);
  await region.run("insert into tenantry.directory_organizations values ($1, $2, 'Old name', now())", [
    home.first.databaseId,
    home.first.organization,
  ]);
  await seed(links.directory);
  for (const [table, order] of [
    ["directory_organizations", "organization_id"],
    ["directory_members", "user_id"],
  ] as const) {
    const select = `select * from tenantry.${table} where database_id = ${home.first.databaseId} order by ${order}`;
    const rows = await region.run(select);
    expect(rows).toEqual(await sql(home.url, select));
    expect(rows.length).toBeGreaterThan(0);
  }
  await sql(home.url, "delete from tenantry.memberships");
});
