/** Fleets of tenant databases made cheaply, and programs of other versions. */
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { type MigrationSet, readMigration } from "../../src/engine/migrations/migration-set.ts";
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { createLogger } from "../../src/base/observability/logger.ts";
import type { Services } from "../../src/engine/services.ts";
import { closeServices, createServices } from "../../src/services.ts";
import { sql, type TestApp } from "./app.ts";

/** The tenant schema of a program that has these migrations more. */
export function schemaWith(...added: string[]): MigrationSet {
  const first = TENANT_SCHEMA.migrations.filter(({ part }) => part === "app").length + 1;
  const migrations = [
    ...TENANT_SCHEMA.migrations,
    ...added.map((text, index) => readMigration("app", first + index, `added_${index}`, text)),
  ];
  return { migrations, latestVersion: migrations.length };
}

/** What a command of that program works with. */
export async function openServices(
  app: Pick<TestApp, "databaseUrl" | "secretKey">,
  tenantSchema: MigrationSet = TENANT_SCHEMA,
): Promise<Services & AsyncDisposable> {
  const { databaseUrl, secretKey } = app;
  const logger = createLogger({ level: "silent" });
  const services = await createServices({
    databaseUrl,
    secretKey,
    logger,
    // A program with other migrations has migrated home before its command is used.
    migrateHome: tenantSchema !== TENANT_SCHEMA,
    tenantSchema,
  });
  return { ...services, [Symbol.asyncDispose]: () => closeServices(services) };
}

/**
 * Adds active placements with databases copied from the template, one after the other, but without links: nobody may
 * carry replication while they are there. Returns the databases' names.
 */
export async function addDatabases(app: TestApp, regionKey: string, server: string, count: number): Promise<string[]> {
  const [template] = await sql<{ name: string }>(
    `${server}/postgres`,
    "select datname as name from pg_database where datname like 'tenantry\\_%\\_template\\_%' and datname like $1",
    [`tenantry_${await installationOf(app)}_%`],
  );
  const rows = await sql<{ id: number; name: string }>(
    app.databaseUrl,
    `with organization as (
       insert into tenantry.organizations (id, name)
       select gen_random_uuid(), 'Fleet ' || i from generate_series(1, $2) i returning id
     ), numbered as (
       select id, nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as number from organization
     ), database as (
       insert into tenantry.tenant_databases (id, region_id, isolation, name, engine_version, app_version)
       overriding system value
       select number, r.id, 'DEDICATED', 'tenantry_' || (select id from tenantry.installation) || '_' || number, $3, $4
       from numbered, tenantry.regions r where r.key = $1 returning *
     ), placement as (
       insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
       select gen_random_uuid(), n.id, d.region_id, d.id, d.isolation, 'ACTIVE'
       from database d join numbered n on n.number = d.id
     )
     select id, name from database order by id`,
    [regionKey, count, latestOf(TENANT_SCHEMA).engine, latestOf(TENANT_SCHEMA).app],
  );
  for (const { name } of rows) await sql(`${server}/postgres`, `create database ${name} template ${template?.name}`);
  return rows.map(({ name }) => name);
}

async function installationOf(app: TestApp): Promise<string> {
  const [row] = await sql<{ id: string }>(app.databaseUrl, "select id from tenantry.installation");
  return row?.id ?? "";
}
