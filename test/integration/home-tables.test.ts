/** The tables that a team has at home only: made in order, used with the API's rights, and kept away from everything else. */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";
import { checkProject } from "../../src/project/check-project.ts";
import { findProject, loadProject, type Project } from "../../src/project/load-project.ts";
import { formatManifest, manifestFile } from "../../src/project/manifest.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { serverUrl, sql, startApp } from "../support/app.ts";
import { createOrganization, grant, registerRegion } from "../support/journey.ts";
import { openLibrary } from "../support/library.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/invoices/db/tenant/0001_invoices.sql", import.meta.url));
const PLANS = `create table home.plans (id int generated always as identity primary key, name text not null);
  create function home.first_plan() returns text language sql stable begin atomic; select name from home.plans limit 1; end;
  insert into home.plans (name) values ('free');`;

/** The invoices as a project, with migrations of home by their texts, and more of the tenant's. */
async function projectWith(home: string[], tenant: string[] = []): Promise<Project> {
  const folder = mkdtempSync(join(inject("runFolder"), "home-tables-"));
  for (const part of ["tenant", "home"]) mkdirSync(join(folder, "db", part), { recursive: true });
  cpSync(EXAMPLE, join(folder, "db/tenant/0001_invoices.sql"));
  for (const [index, text] of tenant.entries()) writeFileSync(join(folder, `db/tenant/000${index + 2}_more.sql`), text);
  for (const [index, text] of home.entries()) writeFileSync(join(folder, `db/home/000${index + 1}_own.sql`), text);
  writeFileSync(
    join(folder, "tenantry.config.mjs"),
    'export default { migrations: { tenant: "./db/tenant", home: "./db/home" } };',
  );
  const project = await findProject(folder);
  if (project === undefined) throw new Error("there is no project");
  return project;
}

const versions = (databaseUrl: string) =>
  sql(databaseUrl, "select part, number from tenantry.migrations where part like 'app%' order by part, number");

test("they are made at home in their order, whatever the app's other migrations do, and no tenant database has them", async () => {
  const first = await projectWith([PLANS]);
  const app = await startApp({ tenantSchema: first.tenantSchema });
  await registerRegion(app, "eu", serverUrl("eu"));
  const { database } = await grant(app, await createOrganization(app, "Acme"), "eu");
  const { databaseUrl, secretKey } = app;
  await app.stop();
  expect(await versions(databaseUrl)).toEqual([
    { part: "app", number: 1 },
    { part: "app_home", number: 1 },
  ]);
  // The one comes later than the other, and both are there in the end.
  const due = "alter table app.invoices add column due date";
  const price = `alter table home.plans add column cents int not null default 0; update home.plans set cents = 5;`;
  for (const project of [await projectWith([PLANS], [due]), await projectWith([PLANS, price], [due])]) {
    const later = await startApp({ databaseUrl, secretKey, role: "api", tenantSchema: project.tenantSchema });
    await later.stop();
  }
  expect(await versions(databaseUrl)).toEqual([
    { part: "app", number: 1 },
    { part: "app", number: 2 },
    { part: "app_home", number: 1 },
    { part: "app_home", number: 2 },
  ]);
  expect(await sql(databaseUrl, "select name, cents from home.plans")).toEqual([{ name: "free", cents: 5 }]);
  expect(await sql(databaseUrl, "select engine_version, app_version from tenantry.tenant_databases")).toEqual([
    { engine_version: 2, app_version: 1 },
  ]);
  expect(await sql(`${serverUrl("eu")}/${database}`, "select to_regnamespace('home') as home")).toEqual([
    { home: null },
  ]);
  await expect(
    startApp({ databaseUrl, secretKey, role: "api", tenantSchema: (await projectWith([PLANS], [due])).tenantSchema }),
  ).rejects.toThrow("newer than the");
});

test("the handle on home reads and writes them, and a migration may take a right away", async () => {
  const { tenantSchema } = await projectWith([
    PLANS,
    `create table home.prices (id int primary key);
     do $$ begin execute format('revoke delete on home.prices from %I', tenantry.api_role()); end $$;`,
    "create table home.later (id int primary key)",
  ]);
  const app = await startApp({ tenantSchema });
  const tenantry = await openLibrary(app, { tenantSchema });
  const home = await tenantry.tenant({});
  await home.query("insert into home.plans (name) values ($1)", ["large"]);
  expect(await home.query("select id, name, home.first_plan() from home.plans order by id")).toEqual([
    { id: 1, name: "free", first_plan: "free" },
    { id: 2, name: "large", first_plan: "free" },
  ]);
  await home.query("insert into home.prices values (1)");
  await expect(home.query("delete from home.prices")).rejects.toThrow("permission denied");
  await home.query("insert into home.later values (1)");
  await expect(home.query("create table home.mine (id int)")).rejects.toThrow("permission denied");
  await tenantry.close();
  await app.stop();
});

test("after a restore without roles the API has its rights in them again, and no right that a migration took away", async () => {
  const { tenantSchema } = await projectWith([
    PLANS,
    `create table home."Prices" (id int primary key);
     do $$ begin execute format('revoke delete on home."Prices" from %I', tenantry.api_role()); end $$;`,
  ]);
  const app = await startApp({ role: "api", tenantSchema });
  const { databaseUrl, secretKey, services } = app;
  const role = services.apiRole.name;
  await app.stop();
  await sql(
    databaseUrl,
    `revoke all on schema home from ${role}; revoke all on all tables in schema home from ${role};
     revoke all on all sequences in schema home from ${role};`,
  );
  // Another version of PostgreSQL had printed it.
  await sql(databaseUrl, "update tenantry.home_schema set server_version = 150000");
  const again = await startApp({ databaseUrl, secretKey, role: "api", tenantSchema });
  expect(await findDrift(again.services)).toEqual([]);
  const tenantry = await openLibrary(again, { tenantSchema });
  const home = await tenantry.tenant({});
  await home.query("insert into home.plans (name) values ($1)", ["large"]);
  await home.query('insert into home."Prices" values (1)');
  await expect(home.query('delete from home."Prices"')).rejects.toThrow("permission denied");
  await tenantry.close();
  await again.stop();
});

test("replication may not write into them nor empty them, and the app may", async () => {
  const app = await startApp({ role: "api", tenantSchema: (await projectWith([PLANS])).tenantSchema });
  expect(
    await sql(
      app.databaseUrl,
      "select tgname as name, tgenabled as fires from pg_trigger where tgrelid = 'home.plans'::regclass order by 1",
    ),
  ).toEqual([
    { name: "refuse_replicated_row", fires: "R" },
    { name: "refuse_truncate", fires: "R" },
  ]);
  const asReplica = "set session_replication_role = replica; truncate home.plans";
  await expect(sql(app.databaseUrl, asReplica)).rejects.toThrow("cannot be truncated");
  await sql(app.databaseUrl, "truncate home.plans");
  await app.stop();
});

test("what somebody changes by hand at home is told by its name, in the app's tables there too", async () => {
  const { tenantSchema } = await projectWith([PLANS]);
  const app = await startApp({ role: "api", tenantSchema });
  const { databaseUrl, secretKey, services } = app;
  expect(await findDrift(services)).toEqual([]);
  await sql(
    databaseUrl,
    `alter table home.plans alter name drop not null; drop policy own_organization on app.lines;
     alter table tenantry.users add column nick text; create index plans_name on home.plans (name);`,
  );
  const [told, ...others] = await findDrift(services);
  expect([others, told?.database]).toEqual([[], services.homeDatabaseName]);
  expect(told?.differences.toSorted()).toEqual([
    'column name of table home.plans is "text" in place of "text not null"',
    "table app.lines lacks policy own_organization",
    "table home.plans has index plans_name, which is not part of the schema",
    "table users has column nick, which is not part of the schema",
  ]);
  await app.stop();
  await sql(
    databaseUrl,
    `alter table home.plans alter name set not null; drop index home.plans_name;
     alter table tenantry.users drop column nick;
     create policy own_organization on app.lines using (organization_id = (select tenantry.scope_organization()));`,
  );
  const again = await startApp({ databaseUrl, secretKey, role: "api", tenantSchema });
  expect(await findDrift(again.services)).toEqual([]);
  await again.stop();
});

test.each([
  [
    "a table of Tenantry's",
    "create table tenantry.mine (id int)",
    "there is table mine, which is not part of the schema",
  ],
  ["a column of Tenantry's", "alter table tenantry.users add column nick text", "table users has column nick"],
  [
    "a table of the app's",
    "alter table app.invoices drop column total_cents",
    "table app.invoices lacks column total_cents",
  ],
  ["a right", "grant select on tenantry.users to public", "table users has grant select to public"],
  ["the catalog", "create index on catalog.invoices (number)", "table catalog.invoices has index"],
  [
    "a row of Tenantry's",
    "insert into tenantry.erasures (user_id, id, erased_at) values (gen_random_uuid(), gen_random_uuid(), now())",
    "writes into tenantry.erasures",
  ],
  [
    "a row of the app's",
    "delete from app.lines; insert into tenantry.adopted_numbers values (3)",
    "writes into tenantry.adopted_numbers",
  ],
  ["a table elsewhere", "create table public.mine (id int)", "makes public.mine: make it in schema home"],
  [
    "a foreign key",
    "create table home.subscriptions (organization_id uuid references tenantry.organizations)",
    "ties home.subscriptions to tenantry.organizations",
  ],
  ["a view", "create view home.all_invoices as select * from app.invoices", "ties home.all_invoices to app.invoices"],
  [
    "a tenant table",
    "create table home.x (id uuid primary key); select tenantry.tenant_table('home.x')",
    "is not an ordinary table of schema app",
  ],
])("a migration that touches %s is refused by check and by start, and changes nothing", async (_, text, sentence) => {
  const project = await projectWith([PLANS, text]);
  const { refusals, manifest } = await checkProject(project, serverUrl("eu"));
  expect(refusals).toEqual([expect.stringContaining(sentence)]);
  expect([refusals[0]?.includes("0002_own.sql"), manifest]).toEqual([true, undefined]);
  const app = await startApp({ role: "api", tenantSchema: (await projectWith([PLANS])).tenantSchema });
  const { databaseUrl, secretKey } = app;
  await app.stop();
  await expect(startApp({ databaseUrl, secretKey, role: "api", tenantSchema: project.tenantSchema })).rejects.toThrow(
    sentence,
  );
  expect(await versions(databaseUrl)).toHaveLength(2);
  const again = await startApp({
    databaseUrl,
    secretKey,
    role: "api",
    tenantSchema: (await projectWith([PLANS])).tenantSchema,
  });
  await again.stop();
});

test("the manifest has them, and a start refuses other texts", async () => {
  const project = await projectWith([PLANS]);
  const { refusals, manifest, changes } = await checkProject(project, serverUrl("eu"));
  expect([refusals, changes[0]]).toEqual([[], "0001_own.sql of home is new"]);
  expect(manifest?.home).toMatchObject([{ migration: "0001_own.sql" }]);
  writeFileSync(manifestFile(project.migrationsFolder), formatManifest(manifest ?? { versions: [] }));
  expect((await loadProject(project.folder))?.home?.migrations).toHaveLength(1);
  const second = join(project.folder, "db/home/0002_more.sql");
  writeFileSync(second, "select 1");
  await expect(loadProject(project.folder)).rejects.toThrow("does not list db/home/0002_more.sql: run tenantry check");
  const again = await findProject(project.folder);
  expect((await checkProject(again ?? project, serverUrl("eu"))).changes).toEqual(["0002_more.sql of home is new"]);
  writeFileSync(join(project.folder, "db/home/0001_own.sql"), "select 2");
  await expect(loadProject(project.folder)).rejects.toThrow("was made from another text of db/home/0001_own.sql");
});
