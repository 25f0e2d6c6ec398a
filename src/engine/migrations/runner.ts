/** Brings one database to the latest version of a migration set. Safe to run twice and by two at once. */
import { TenantryError } from "#base/kernel/errors";
import { type Applied, READ_APPLIED } from "#engine/migrations/applied";
import { readBefore, refuseOutside } from "#engine/migrations/home-tables";
import { labelOf, type Migration, type MigrationSet } from "#engine/migrations/migration-set";
import { describeVersion, latestOf, versionOf } from "#engine/migrations/schema-version";
import type { Database, DatabaseKind, Queryable, Session } from "#base/postgres/database";
import { quoteLiteral } from "#base/postgres/identifiers";
import { isConnectionFailure, sqlState } from "#base/postgres/sql-state";

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
    await refuseUnreleased(session);
    await session.query("migrations.table", MIGRATIONS_TABLE);
    const applied = await readApplied(session);
    for (const migration of missingOf(applied, set)) await apply(session, migration, apiRole);
    await session.query("migrations.unlock", `select pg_advisory_unlock(${MIGRATION_LOCK})`);
  });
  return set.latestVersion;
}

/**
 * The same for a database that nobody else knows of, which has `applied`: everything goes in one message with `last`, as the server
 * may be far away. Returns what that message gave. Where something is refused it is begun again one by one, so that what is
 * thrown says where.
 */
export async function migrateAtOnce<Kind extends DatabaseKind>(
  database: Database<Kind>,
  { set, apiRole, applied }: { set: MigrationSet; apiRole: string; applied: readonly Applied[] },
  last: string,
): Promise<object[][]> {
  const missing = missingOf(applied, set).map((migration) => transactionOf(migration, apiRole));
  try {
    const all = [MIGRATIONS_TABLE, ...missing, last].join(";\n");
    return await database.session((session) => session.script("migrations.all", all));
  } catch (error) {
    if (sqlState(error) === undefined || isConnectionFailure(error)) throw error;
    await migrate(database, set, apiRole);
    return database.session((session) => session.script("migrations.last", last));
  }
}

/** Refuses a database that is not at the latest version; changes nothing. Throws CONFLICT. */
export async function requireLatest<Kind extends DatabaseKind>(
  database: Database<Kind>,
  set: MigrationSet,
): Promise<void> {
  await refuseUnreleased(database);
  const [row] = await database.query<{ exists: boolean }>(
    "migrations.exists",
    "select to_regclass('tenantry.migrations') is not null as exists",
  );
  const applied = row?.exists === true ? await readApplied(database) : [];
  if (missingOf(applied, set).length > 0)
    throw new TenantryError(
      "CONFLICT",
      `The database is at schema version ${describeVersion(versionOf(applied))} and this program is at ${describeVersion(latestOf(set))}: start it once to migrate home.`,
    );
}

/** A database of before 0.2 has nothing that this version could go on from. Throws CONFLICT. */
async function refuseUnreleased(session: Queryable<DatabaseKind>): Promise<void> {
  const [row] = await session.query<{ old: boolean }>(
    "migrations.form",
    `select exists (select from pg_attribute where attrelid = to_regclass('tenantry.migrations') and attname = 'version') as old`,
  );
  if (row?.old === true)
    throw new TenantryError(
      "CONFLICT",
      "This database was made by a version of Tenantry before 0.2, which was never released: start with an empty database or data folder.",
    );
}

const MIGRATIONS_TABLE = `
  do $$ begin
    create schema if not exists tenantry;
    -- The schema's version is how many rows there are.
    create table if not exists tenantry.migrations (
      part text not null,
      number int not null,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now(),
      primary key (part, number)
    );
  end $$`;

function readApplied(session: Queryable<DatabaseKind>): Promise<Applied[]> {
  return session.query<Applied>("migrations.applied", READ_APPLIED);
}

/**
 * The migrations that a database lacks, in their order. Throws CONFLICT for a database that this program's migrations cannot
 * have led to.
 */
export function missingOf(applied: readonly Applied[], set: MigrationSet): Migration[] {
  const keyOf = ({ part, number }: { part: string; number: number }) => `${part} ${number}`;
  const known = new Map(set.migrations.map((migration) => [keyOf(migration), migration]));
  for (const row of applied) {
    const migration = known.get(keyOf(row));
    if (migration === undefined)
      throw new TenantryError(
        "CONFLICT",
        `The database is at schema version ${describeVersion(versionOf(applied))}, newer than the ${describeVersion(latestOf(set))} this program knows: start the newer program.`,
      );
    if (migration.checksum !== row.checksum)
      throw new TenantryError(
        "CONFLICT",
        `Migration ${row.number} of ${row.part} (${row.name}) was applied with another text than this program has: the database belongs to another build.`,
      );
  }
  const had = new Set(applied.map(keyOf));
  return set.migrations.filter((migration) => !had.has(keyOf(migration)));
}

/** The migrations that a database has, in the order of the set. Throws CONFLICT like {@link missingOf}. */
export function appliedOf(applied: readonly Applied[], set: MigrationSet): Migration[] {
  const missing = new Set(missingOf(applied, set));
  return set.migrations.filter((migration) => !missing.has(migration));
}

/** What a migration finds the name of the API's role in. */
export const API_ROLE_SETTING = "tenantry.api_role";
/** What the calls of a migration find its part and number in. */
export const MIGRATION_SETTING = "tenantry.migration";

/** The API's role may use what the app makes in schema `home`, unless the migration takes a right away again. */
const GRANT_HOME_TABLES = `do $$ declare
    api text := tenantry.api_role();
  begin
    execute format('alter default privileges in schema home grant select, insert, update, delete on tables to %I', api);
    execute format('alter default privileges in schema home grant usage on sequences to %I', api);
  end $$`;

async function apply(session: Session<DatabaseKind>, migration: Migration, apiRole: string): Promise<void> {
  const label = labelOf(migration);
  const { part, number } = migration;
  if (!part.startsWith("app")) {
    // One message, as the server may be far away. Of a team's own, errors say at which character of the file they are.
    await session.script(label, transactionOf(migration, apiRole));
    return;
  }
  await session.query(label, "begin");
  await session.query(label, "select set_config($1, $2, true), set_config($3, $4, true)", [
    API_ROLE_SETTING,
    apiRole,
    MIGRATION_SETTING,
    `${part} ${number}`,
  ]);
  if (part === "app_home") await session.query(label, GRANT_HOME_TABLES);
  const before = part === "app_home" ? await readBefore(session) : undefined;
  // When it throws, the session is discarded and with it the transaction.
  await session.query(label, migration.sql);
  if (before !== undefined) await refuseOutside(session, migration, before);
  await session.query(label, "insert into tenantry.migrations (part, number, name, checksum) values ($1, $2, $3, $4)", [
    part,
    number,
    migration.name,
    migration.checksum,
  ]);
  await session.query(label, "commit");
}

/** A migration and its record, in a transaction of its own, for one message. */
export function transactionOf({ part, number, name, sql, checksum }: Migration, apiRole: string): string {
  return `begin;
    set local ${API_ROLE_SETTING} = ${quoteLiteral(apiRole)};
    set local ${MIGRATION_SETTING} = ${quoteLiteral(`${part} ${number}`)};
    ${sql}
    ;
    insert into tenantry.migrations (part, number, name, checksum)
      values (${quoteLiteral(part)}, ${number}, ${quoteLiteral(name)}, ${quoteLiteral(checksum)});
    commit`;
}
