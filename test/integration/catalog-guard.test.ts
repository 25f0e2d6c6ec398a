/** Home's guard: what a region's administrator can send by replication, with nothing in between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import fc from "fast-check";
import { newId, newRoutedId, placementNumberOf } from "../../src/base/kernel/ids.ts";
import { endMove } from "../../src/engine/home/end-move.ts";
import { settleCatalog } from "../../src/engine/home/switch-placement.ts";
import { switchBack, switchPlacement } from "../support/switches.ts";
import { inboxRoleName, linkName } from "../../src/engine/replication/names.ts";
import { protectHome } from "../../src/engine/migrations/protect-home.ts";
import { majorVersionOf, sql, startApp } from "../support/app.ts";
import { createGuardedHome, type GuardedHome, type Placed, readCatalog } from "../support/guarded-home.ts";
import { eventually } from "../support/journey.ts";
import { begin, sendAs, sent } from "../support/moving-home.ts";
import { routedIdSql } from "../support/routed-id.ts";
import {
  createScratchPublisher,
  type Owner,
  type ScratchPublisher,
  subscribe,
  unsubscribe,
} from "../support/scratch-publisher.ts";

let home: GuardedHome;
let publisher: ScratchPublisher;
let link: string;

beforeAll(async () => {
  home = await createGuardedHome();
  link = linkName(home.installation, home.first.databaseId, "catalog");
});
afterAll(() => home.app.stop());

beforeEach(async () => {
  publisher = await createScratchPublisher();
  for (const text of [
    "create schema tenantry_inbox",
    // As home's, but with texts where those say more, and without what keeps an honest one from sending nonsense.
    `create table tenantry_inbox.resources (
       database_id int, id uuid, organization_id uuid, name text, created_by uuid, created_at timestamptz default now(),
       updated_at timestamptz default now(), primary key (database_id, id))`,
    `create publication ${link} for table tenantry_inbox.resources`,
  ])
    await publisher.run(text);
});
afterEach(async () => {
  await unsubscribe(home.url, publisher, link).catch(() => undefined);
  await sql(home.url, "delete from catalog.resources");
  await sql(
    home.url,
    `begin; set local tenantry.catalog_sender = '${home.first.databaseId}'; delete from tenantry_inbox.resources; commit`,
  );
  await publisher[Symbol.asyncDispose]();
});

type Row = {
  databaseId?: number;
  id?: string;
  organization?: string;
  name?: string | null;
  createdAt?: string | null;
};

/** A good row of the first organization, but for what is given. */
async function send({
  databaseId = home.first.databaseId,
  id = newRoutedId(home.first.number),
  organization = home.first.organization,
  name = "Good",
  createdAt = "2026-01-01",
}: Row = {}): Promise<string> {
  await publisher.run("insert into tenantry_inbox.resources values ($1, $2, $3, $4, null, $5)", [
    databaseId,
    id,
    organization,
    name,
    createdAt,
  ]);
  return id;
}

/** An honest row: when it is in the catalog, what was sent before it has been looked at. */
async function sendMarker(name = "Marker"): Promise<void> {
  const id = await send({ name });
  const find = () => sql(home.url, "select from catalog.resources where id = $1", [id]);
  expect(await eventually(async () => (await find()).length === 1)).toBe(true);
}

const start = (owner: Owner = "inbox") => subscribe(home.url, publisher, link, { owner, inboxRole: home.inboxRole });

test("rows of an organization that is placed there arrive, and change, and go", async () => {
  await start();
  const id = await send({ name: "First name" });
  await send({ name: "Zoë's 名前", id: newRoutedId(home.second.number), organization: home.second.organization });
  const gone = await send({ name: "Gone" });
  await publisher.run("update tenantry_inbox.resources set name = 'Second name' where id = $1", [id]);
  await publisher.run("delete from tenantry_inbox.resources where id = $1", [gone]);
  await sendMarker();
  expect(await readCatalog(home.url)).toEqual({ names: ["Marker", "Second name", "Zoë's 名前"], faults: [] });
});

test("a number that the placement has adopted leads there too, and another's does not", async () => {
  await start();
  const adopted = 16_000_000;
  await sql(
    home.url,
    `insert into tenantry.adopted_numbers (number, placement_id)
     select $1, id from tenantry.placements where organization_id = $2`,
    [adopted, home.first.organization],
  );
  await send({ name: "Imported", id: newRoutedId(adopted) });
  await send({ id: newRoutedId(adopted), organization: home.second.organization });
  await sendMarker();
  expect(await readCatalog(home.url)).toEqual({
    names: ["Imported", "Marker"],
    faults: ["its id does not lead to a placement of its organization in this database"],
  });
});

const NO_PLACEMENT = "its organization has no placement in this database";
const WRONG_ID = "its id does not lead to a placement of its organization in this database";
const BAD_NAME = "its name is empty, longer than 200 characters, or has control characters or invisible ones";
const BAD_TEXT = "it is longer than 64 kB or has a text that is no UTF-8";
const BAD_MOMENT = "it was not created between the years 2000 and 2100";

test.each<[string, (placed: { first: Placed; second: Placed; other: Placed }) => Row, string]>([
  ["an organization that is placed elsewhere", ({ other }) => ({ organization: other.organization }), NO_PLACEMENT],
  ["an organization that does not exist", () => ({ organization: newId() }), NO_PLACEMENT],
  ["an id of another placement", ({ other }) => ({ id: newRoutedId(other.number) }), WRONG_ID],
  ["an id of another placement here", ({ second }) => ({ id: newRoutedId(second.number) }), WRONG_ID],
  ["an id of the default organization", () => ({ id: newRoutedId(0) }), WRONG_ID],
  [
    "an id of another version",
    ({ first }) => ({ id: newRoutedId(first.number).replace(/^(.{14})7/, "$14") }),
    WRONG_ID,
  ],
  ["an id of no variant", ({ first }) => ({ id: newRoutedId(first.number).replace(/^(.{19})./, "$1c") }), WRONG_ID],
  ["no name", () => ({ name: null }), BAD_NAME],
  ["an empty name", () => ({ name: "" }), BAD_NAME],
  ["a name of 201 characters", () => ({ name: "é".repeat(201) }), BAD_NAME],
  ["a name of a million characters", () => ({ name: "x".repeat(1_000_000) }), BAD_TEXT],
  ["a line break in the name", () => ({ name: "Good\nBad" }), BAD_NAME],
  ["a mark of direction in the name", () => ({ name: "Good\u202eBad" }), BAD_NAME],
  ["a moment that no Date can be", () => ({ createdAt: "294276-12-31" }), BAD_MOMENT],
  ["a moment of the year 2100", () => ({ createdAt: "2100-01-01 00:00:00+00" }), BAD_MOMENT],
  ["a moment before the year 2000", () => ({ createdAt: "1999-12-31 23:59:59.999999+00" }), BAD_MOMENT],
  ["no end of time", () => ({ createdAt: "infinity" }), BAD_MOMENT],
  ["no beginning of time", () => ({ createdAt: "-infinity" }), BAD_MOMENT],
  ["no moment", () => ({ createdAt: null }), BAD_MOMENT],
])("%s: the row is refused, and the stream goes on", async (_, make, fault) => {
  await start();
  const id = await send({ name: "Refused", ...make(home) });
  await sendMarker();
  expect(await readCatalog(home.url)).toEqual({ names: ["Marker"], faults: [fault] });
  // Nothing of it is kept but its key.
  expect(
    await sql(
      home.url,
      "select organization_id, name, created_by, created_at, updated_at from tenantry_inbox.resources where id = $1",
      [id],
    ),
  ).toEqual([{ organization_id: null, name: null, created_by: null, created_at: null, updated_at: null }]);
});

test("a name that is no UTF-8 is refused, and the stream goes on", async () => {
  await start();
  for (const bytes of ["ff", "c328", "eda080", "476f6f64e280"])
    await publisher.run(
      `insert into tenantry_inbox.resources
       values ($1, ${routedIdSql(home.first.number)}, $2, decode($3, 'hex')::text, null, now())`,
      [home.first.databaseId, home.first.organization, bytes],
    );
  await sendMarker();
  expect(await readCatalog(home.url)).toEqual({ names: ["Marker"], faults: Array(4).fill(BAD_TEXT) });
});

test("a row that was refused comes in when it is mended, and a good one goes when it is spoiled", async () => {
  await start();
  const mended = await send({ name: "" });
  const spoiled = await send({ name: "Spoiled" });
  await sendMarker("First marker");
  expect(await readCatalog(home.url)).toEqual({ names: ["First marker", "Spoiled"], faults: [BAD_NAME] });
  await publisher.run("update tenantry_inbox.resources set name = 'Mended' where id = $1", [mended]);
  await publisher.run("update tenantry_inbox.resources set created_at = 'infinity' where id = $1", [spoiled]);
  await sendMarker("Second marker");
  expect(await readCatalog(home.url)).toEqual({
    names: ["First marker", "Mended", "Second marker"],
    faults: [BAD_MOMENT],
  });
  await publisher.run("delete from tenantry_inbox.resources where id = $1", [spoiled]);
  await sendMarker("Third marker");
  expect((await readCatalog(home.url)).faults).toEqual([]);
});

test("a row that gets another key leaves the old one, also when somebody has the new one", async () => {
  await start();
  const [one, two, target] = [await send({ name: "One" }), await send({ name: "Two" }), newRoutedId(home.first.number)];
  await publisher.run("update tenantry_inbox.resources set id = $1 where id = $2", [target, one]);
  await sendMarker("First marker");
  expect((await readCatalog(home.url)).names).toEqual(["First marker", "One", "Two"]);
  // Only a publisher without a primary key can send this.
  await publisher.run("alter table tenantry_inbox.resources drop constraint resources_pkey, replica identity full");
  await publisher.run("update tenantry_inbox.resources set id = $1 where id = $2", [target, two]);
  await sendMarker("Second marker");
  expect((await readCatalog(home.url)).names).toEqual(["First marker", "Second marker", "Two"]);
});

test("a row that is here already is replaced, as a copy or a replay sends it again", async () => {
  const id = await send({ name: "Before" });
  await sql(
    home.url,
    `begin; set local tenantry.catalog_sender = '${home.first.databaseId}';
     insert into tenantry_inbox.resources values (${home.first.databaseId}, '${id}', '${home.first.organization}', 'Old', null, now(), now()); commit`,
  );
  expect((await readCatalog(home.url)).names).toEqual(["Old"]);
  await publisher.run("delete from tenantry_inbox.resources");
  await start();
  await send({ id, name: "New" });
  await sendMarker();
  expect(await readCatalog(home.url)).toEqual({ names: ["Marker", "New"], faults: [] });
});

test("rows with another database's number are left out, and nothing of that database changes", async () => {
  const { other } = home;
  const theirs = newRoutedId(other.number);
  await sql(
    home.url,
    `begin; set local tenantry.catalog_sender = '${other.databaseId}';
     insert into tenantry_inbox.resources values (${other.databaseId}, '${theirs}', '${other.organization}', 'Theirs', null, now(), now());
     commit`,
  );
  const ours = newRoutedId(0);
  await sql(
    home.url,
    "insert into catalog.resources (placement_number, id, organization_id, name) values (0, $1, tenantry.default_organization(), 'Of home')",
    [ours],
  );
  await start();
  await send({ databaseId: other.databaseId, id: theirs, organization: other.organization, name: "Forged" });
  await publisher.run("update tenantry_inbox.resources set name = 'Forged again' where id = $1", [theirs]);
  await publisher.run("delete from tenantry_inbox.resources where id = $1", [theirs]);
  await send({ databaseId: 0, id: ours, name: "Forged" });
  const moving = await send({ name: "Moving" });
  await publisher.run("update tenantry_inbox.resources set database_id = 0 where id = $1", [moving]);
  await sendMarker();
  const names = await sql(home.url, "select placement_number, name from catalog.resources order by name");
  expect(names).toEqual([
    { placement_number: home.first.number, name: "Marker" },
    { placement_number: home.first.number, name: "Moving" },
    { placement_number: 0, name: "Of home" },
    { placement_number: other.number, name: "Theirs" },
  ]);
  await sql(
    home.url,
    `begin; set local tenantry.catalog_sender = '${other.databaseId}';
     delete from tenantry_inbox.resources where database_id = ${other.databaseId}; commit`,
  );
});

test("rows of a placement that is on its way here wait, and arrive after the switch", async () => {
  const { other } = home;
  const move = await begin(home, other);
  const done = { withDatabase: false, signal: new AbortController().signal };
  await using ends = new AsyncDisposableStack();
  ends.defer(() => endMove(home.app.services, move.placementId, done));
  const theirs = newRoutedId(other.number);
  await sendAs(home.url, other.databaseId, sent(other.databaseId, other, theirs, "Theirs"));
  await start();
  await send({ id: theirs, organization: other.organization, name: "Theirs, here" });
  await send({ id: newRoutedId(other.number), organization: other.organization, name: "Later" });
  const gone = await send({ id: newRoutedId(other.number), organization: other.organization, name: "Gone" });
  await publisher.run("delete from tenantry_inbox.resources where id = $1", [gone]);
  await sendMarker();
  expect(await readCatalog(home.url)).toEqual({ names: ["Marker", "Theirs"], faults: [] });
  expect(
    await sql(
      home.url,
      "select name, organization_id from tenantry_inbox.resources where database_id = $1 order by name",
      [home.first.databaseId],
    ),
  ).toEqual([
    { name: "Later", organization_id: other.organization },
    { name: "Marker", organization_id: home.first.organization },
    { name: "Theirs, here", organization_id: other.organization },
  ]);
  expect(await switchPlacement(home.app.services, move)).toBe(true);
  await publisher.run("update tenantry_inbox.resources set name = 'Renamed' where name = 'Later'");
  await sendMarker("Marker again");
  expect((await readCatalog(home.url)).names).toEqual(["Marker", "Marker again", "Renamed", "Theirs"]);
  await settleCatalog(home.app.services, move.placementId, done.signal);
  expect((await readCatalog(home.url)).names).toEqual(["Marker", "Marker again", "Renamed", "Theirs, here"]);
  expect(await switchBack(home.app.services, move)).toBe(true);
});

async function applyErrors(): Promise<number> {
  const [row] = await sql<{ errors: number }>(
    home.url,
    "select apply_error_count::int as errors from pg_stat_subscription_stats where subname = $1",
    [link],
  );
  return row?.errors ?? 0;
}

describe.each<Owner>(["inbox", "superuser"])("with a subscription that is the %s's", (owner) => {
  test("a second table that was published is subscribed to, and nothing of it arrives", async () => {
    await publisher.run("create schema tenantry");
    await publisher.run(
      `create table tenantry.api_keys (
         id uuid primary key, name text, secret_hash bytea, created_by text, created_at timestamptz, expires_at timestamptz)`,
    );
    await publisher.run(`alter publication ${link} add table tenantry.api_keys`);
    await start(owner);
    const tables = await sql(
      home.url,
      "select srrelid::regclass::text as name from pg_subscription_rel r join pg_subscription s on s.oid = r.srsubid where s.subname = $1",
      [link],
    );
    expect(tables.map(({ name }) => String(name)).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "tenantry.api_keys",
      "tenantry_inbox.resources",
    ]);
    await sendMarker();
    await publisher.run(
      `insert into tenantry.api_keys values ($1, 'Forged', sha256('forged'), 'operator', now(), now() + interval '1 day')`,
      [newId()],
    );
    expect(await eventually(async () => (await applyErrors()) > 0)).toBe(true);
    expect(await sql(home.url, "select from tenantry.api_keys")).toEqual([]);
  });

  test.each([
    ["the catalog itself", "catalog"],
    ["the default organization's content", "app"],
  ])("a row for %s does not arrive: only the guard writes there", async (_, schema) => {
    await publisher.run(`create schema ${schema}`);
    await publisher.run(`create table ${schema}.resources (like tenantry_inbox.resources including all)`);
    await publisher.run(`alter publication ${link} add table ${schema}.resources`);
    await start(owner);
    await publisher.run(`insert into ${schema}.resources values ($1, $2, $3, 'Forged', null, now(), now())`, [
      home.other.databaseId,
      newRoutedId(home.other.number),
      home.other.organization,
    ]);
    expect(await eventually(async () => (await applyErrors()) > 0)).toBe(true);
    expect((await readCatalog(home.url)).names).toEqual([]);
    expect(await sql(home.url, "select from app.resources")).toEqual([]);
  });

  test("a TRUNCATE empties nothing", async () => {
    await start(owner);
    await sendMarker("Kept");
    await publisher.run("truncate tenantry_inbox.resources");
    expect(await eventually(async () => (await applyErrors()) > 0)).toBe(true);
    expect((await readCatalog(home.url)).names).toEqual(["Kept"]);
    expect(await sql(home.url, "select from tenantry_inbox.resources where name = 'Kept'")).toHaveLength(1);
  });

  test("the guard is the same", async () => {
    await start(owner);
    await send({ name: "Good" });
    await send({ name: "" });
    await send({
      databaseId: home.other.databaseId,
      id: newRoutedId(home.other.number),
      organization: home.other.organization,
    });
    await sendMarker();
    expect(await readCatalog(home.url)).toEqual({ names: ["Good", "Marker"], faults: [BAD_NAME] });
  });
});

test("the inbox's role may write into the inbox and nothing else", async () => {
  const [role] = await sql(
    home.url,
    `select rolcanlogin, rolsuper, rolreplication, rolcreaterole, rolcreatedb, rolbypassrls,
            (select rolpassword is null from pg_authid a where a.oid = r.oid) as without_password,
            (select count(*)::int from pg_auth_members m where m.member = r.oid) as memberships
     from pg_roles r where rolname = $1`,
    [home.inboxRole],
  );
  expect(role).toEqual({
    rolcanlogin: true,
    rolsuper: false,
    rolreplication: false,
    rolcreaterole: false,
    rolcreatedb: false,
    rolbypassrls: false,
    without_password: true,
    memberships: 0,
  });
  const rights = await sql(
    home.url,
    `select n.nspname || '.' || c.relname || ' ' || string_agg(a.privilege_type, ' ' order by a.privilege_type) as granted
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
     where a.grantee in ($1::regrole, 0) and n.nspname in ('tenantry', 'tenantry_inbox')
     group by n.nspname, c.relname`,
    [home.inboxRole],
  );
  expect(rights).toEqual([{ granted: "tenantry_inbox.resources DELETE INSERT SELECT UPDATE" }]);
  expect(await sql(home.url, "select from pg_class where relowner = $1::regrole", [home.inboxRole])).toEqual([]);
});

test("whoever sends for no database writes nothing into the inbox", async () => {
  const insert = `insert into tenantry_inbox.resources (database_id, id) values (1, '${newId()}')`;
  await expect(sql(home.url, insert)).rejects.toThrow("only replication writes into the inbox");
});

test("a home role that is no superuser migrates home, and can hand a subscription over and change it afterwards", async () => {
  const [role, database] = [`guard_${process.pid}`, `guarded_${process.pid}`];
  const server = home.app.homeUrl;
  const isNew = (await majorVersionOf(`${server}/postgres`)) >= 16;
  await sql(
    `${server}/postgres`,
    `create role ${role} login password 'guarded' createdb createrole replication ${isNew ? "in role pg_create_subscription" : ""}`,
  );
  await sql(`${server}/postgres`, `create database ${database} owner ${role}`);
  const url = new URL(`${server}/${database}`);
  url.username = role;
  url.password = "guarded";
  const app = await startApp({ databaseUrl: url.href, role: "api" });
  const [row] = await sql<{ id: string }>(url.href, "select id from tenantry.installation");
  const inbox = inboxRoleName(row?.id ?? "");
  // Again, as the next start does it.
  await protectHome(app.services.home, app.services.tables.served());
  expect(await sql(url.href, "select pg_has_role($1, 'usage') as usage", [inbox])).toEqual([{ usage: true }]);
  // Before 16 a subscription is a superuser's to give away.
  if (isNew) {
    const name = `guarded_${process.pid}`;
    await sql(
      url.href,
      `create subscription ${name} connection 'host=nowhere.invalid password=none' publication nothing
       with (connect = false, slot_name = none, run_as_owner = true)`,
    );
    await sql(url.href, `alter subscription ${name} owner to ${inbox}`);
    await sql(url.href, `alter subscription ${name} set (synchronous_commit = 'local')`);
    await sql(url.href, `alter subscription ${name} connection 'host=nowhere.invalid password=other'`);
    await sql(url.href, `drop subscription ${name}`);
  }
  await app.stop();
});

const TABLES = `select c.oid::regclass::text as name from pg_class c
  where c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text in ('tenantry', 'tenantry_inbox', 'catalog', 'app')`;

/** Tables of home that replication could write or empty. */
async function unprotected(): Promise<string[]> {
  const rows = await sql<{ name: string }>(
    home.url,
    `${TABLES} and not (
       exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'refuse_truncate' and t.tgenabled = 'A'
                 and t.tgtype & 32 > 0 and t.tgfoid = 'tenantry.refuse_truncate'::regproc)
       and case when c.relnamespace = 'tenantry_inbox'::regnamespace then
         exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'guard_catalog' and t.tgenabled = 'A'
                   and t.tgtype & 31 = 31)
       else
         exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'refuse_replicated_row' and t.tgenabled = 'R'
                   and t.tgtype & 31 = 31 and t.tgfoid = 'tenantry.refuse_replicated_row'::regproc)
       end)
     order by 1`,
  );
  return rows.map(({ name }) => name);
}

test("every table of home refuses TRUNCATE, its owner's too, and rows that replication brings", async () => {
  expect(await unprotected()).toEqual([]);
  const tables = await sql<{ name: string }>(home.url, TABLES);
  expect(tables.length).toBeGreaterThan(20);
  for (const { name } of tables)
    await expect(sql(home.url, `truncate ${name} cascade`)).rejects.toThrow(/cannot be truncated|append-only/);
});

test("a table that a later migration makes, and a trigger that was switched off, are held after the next start", async () => {
  await sql(home.url, "create table tenantry.later (id int primary key)");
  await sql(home.url, "alter table tenantry.api_keys disable trigger refuse_replicated_row");
  await sql(home.url, "create table tenantry_inbox.later (id int primary key)");
  await sql(home.url, "drop trigger refuse_truncate on catalog.resources");
  expect(await unprotected()).toEqual(
    ["tenantry.api_keys", "tenantry.later", "tenantry_inbox.later", "catalog.resources"].toSorted(),
  );
  await protectHome(home.app.services.home, home.app.services.tables.served());
  // What a table of the inbox is guarded by is its migration's to say.
  expect(await unprotected()).toEqual(["tenantry_inbox.later"]);
  expect(
    await sql(home.url, "select has_table_privilege($1, 'tenantry_inbox.later', 'insert') as may", [home.inboxRole]),
  ).toEqual([{ may: true }]);
  await sql(home.url, "drop table tenantry.later, tenantry_inbox.later");
});

test("home reads the same number out of an id as the program", async () => {
  const numbers = fc.sample(fc.integer({ min: 0, max: 0xff_ff_ff }), 300);
  const ids = [0, 1, 2, 63, 64, 0x3f_ff_ff, 0xff_ff_ff, ...numbers].map(newRoutedId);
  const read = await sql<{ number: number }>(
    home.url,
    "select tenantry.placement_number_of(id) as number from unnest($1::uuid[]) with ordinality as t (id, n) order by n",
    [ids],
  );
  expect(read.map(({ number }) => number)).toEqual(ids.map(placementNumberOf));
  // An id that is of another form leads nowhere.
  const [none] = await sql(home.url, "select tenantry.placement_number_of($1) as number", [
    "00000000-0000-0000-0000-000000000000",
  ]);
  expect(none).toEqual({ number: null });
});
