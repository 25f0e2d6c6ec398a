/**
 * Migrates one tenant database over one connection, in two messages: a look under a lock, and each missing migration with
 * its record. What the database says of itself decides, whatever home remembers. Never blocks the tenant for longer than
 * the lock timeout plus the statements' own time.
 *
 * To read the whole schema of a database takes a fresh connection 8 ms, more than to migrate it: a fleet would take 1.8
 * times as long. The same migrations on the same schema lead to the same schema, so it is read once for each schema that
 * there was before, and what was seen is taken for the others. What somebody changed by hand since the last look is found
 * by `--verify` and `doctor`, which always read.
 */
import { type Applied, READ_APPLIED } from "#engine/migrations/applied";
import { FINGERPRINT_SCRIPT, fingerprintIn } from "#engine/migrations/fingerprint";
import { labelOf, type MigrationSet } from "#engine/migrations/migration-set";
import { MIGRATION_LOCK, missingOf, transactionOf } from "#engine/migrations/runner";
import { describeVersion, latestOf, type SchemaVersion, versionOf } from "#engine/migrations/schema-version";
import type { Session } from "#base/postgres/database";

export type StatementLimits = {
  /** How long a statement waits for a lock; meanwhile others queue up behind it. */
  readonly lockTimeoutMs: number;
  /** How long a statement may run, and so hold the locks it has. */
  readonly statementTimeoutMs: number;
};

export const STATEMENT_LIMIT_DEFAULTS: StatementLimits = { lockTimeoutMs: 2_000, statementTimeoutMs: 10_000 };

/**
 * Which fingerprints schemas came to, by what they were: by region, by version and by the fingerprint that home has recorded. What
 * one region's server says counts for no other region.
 */
export class SchemaOutcomes {
  readonly #seen = new Map<string, string>();

  get(was: SchemaBefore): string | undefined {
    return this.#seen.get(keyOf(was));
  }

  add(was: SchemaBefore, became: string): void {
    this.#seen.set(keyOf(was), became);
  }
}

/** `fingerprint`: null where it is as it was made from the template. */
type SchemaBefore = { regionId: string; version: SchemaVersion; fingerprint: string | null };

function keyOf({ regionId, version, fingerprint }: SchemaBefore): string {
  return `${regionId} ${describeVersion(version)} ${fingerprint ?? "as made"}`;
}

/** Answers of the look before the one that says what was applied. */
const LOOK_BEFORE = 3;

/** `from`: the version that it really had. */
export type MigratedDatabase = {
  readonly from: SchemaVersion;
  readonly version: SchemaVersion;
  readonly fingerprint: string;
};

/**
 * Applies what is missing, each migration in a transaction of its own; they grant `apiRole` its rights. The schema is read when
 * `outcomeFrom` does not know what it becomes from the version that it has. The session is of no more use when this throws. Throws the driver's
 * errors, and CONFLICT for a database of another build or a newer program.
 */
export async function migrateDatabase(
  session: Session<"tenant">,
  { set, apiRole }: { set: MigrationSet; apiRole: string },
  limits: StatementLimits,
  outcomeFrom?: (version: SchemaVersion) => string | undefined,
): Promise<MigratedDatabase> {
  // Where nothing is known of what a schema becomes, it is read on the way: as a rule nothing is missing then.
  const isRead = outcomeFrom === undefined;
  const looked = await session.script(
    "fleet.look",
    // The lock goes with the session; it keeps two programs from migrating the same database.
    `set lock_timeout = ${limits.lockTimeoutMs}; set statement_timeout = ${limits.statementTimeoutMs};
     select pg_advisory_lock(${MIGRATION_LOCK});
     ${READ_APPLIED}${isRead ? `; ${FINGERPRINT_SCRIPT}` : ""}`,
  );
  const applied = (looked[LOOK_BEFORE] ?? []) as Applied[];
  const missing = missingOf(applied, set);
  if (isRead && missing.length === 0)
    return {
      from: versionOf(applied),
      version: latestOf(set),
      fingerprint: fingerprintIn(looked.slice(LOOK_BEFORE + 1)),
    };
  for (const migration of missing.slice(0, -1))
    await session.script(labelOf(migration), transactionOf(migration, apiRole));
  const last = missing.at(-1);
  const known = outcomeFrom?.(versionOf(applied));
  // The fingerprint comes after the commit: no lock is held while it is read.
  const texts = [
    ...(last === undefined ? [] : [transactionOf(last, apiRole)]),
    ...(known === undefined ? [FINGERPRINT_SCRIPT] : []),
  ];
  const results =
    texts.length === 0
      ? []
      : await session.script(last === undefined ? "fleet.fingerprint" : labelOf(last), texts.join("; "));
  return {
    from: versionOf(applied),
    version: latestOf(set),
    fingerprint: known ?? fingerprintIn(results),
  };
}
