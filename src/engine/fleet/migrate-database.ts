/**
 * Migrates one tenant database of a fleet, with what flows to and from it. Every step looks at what is there, so that
 * running again mends a crash anywhere.
 *
 * Where the migration changes which columns flow, only those of both versions are published while it runs: a subscriber that
 * lacks a published column halts. So columns that go are taken off the publications first, new ones come last, and the
 * link is then reseeded, as rows that are there are not sent again.
 */
import { flowsDiffer } from "#engine/tables";
import { listTenantDatabases, setMigratingTo, type TenantDatabaseRecord } from "#engine/home/tenant-databases";
import { isInMove } from "#engine/home/moves-in-the-way";
import type { ServerAddress } from "#base/postgres/connection-url";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { refusalOf } from "#engine/failures/refusals";
import { notFound, TenantryError } from "#base/kernel/errors";
import { delay } from "#base/kernel/wait";
import {
  type MigratedDatabase,
  migrateDatabase,
  type SchemaOutcomes,
  type StatementLimits,
} from "#engine/migrations/database-migration";
import type { Attempt } from "#engine/fleet/fleet-executor";
import { isSameVersion, latestOf } from "#engine/migrations/schema-version";
import { realignLink } from "#engine/replication/establish";
import type { Link } from "#engine/replication/link";
import { nudge } from "#engine/replication/nudge";
import { classifyFailure } from "#engine/jobs/failure";
import type { FleetRecorder } from "#engine/fleet/fleet-recorder";
import type { Services } from "#engine/services";
import { tenantLinks } from "#engine/links/tenant-links";

/** How often, and after which pauses, something that was in the way is tried again. */
export type RetryPolicy = {
  readonly attempts: number;
  /** Of the last round, when all others are done. */
  readonly lastAttempts: number;
  /** The first pause; it doubles up to `maxPauseMs`, and each is between half and all of it. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
};

export const RETRY_DEFAULTS: RetryPolicy = { attempts: 2, lastAttempts: 8, pauseMs: 500, maxPauseMs: 8_000 };

export type DatabaseMigration = {
  readonly services: Services;
  readonly recorder: FleetRecorder;
  readonly addresses: ReadonlyMap<string, ServerAddress>;
  readonly limits: StatementLimits;
  readonly retry: RetryPolicy;
  /** What was seen of others in this run; undefined: every schema is read. */
  readonly outcomes: SchemaOutcomes | undefined;
};

/** Tries until it is done, or as often as the policy says. Never rejects. */
export async function tryToMigrate(
  context: DatabaseMigration,
  database: TenantDatabaseRecord,
  { last }: { last: boolean },
): Promise<Attempt<MigratedDatabase>> {
  const { attempts, lastAttempts, pauseMs, maxPauseMs } = context.retry;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { kind: "done", result: await migrateWithFlows(context, database) };
    } catch (error) {
      const kind = kindOf(error);
      // A server that is away is away for all of its databases: only at the end it pays to wait for it.
      const tries = kind === "failed" || (kind === "unreachable" && !last) ? 1 : last ? lastAttempts : attempts;
      if (attempt >= tries) return { kind, reason: await explain(context, database, error, kind) };
      const pause = Math.min(pauseMs * 2 ** (attempt - 1), maxPauseMs);
      // Not all that wait for the same thing shall come back at the same moment.
      await delay(pause * (0.5 + Math.random() / 2));
    }
  }
}

function kindOf(error: unknown): "blocked" | "unreachable" | "failed" {
  if (isConnectionFailure(error)) return "unreachable";
  if (error instanceof InMove) return "blocked";
  return refusalOf(error)?.retry === true ? "blocked" : "failed";
}

async function explain(
  context: DatabaseMigration,
  database: TenantDatabaseRecord,
  error: unknown,
  kind: "blocked" | "unreachable" | "failed",
): Promise<string> {
  if (kind === "blocked" && sqlState(error) === SQL_STATE.lockNotAvailable)
    return (await findLongTransaction(context, database).catch(() => undefined)) ?? classifyFailure(error).sentence;
  return classifyFailure(error).sentence;
}

/** Who is in the way, as far as can be seen: the transaction that has been open the longest. */
async function findLongTransaction(
  { services, addresses }: DatabaseMigration,
  database: TenantDatabaseRecord,
): Promise<string | undefined> {
  const address = addresses.get(database.regionId);
  if (address === undefined) return undefined;
  const [row] = await services.pools.visit("tenant", address, database.name, (session) =>
    session.query<{ pid: number; seconds: number; application: string }>(
      "fleet.blocker",
      `select pid, extract(epoch from now() - xact_start)::int as seconds, application_name as application
       from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
         and backend_type = 'client backend'
       order by xact_start limit 1`,
    ),
  );
  if (row === undefined) return undefined;
  const application = row.application === "" ? "" : ` of ${JSON.stringify(row.application)}`;
  return `A lock could not be had in time; process ${row.pid}${application} has had a transaction open for ${row.seconds} s.`;
}

/** Why a database is not migrated now. */
export const IN_MOVE = "A placement is being moved from or to it: migrate it when that is over.";

class InMove extends TenantryError {
  constructor() {
    super("CONFLICT", IN_MOVE);
  }
}

/** Databases of a region follow one another closely: which home owns it is not asked for each. */
const LOOKED_MS = 10_000;

async function migrateWithFlows(context: DatabaseMigration, database: TenantDatabaseRecord): Promise<MigratedDatabase> {
  const { services, recorder, addresses, limits, outcomes } = context;
  const { tenantSchema } = services;
  const { regionId } = database;
  await services.ownership.require(regionId, { maxAgeMs: LOOKED_MS });
  if (await isInMove(services, database.id)) throw new InMove();
  const target = latestOf(tenantSchema);
  const { flows } = services.tables.at(database.version);
  const flowsChange = flowsDiffer(flows, services.tables.at(target).flows) || database.migratingTo !== null;
  if (flowsChange) await publishLess(context, database.id);
  const address = addresses.get(regionId);
  if (address === undefined) throw new Error(`the address of region ${database.regionKey} is missing`);
  const migrated = await services.pools.visit("tenant", address, database.name, (session) =>
    // Where home is behind the database, what home recorded is of another schema.
    migrateDatabase(
      session,
      { set: tenantSchema, apiRole: services.apiRole.name },
      limits,
      outcomes &&
        ((version) =>
          database.version !== null && isSameVersion(version, database.version)
            ? outcomes.get({ regionId, version, fingerprint: database.fingerprint })
            : undefined),
    ),
  );
  if (database.version !== null && isSameVersion(migrated.from, database.version))
    outcomes?.add({ regionId, version: migrated.from, fingerprint: database.fingerprint }, migrated.fingerprint);
  const { version, fingerprint } = migrated;
  const recorded = recorder.record({ id: database.id, version, fingerprint });
  if (flowsChange) {
    // What may flow goes by what home has recorded.
    await recorded;
    await publishAll(context, database.id);
  }
  return migrated;
}

/** How long changes that hold a column which goes are waited for. Later they would halt the link, which is then mended. */
const DRAIN_TIMEOUT_MS = 5_000;

async function publishLess({ services }: DatabaseMigration, databaseId: number): Promise<void> {
  await setMigratingTo(services, databaseId, latestOf(services.tenantSchema));
  // A move that began before that is seen now, and one that begins later sees it (engine/home/begin-move.ts).
  if (await isInMove(services, databaseId)) {
    await setMigratingTo(services, databaseId, null);
    throw new InMove();
  }
  for (const link of await linksNow(services, databaseId)) {
    const realigned = await realignLink(link);
    // What was written before the publication changed is sent as it was then. Home keeps what a catalog no longer brings.
    if (realigned !== "unchanged" && link.direction === "directory")
      await services.nudges.carry([{ databaseId, direction: link.direction }], DRAIN_TIMEOUT_MS);
  }
}

async function publishAll({ services }: DatabaseMigration, databaseId: number): Promise<void> {
  for (const link of await linksNow(services, databaseId))
    if ((await realignLink(link)) === "reseeded")
      // What was written since the seed waits in the slot.
      await nudge(services.home, [{ databaseId, direction: link.direction }]);
  await setMigratingTo(services, databaseId, null);
}

/** By what home has recorded now: an earlier try may have come further than the plan knows. */
async function linksNow(services: Services, databaseId: number): Promise<Link[]> {
  const [now] = await listTenantDatabases(services, { id: databaseId });
  if (now === undefined) throw notFound("Tenant database");
  const { name: database, regionId, version: schemaVersion, migratingTo } = now;
  const links = await tenantLinks(services, { databaseId, regionId, database, schemaVersion, migratingTo });
  return [links.directory, links.catalog];
}
