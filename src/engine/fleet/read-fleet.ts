/** The fleet as home knows it: which versions there are, what stands in the way, and how far a migration is. Asks no region. */
import type { NumberRange } from "#engine/home/replicated-databases";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { FLEET_SUBJECT } from "#engine/fleet/migrate-databases";
import {
  countByVersion,
  countVersions,
  countMigratedSince,
  type FleetDatabaseFilter,
  listFleetDatabases,
  type FleetDatabaseRecord,
} from "#engine/home/fleet-records";
import { findLatestJob, type Job } from "#engine/jobs/list-jobs";
import { isSameVersion, latestOf, type SchemaVersion, totalOf } from "#engine/migrations/schema-version";
import type { Services } from "#engine/services";

export type { FleetDatabaseRecord } from "#engine/home/fleet-records";

export type FleetVersion = { version: number | null; databases: number; isTarget: boolean };

/** The migration that runs, or the last one. */
export type FleetRun = {
  job: Job;
  /** How many go first, alone, and how many each wave has; null: it is not planned yet. */
  canaries: number | null;
  waves: number[] | null;
  migrated: number;
  failed: number;
  /** Databases that are not at the target now. */
  left: number;
};

export type Fleet = { target: SchemaVersion; versions: FleetVersion[] };

/** For the operator. */
export async function readFleet(services: Pick<Services, "home" | "tenantSchema">, actor: Actor): Promise<Fleet> {
  authorizeOperator(actor);
  const target = latestOf(services.tenantSchema);
  const found = await countByVersion(services);
  const versions = found.map(({ version, databases }) => ({
    version: version === null ? null : totalOf(version),
    databases,
    isTarget: version !== null && isSameVersion(version, target),
  }));
  return { target, versions };
}

/** A page of tenant databases, for the operator. */
export function readFleetDatabases(
  services: Pick<Services, "home" | "tenantSchema">,
  actor: Actor,
  filter: FleetDatabaseFilter,
  page: NumberRange,
): Promise<FleetDatabaseRecord[]> {
  authorizeOperator(actor);
  return listFleetDatabases(services, latestOf(services.tenantSchema), filter, page);
}

/** Null: none was ever begun. For the operator. */
export async function readFleetRun(
  services: Pick<Services, "home" | "tenantSchema">,
  actor: Actor,
): Promise<FleetRun | null> {
  authorizeOperator(actor);
  const job = await findLatestJob(services, "migrate-databases", FLEET_SUBJECT);
  if (job === undefined) return null;
  const since = job.startedAt ?? job.requestedAt;
  const [{ behind }, { migrated, failed }] = await Promise.all([
    countVersions(services, latestOf(services.tenantSchema)),
    countMigratedSince(services, since, job.finishedAt),
  ]);
  const { canaries, waves } = planIn(job.result);
  return { job, canaries, waves, migrated, failed, left: behind };
}

/** What the job has noted of its plan. A job of another version may have noted nothing. */
function planIn(result: unknown): Pick<FleetRun, "canaries" | "waves"> {
  const { canaries, waves } = (result ?? {}) as Record<string, unknown>;
  return {
    canaries: typeof canaries === "number" ? canaries : null,
    waves: Array.isArray(waves) && waves.every((one): one is number => typeof one === "number") ? waves : null,
  };
}
