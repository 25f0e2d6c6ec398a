/**
 * Migrates one tenant database over one connection, in two messages: a look under a lock, and each missing migration with
 * its record. What the database says of itself decides, whatever home remembers. Never blocks the tenant for longer than
 * the lock timeout plus the statements' own time.
 */
import { describeSchemaIn, FINGERPRINT_SCRIPT, fingerprintIn } from "#migrations/fingerprint";
import { expectedSchema } from "#migrations/manifest";
import { type Migration, type MigrationSet, TENANT_SCHEMA } from "#migrations/migration-set";
import { type Applied, MIGRATION_LOCK, refuseUnknown } from "#migrations/runner";
import { diffSchema } from "#migrations/schema-difference";
import type { Session } from "#postgres/database";
import { quoteLiteral } from "#postgres/identifiers";

export type StatementLimits = {
  /** How long a statement waits for a lock; meanwhile others queue up behind it. */
  readonly lockTimeoutMs: number;
  /** How long a statement may run, and so hold the locks it has. */
  readonly statementTimeoutMs: number;
};

export const STATEMENT_LIMIT_DEFAULTS: StatementLimits = { lockTimeoutMs: 2_000, statementTimeoutMs: 10_000 };

export type MigratedDatabase = {
  readonly version: number;
  readonly fingerprint: string;
  /** Where the schema is not what its version should be, in sentences. */
  readonly differences: readonly string[];
};

/**
 * Applies what is missing, each migration in a transaction of its own, and reads the fingerprint. The session is of no
 * more use when this throws. Throws the driver's errors, and CONFLICT for a database of another build or a newer program.
 */
export async function migrateDatabase(
  session: Session<"tenant">,
  set: MigrationSet,
  limits: StatementLimits,
): Promise<MigratedDatabase> {
  const looked = await session.script(
    "fleet.look",
    // The lock goes with the session; it keeps two programs from migrating the same database.
    `set lock_timeout = ${limits.lockTimeoutMs}; set statement_timeout = ${limits.statementTimeoutMs};
     select pg_advisory_lock(${MIGRATION_LOCK});
     select version, name, checksum from tenantry.migrations order by version`,
  );
  const applied = (looked.at(-1) ?? []) as Applied[];
  refuseUnknown(applied, set);
  const missing = set.migrations.slice(applied.length);
  for (const migration of missing.slice(0, -1)) await session.script(label(migration), transactionOf(migration));
  // The fingerprint comes after the commit: no lock is held while it is read.
  const last = missing.at(-1);
  const results = await session.script(
    last === undefined ? "fleet.fingerprint" : label(last),
    `${last === undefined ? "" : `${transactionOf(last)}; `}${FINGERPRINT_SCRIPT}`,
  );
  const fingerprint = fingerprintIn(results);
  // A set that plays another program has versions that no manifest is of.
  const expected = set === TENANT_SCHEMA ? expectedSchema(set.latestVersion) : undefined;
  const differences =
    expected === undefined || expected.fingerprint === fingerprint
      ? []
      : diffSchema(expected, await describeSchemaIn(session));
  return { version: set.latestVersion, fingerprint, differences };
}

function label({ version, name }: Migration): string {
  return `migration ${version} ${name}`;
}

function transactionOf({ version, name, sql, checksum }: Migration): string {
  return `begin;
    ${sql}
    ;
    insert into tenantry.migrations (version, name, checksum)
      values (${version}, ${quoteLiteral(name)}, ${quoteLiteral(checksum)});
    commit`;
}
