/** What a schema is, and how a tenant database differs from what its migrations make, in sentences: for everybody's tables. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { migrateFleet } from "../../src/engine/fleet/migrate-databases.ts";
import { describeSchema } from "../../src/engine/migrations/fingerprint.ts";
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import type { MigrationSet } from "../../src/engine/migrations/migration-set.ts";
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { migrate } from "../../src/engine/migrations/runner.ts";
import { diffSchema } from "../../src/engine/migrations/schema-difference.ts";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { openServices } from "../support/fleet.ts";
import { invoicesWith } from "../support/invoices.ts";
import { createOrganization, grant, registerRegion } from "../support/journey.ts";

const pools = new Pools(() => undefined);
const url = (database: string) => `${serverUrl("eu")}/${database}`;
let count = 0;
const API_ROLE = `drift_${process.pid}_api`;

/** What a team may have besides its tables. */
const MORE = `
  create type app.state as enum ('open', 'paid');
  create domain app.cents as int check (value >= 0);
  alter table app.invoices add column state app.state not null default 'open';
  alter table app.invoices add column due date not null default '2030-01-01';
  alter table app.invoices add column rest app.cents generated always as (greatest(total_cents - 1, 0)) stored;
  alter table app.lines add constraint lines_cents_even check (cents % 2 = 0 or cents = any (array[1, 3]));
  create policy no_long_text on app.lines as restrictive for insert with check (char_length(text) < 1000);
  create statistics app.lines_statistics (dependencies) on invoice_id, cents from app.lines;
  create view app.open_invoices with (security_invoker = true) as
    select i.id, i.number, count(l.id) as lines from app.invoices i left join app.lines l on l.invoice_id = i.id
    where i.state = 'open' group by i.id, i.number;
  create function app.total(of_invoice uuid, minimum int default 0) returns bigint language sql stable
    begin atomic; select sum(cents) from app.lines where invoice_id = of_invoice and cents > minimum; end;
  create function app.no_empty_text() returns trigger language plpgsql as $$
    begin if new.text = '' then raise exception 'empty'; end if; return new; end $$;
  create trigger no_empty_text before insert on app.lines for each row when (new.cents > 0)
    execute function app.no_empty_text();`;
const FOREIGN_KEY = "FOREIGN KEY (organization_id, invoice_id) REFERENCES app.invoices(organization_id, id)";
const TEAM = invoicesWith(MORE);
const BYTES = "alter table app.attachments add column bytes int not null default 0";
const NEXT = invoicesWith(MORE, BYTES);
const LAST = invoicesWith(MORE, BYTES, "create index lines_cents on app.lines (cents)");

/** Of a version, in the name of its template. */
function nameOf(set: MigrationSet): string {
  const { engine, app: ofApp } = latestOf(set);
  return `${engine}_${ofApp}`;
}

let app: TestApp;
let prefix: string;
/** A tenant database of an organization alone, and one that is shared. */
let own: string;
let shared: string;
beforeAll(async () => {
  app = await startApp({ tenantSchema: TEAM });
  await registerRegion(app, "eu", serverUrl("eu"));
  own = (await grant(app, await createOrganization(app, "Alone"), "eu")).database;
  shared = (await grant(app, await createOrganization(app, "Together"), "eu", "SHARED")).database;
  prefix = own.replace(/\d+$/, "");
});
afterAll(async () => {
  await app.stop();
  await pools.close();
});

/** A new database with the migrations up to a version. */
async function freshDatabase(version: number) {
  count += 1;
  const name = `drift_${process.pid}_${count}`;
  await sql(url("postgres"), `create database ${name} template template0`);
  const database = pools.open("tenant", parseServerUrl(serverUrl("eu"), "url"), name);
  await migrate(database, { migrations: TENANT_SCHEMA.migrations.slice(0, version), latestVersion: version }, API_ROLE);
  return { name, database };
}

test("what differs is named", async () => {
  const { name, database } = await freshDatabase(TENANT_SCHEMA.latestVersion);
  const before = await describeSchema(database);
  await sql(
    url(name),
    `alter table app.comments drop column body;
     alter table app.comments alter column author_id drop not null;
     alter table app.resources add column extra int;
     alter table app.resources disable row level security;
     alter table tenantry.directory_members disable trigger replace_member;
     drop index app.comments_resource_id;
     create table tenantry.stray (id int primary key);
     drop table tenantry.catalog_changes;
     create or replace function tenantry.refuse_truncate() returns trigger language plpgsql as 'begin return null; end'`,
  );
  const after = await describeSchema(database);
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(diffSchema(before, after).toSorted()).toEqual(
    [
      "table app.comments lacks column body",
      "table app.comments lacks constraint comments_body_check",
      'column author_id of table app.comments is "uuid" in place of "uuid not null"',
      "table app.comments lacks index comments_resource_id",
      "table app.resources has column extra, which is not part of the schema",
      'table app.resources is "replica identity i resources_organization_key" in place of "replica identity i resources_organization_key, row security"',
      "trigger replace_member of table directory_members is defined otherwise",
      "there is table stray, which is not part of the schema",
      "table catalog_changes is missing",
      "sequence catalog_changes_id_seq is missing",
      "function refuse_truncate() is defined otherwise",
    ].toSorted(),
  );
  expect(diffSchema(before, before)).toEqual([]);
});

test("neither publications nor a role's search path change the fingerprint", async () => {
  const { name, database } = await freshDatabase(TENANT_SCHEMA.latestVersion);
  const before = await describeSchema(database);
  await sql(url(name), "create publication other for table app.resources");
  await sql(url("postgres"), `alter database ${name} set search_path = tenantry, public`);
  await pools.closeDatabase(parseServerUrl(serverUrl("eu"), "url"), name);
  expect(await describeSchema(database)).toEqual(before);
});

/** What the doctor of a program with these migrations says about each database. */
async function driftWith(tenantSchema: MigrationSet) {
  await using services = await openServices(app, tenantSchema);
  return await findDrift(services);
}

/** The databases that are there for others to be made of, or to be compared with. */
async function spareDatabases(): Promise<string[]> {
  const rows = await sql<{ name: string }>(
    url("postgres"),
    "select datname as name from pg_database where starts_with(datname, $1) order by 1",
    [`${prefix}template`],
  );
  return rows.map(({ name }) => name.slice(prefix.length));
}

test("a team's own databases are what its migrations make, also where nobody has kept what that is", async () => {
  expect(await driftWith(TEAM)).toEqual([]);
  const template = `template_${nameOf(TEAM)}`;
  expect(await spareDatabases()).toEqual([template]);
  // As after an upgrade of the server.
  await sql(app.databaseUrl, "delete from tenantry.reference_schemas");
  expect(await driftWith(TEAM)).toEqual([]);
  expect(await spareDatabases()).toEqual([template]);
  expect(await sql(app.databaseUrl, "select count(*)::int as kept from tenantry.reference_schemas")).toEqual([
    { kept: 1 },
  ]);
});

test("whatever somebody changed by hand in a team's own tables is told by its name", async () => {
  const reader = `drift_reader_${process.pid}`;
  const changes: [made: string, undone: string, ...told: string[]][] = [
    [
      "create table app.stray (id int primary key)",
      "drop table app.stray",
      "there is table app.stray, which is not part of the schema",
    ],
    [
      "alter table app.attachments rename to moved",
      "alter table app.moved rename to attachments",
      "table app.attachments is missing",
      "there is table app.moved, which is not part of the schema",
    ],
    [
      "alter table app.lines add column note text",
      "alter table app.lines drop column note",
      "table app.lines has column note, which is not part of the schema",
    ],
    [
      "alter table app.invoices alter due set default '2031-01-01'",
      "alter table app.invoices alter due set default '2030-01-01'",
      `column due of table app.invoices is "date not null default '2031-01-01'::date" in place of "date not null default '2030-01-01'::date"`,
    ],
    [
      "alter table app.invoices drop constraint invoices_total_cents_check",
      "alter table app.invoices add constraint invoices_total_cents_check check (total_cents >= 0)",
      "table app.invoices lacks constraint invoices_total_cents_check",
    ],
    [
      "drop index app.lines_invoice_id",
      "create index lines_invoice_id on app.lines (invoice_id, id)",
      "table app.lines lacks index lines_invoice_id",
    ],
    [
      "create policy all_see on app.lines using (true)",
      "drop policy all_see on app.lines",
      "table app.lines has policy all_see, which is not part of the schema",
    ],
    [
      `alter policy no_long_text on app.lines to ${reader}`,
      "alter policy no_long_text on app.lines to public",
      `policy no_long_text of table app.lines is "restrictive for insert to ${reader} with check (char_length(text) < 1000)" in place of "restrictive for insert to public with check (char_length(text) < 1000)"`,
    ],
    [
      `grant select on app.lines to ${reader}`,
      `revoke select on app.lines from ${reader}`,
      `table app.lines has grant select to ${reader}, which is not part of the schema`,
    ],
    [
      `revoke update on app.lines from ${prefix}api`,
      `grant update on app.lines to ${prefix}api`,
      `the role ${prefix}api lacks update on table app.lines`,
    ],
    [
      "revoke execute on function app.total from public",
      "grant execute on function app.total to public",
      "function app.total(of_invoice uuid, minimum integer) lacks grant execute to public",
    ],
    [
      "grant create on schema app to public",
      "revoke create on schema app from public",
      "schema app has grant create to public, which is not part of the schema",
    ],
    [
      "alter table app.lines disable trigger no_empty_text",
      "alter table app.lines enable trigger no_empty_text",
      "trigger no_empty_text of table app.lines is defined otherwise",
    ],
    [
      "alter table app.attachments disable trigger all",
      "alter table app.attachments enable trigger all, enable replica trigger replace_row, enable always trigger only_copied",
      `constraint attachments_organization_id_invoice_id_fkey of table app.attachments is "${FOREIGN_KEY}, with its triggers disabled" in place of "${FOREIGN_KEY}"`,
      "trigger only_copied of table app.attachments is defined otherwise",
      "trigger record_write of table app.attachments is defined otherwise",
      "trigger replace_row of table app.attachments is defined otherwise",
    ],
    [
      "alter function app.no_empty_text() security definer",
      "alter function app.no_empty_text() security invoker",
      "function app.no_empty_text() is defined otherwise",
    ],
    [
      "alter view app.open_invoices set (security_invoker = false)",
      "alter view app.open_invoices set (security_invoker = true)",
      "view app.open_invoices is defined otherwise",
    ],
    [
      "alter table app.attachments replica identity full",
      "alter table app.attachments replica identity using index attachments_identity_key",
      'table app.attachments is "replica identity f, row security" in place of "replica identity i attachments_identity_key, row security"',
    ],
    [
      "alter table app.lines force row level security",
      "alter table app.lines no force row level security",
      'table app.lines is "replica identity i lines_identity_key, row security, forced row security" in place of "replica identity i lines_identity_key, row security"',
    ],
    [
      "create rule silent as on delete to app.lines do instead nothing",
      "drop rule silent on app.lines",
      "table app.lines has rule silent, which is not part of the schema",
    ],
    [
      "drop statistics app.lines_statistics",
      "create statistics app.lines_statistics (dependencies) on invoice_id, cents from app.lines",
      "table app.lines lacks statistics lines_statistics",
    ],
    [
      "alter domain app.cents set default 3",
      "alter domain app.cents drop default",
      'type app.cents is "integer default 3 cents_check CHECK ((VALUE >= 0))" in place of "integer cents_check CHECK ((VALUE >= 0))"',
    ],
  ];
  await sql(url("postgres"), `create role ${reader}`);
  try {
    for (const [made, undone, ...told] of changes) {
      await sql(url(own), made);
      const found = await driftWith(TEAM);
      await sql(url(own), undone);
      expect(found).toEqual([{ database: own, version: TEAM.latestVersion, differences: told }]);
    }
    await sql(url(shared), "alter table app.lines add column note text");
    expect((await driftWith(TEAM)).map(({ database }) => database)).toEqual([shared]);
    await sql(url(shared), "alter table app.lines drop column note");
    expect(await driftWith(TEAM)).toEqual([]);
  } finally {
    await sql(url("postgres"), `drop role ${reader}`);
  }
}, 120_000);

test("a database is compared with the version that it has, which another program may not know", async () => {
  await sql(url(own), "alter table app.lines add column note text");
  const told = { database: own, version: TEAM.latestVersion, differences: [expect.stringContaining("column note")] };
  // The program is newer, home has been migrated, and no tenant database has.
  const { databaseUrl, secretKey } = app;
  await app.stop();
  app = await startApp({ databaseUrl, secretKey, tenantSchema: NEXT });
  expect(await driftWith(NEXT)).toEqual([told]);
  await using services = await openServices(app, NEXT);
  const report = await migrateFleet(services, "operator");
  expect(report).toMatchObject({ migrated: 2, failed: [], drifted: [{ database: own, region: "eu" }] });
  expect(await migrateFleet(services, "operator", { verify: true })).toMatchObject({
    verified: 2,
    drifted: [{ database: own }],
  });
  await sql(url(own), "alter table app.lines drop column note");
  expect(await migrateFleet(services, "operator", { verify: true })).toMatchObject({ verified: 2, drifted: [] });
  expect(await findDrift({ ...services, tenantSchema: TEAM })).toMatchObject([
    { database: own, differences: [expect.stringContaining("newer than the")] },
    { database: shared },
  ]);
});

test("a template that somebody has changed is not what databases are compared with, nor built on", async () => {
  const changed = `${prefix}template_${nameOf(NEXT)}`;
  await sql(url(changed), "alter table app.lines add column note text");
  const made = (await grant(app, await createOrganization(app, "Late"), "eu")).database;
  expect(await driftWith(NEXT)).toMatchObject([
    { database: made, differences: ["table app.lines has column note, which is not part of the schema"] },
  ]);
  await using services = await openServices(app, LAST);
  expect(await migrateFleet(services, "operator")).toMatchObject({
    migrated: 3,
    failed: [],
    drifted: [{ database: made }],
  });
  const fresh = `${prefix}template_${nameOf(LAST)}`;
  expect(
    await sql(
      url(fresh),
      "select attname from pg_attribute where attrelid = 'app.lines'::regclass and attname = 'note'",
    ),
  ).toEqual([]);
});

test("a database that cannot be compared is named with the reason", async () => {
  const reasonFor = async (at: string, made: string, undone: string) => {
    await sql(at, made);
    const found = await driftWith(LAST);
    await sql(at, undone);
    return found.find(({ database }) => database.startsWith(own))?.differences;
  };
  expect(
    await reasonFor(
      url(own),
      "alter table tenantry.migrations rename to gone",
      "alter table tenantry.gone rename to migrations",
    ),
  ).toEqual(["table tenantry.migrations is missing, so nobody can tell which migrations the database has"]);
  const rename = (from: string, to: string) =>
    `update tenantry.tenant_databases set name = '${to}' where name = '${from}'`;
  expect(await reasonFor(app.databaseUrl, rename(own, `${own}_gone`), rename(`${own}_gone`, own))).toEqual([
    "the database is gone from its server",
  ]);
});
