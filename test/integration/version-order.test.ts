/** An upgrade of the engine and a migration of the app, in each order and at once: at home and in tenant databases. */
import { expect, test } from "vitest";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { migrateFleet } from "../../src/engine/fleet/migrate-databases.ts";
import { waitUntilInCatalog } from "../../src/engine/links/visible-writes.ts";
import { describeSchema } from "../../src/engine/migrations/fingerprint.ts";
import {
  ENGINE_MIGRATIONS,
  type EngineMigrations,
  type MigrationSet,
  readMigration,
  tenantSchemaOf,
} from "../../src/engine/migrations/migration-set.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { openServices } from "../support/fleet.ts";
import { invoicesWith } from "../support/invoices.ts";
import { createOrganization, grant, registerRegion } from "../support/journey.ts";

/** A second step: for both, and one more column of the directory, which home and tenant databases have to make together. */
const ADD_PLAN = `alter table tenantry.directory_organizations add column plan text not null default 'free';
  select tenantry.directory('tenantry.directory_organizations', '{database_id,organization_id,name,created_at,plan}');`;
const LATER: EngineMigrations = {
  both: [
    ...ENGINE_MIGRATIONS.both,
    readMigration("both", 2, "later", "create function tenantry.later() returns int language sql return 2;"),
  ],
  home: [...ENGINE_MIGRATIONS.home, readMigration("home", 2, "plan", ADD_PLAN)],
  tenant: [
    ...ENGINE_MIGRATIONS.tenant,
    readMigration("tenant", 2, "plan", `${ADD_PLAN} create index audit_log_at on tenantry.audit_log (at);`),
  ],
};
const DUE = `alter table app.invoices add column due date not null default '2030-01-01';
  select tenantry.catalog('app.invoices', '{number,due}');`;

/** The program with so many steps of the engine and so many migrations of the app. */
function program(engine: 1 | 2, app: 1 | 2): MigrationSet {
  const migrations = invoicesWith(DUE).migrations.filter(({ part, number }) => part === "app" && number <= app);
  return tenantSchemaOf(migrations, { engine: engine === 1 ? ENGINE_MIGRATIONS : LATER });
}

/** What home is, without what names this installation. */
async function homeOf({ services }: TestApp): Promise<string[]> {
  const { lines } = await describeSchema(services.home);
  return lines.map((line) => line.replaceAll(services.installation, "<installation>"));
}

const versions = (app: TestApp) =>
  sql(
    app.databaseUrl,
    "select engine_version as engine, app_version as app from tenantry.tenant_databases order by id",
  );

/** Writes an invoice in the organization's placement and sees what home's catalog has of it. */
async function add(app: TestApp, organization: string, number: string, also: object = {}): Promise<void> {
  const [route] = await app.services.router.routesOf(organization);
  expect(route?.versionObstacle).toBeUndefined();
  await route?.open().query("test.row", "insert into app.invoices (number) values ($1)", [number]);
  await waitUntilInCatalog(app.services, route?.databaseId ?? 0);
  const inCatalog = async () => {
    const [found] = await sql<{ row: object }>(
      app.databaseUrl,
      "select to_jsonb(i) - '{placement_number,id,organization_id}'::text[] as row from catalog.invoices i where number = $1",
      [number],
    );
    return found?.row;
  };
  await expect.poll(inCatalog, { timeout: 15_000 }).toMatchObject({ number, ...also });
}

/** Home and two tenant databases that come to the last version by these programs, one after the other. */
async function arriveBy(...programs: MigrationSet[]): Promise<string[]> {
  let app = await startApp({ tenantSchema: program(1, 1) });
  try {
    await registerRegion(app, "eu", serverUrl("eu"));
    const organization = await createOrganization(app, "Early");
    const { database } = await grant(app, organization, "eu");
    await add(app, organization, "N-0");
    for (const [index, tenantSchema] of programs.entries()) {
      const { databaseUrl, secretKey } = app;
      await app.stop();
      app = await startApp({ databaseUrl, secretKey, tenantSchema });
      // Served before it is migrated, and compared with what its own version is.
      await add(app, organization, `N-${index}-BEFORE`);
      await using services = await openServices(app, tenantSchema);
      expect(await findDrift(services)).toEqual([]);
      expect(await migrateFleet(services, "operator")).toMatchObject({ migrated: 1, failed: [], drifted: [] });
      expect(await findDrift(services)).toEqual([]);
      await add(app, organization, `N-${index}-AFTER`);
    }
    await add(app, organization, "N-LAST", { due: "2030-01-01" });
    await grant(app, await createOrganization(app, "Late"), "eu");
    expect(await versions(app)).toEqual([
      { engine: 4, app: 2 },
      { engine: 4, app: 2 },
    ]);
    // The directory has the engine's new column, by its link.
    const url = `${serverUrl("eu")}/${database}`;
    await sql(app.databaseUrl, "update tenantry.directory_organizations set plan = 'paid' where organization_id = $1", [
      organization,
    ]);
    await app.sweep();
    await expect
      .poll(() => sql(url, "select plan from tenantry.directory_organizations"), { timeout: 10_000 })
      .toEqual([{ plan: "paid" }]);
    return await homeOf(app);
  } finally {
    await app.stop();
  }
}

/** Home as this program makes it at once. */
async function madeAtOnce(tenantSchema: MigrationSet): Promise<string[]> {
  const app = await startApp({ tenantSchema });
  try {
    return await homeOf(app);
  } finally {
    await app.stop();
  }
}

test("the engine's step comes before, after and together with the app's migration, and all is the same in the end", async () => {
  const expected = await madeAtOnce(program(2, 2));
  expect(await arriveBy(program(2, 1), program(2, 2))).toEqual(expected);
  expect(await arriveBy(program(1, 2), program(2, 2))).toEqual(expected);
  expect(await arriveBy(program(2, 2))).toEqual(expected);
}, 120_000);

test("a program that lacks something of either refuses what has it, also where it has as much in all", async () => {
  const app = await startApp({ tenantSchema: program(1, 2) });
  const { databaseUrl, secretKey } = app;
  await registerRegion(app, "eu", serverUrl("eu"));
  const organization = await createOrganization(app, "Other");
  await grant(app, organization, "eu");
  const [route] = await app.services.router.routesOf(organization);
  expect(route?.versionObstacle).toBeUndefined();
  await sql(databaseUrl, "update tenantry.tenant_databases set engine_version = engine_version + 1, app_version = 1");
  app.services.router.forget();
  const [ahead] = await app.services.router.routesOf(organization);
  expect(ahead?.versionObstacle).toContain("4 (3 of Tenantry and 1 of the app), newer than the 4 (2 of Tenantry and 2");
  await sql(databaseUrl, "update tenantry.tenant_databases set engine_version = engine_version - 1, app_version = 2");
  await app.stop();
  const newer = await startApp({ databaseUrl, secretKey, role: "api", tenantSchema: program(2, 2) });
  await newer.stop();
  await expect(startApp({ databaseUrl, secretKey, tenantSchema: program(2, 1) })).rejects.toThrow("newer than the");
  await expect(startApp({ databaseUrl, secretKey, tenantSchema: program(1, 2) })).rejects.toThrow("newer than the");
}, 60_000);
