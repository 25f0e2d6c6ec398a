/** Brings one database to the latest version of a migration set. Safe to run twice and by two at once. */
import { TenantryError } from "#base/kernel/errors";
import type { Migration, MigrationSet } from "#engine/migrations/migration-set";
import type { Database, DatabaseKind, Queryable } from "#base/postgres/database";

// An arbitrary constant; advisory locks are per database, so every database has its own.
export const MIGRATION_LOCK = 7_365_001;

/**
 * Applies what is missing and returns the version reached. Migrations of tenant databases grant `apiRole` its rights. Throws CONFLICT when the database is newer than this
 * program, or when a migration that was applied has changed since.
 */
export async function migrate<Kind extends DatabaseKind>(
  database: Database<Kind>,
  set: MigrationSet,
  apiRole = "",
): Promise<number> {
  await database.session(async (session) => {
    await session.query("migrations.lock", `select pg_advisory_lock(${MIGRATION_LOCK})`);
    await session.query("migrations.table", MIGRATIONS_TABLE);
    const applied = await readApplied(session);
    refuseUnknown(applied, set);
    for (const migration of set.migrations.slice(applied.length)) await apply(session, migration, apiRole);
    await session.query("migrations.unlock", `select pg_advisory_unlock(${MIGRATION_LOCK})`);
  });
  return set.latestVersion;
}

/** Refuses a database that is not at the latest version; changes nothing. Throws CONFLICT. */
export async function requireLatest<Kind extends DatabaseKind>(
  database: Database<Kind>,
  set: MigrationSet,
): Promise<void> {
  const [row] = await database.query<{ exists: boolean }>(
    "migrations.exists",
    "select to_regclass('tenantry.migrations') is not null as exists",
  );
  const applied = row?.exists === true ? await readApplied(database) : [];
  refuseUnknown(applied, set);
  if (applied.length < set.latestVersion)
    throw new TenantryError(
      "CONFLICT",
      `The database is at schema version ${applied.length} and this program is at ${set.latestVersion}: start it once to migrate home.`,
    );
}

const MIGRATIONS_TABLE = `
  do $$ begin
    create schema if not exists tenantry;
    create table if not exists tenantry.migrations (
      version int primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    );
  end $$`;

/** A migration that a database has, as it recorded it. */
export type Applied = { version: number; name: string; checksum: string };

function readApplied(session: Queryable<DatabaseKind>): Promise<Applied[]> {
  return session.query<Applied>(
    "migrations.applied",
    "select version, name, checksum from tenantry.migrations order by version",
  );
}

/** Refuses what this program's migrations cannot have led to. Throws CONFLICT. */
export function refuseUnknown(applied: readonly Applied[], set: MigrationSet): void {
  if (applied.length > set.latestVersion)
    throw new TenantryError(
      "CONFLICT",
      `The database is at schema version ${applied.length}, newer than the ${set.latestVersion} this program knows: start the newer program.`,
    );
  for (const [index, row] of applied.entries()) {
    const known = set.migrations[index];
    if (known?.version !== row.version || known.checksum !== row.checksum)
      throw new TenantryError(
        "CONFLICT",
        `Migration ${row.version} (${row.name}) was applied with another text than this program has: the database belongs to another build.`,
      );
  }
}

/** What a migration finds the name of the API's role in. */
export const API_ROLE_SETTING = "tenantry.api_role";

async function apply(session: Queryable<DatabaseKind>, migration: Migration, apiRole: string): Promise<void> {
  const label = `migration ${migration.version} ${migration.name}`;
  await session.query(label, "begin");
  await session.query(label, "select set_config($1, $2, true)", [API_ROLE_SETTING, apiRole]);
  // When it throws, the session is discarded and with it the transaction.
  await session.query(label, migration.sql);
  await session.query(label, "insert into tenantry.migrations (version, name, checksum) values ($1, $2, $3)", [
    migration.version,
    migration.name,
    migration.checksum,
  ]);
  await session.query(label, "commit");
}
