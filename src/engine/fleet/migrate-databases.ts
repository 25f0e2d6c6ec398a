/**
 * Migrates the fleet: brings every tenant database to the schema that this program is written for. Asked for by a command,
 * never by the start of a program. What has been done is read from the databases, so running again goes on after a crash
 * of anything.
 */
import { ensureApiRoleIn } from "#engine/regions/api-role-in-region";
import { listTenantDatabases, recordMigrationFailures, type TenantDatabaseRecord } from "#engine/home/tenant-databases";
import { probeRegion } from "#engine/regions/probe-regions";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import {
  type StatementLimits,
  STATEMENT_LIMIT_DEFAULTS,
  type MigratedDatabase,
  SchemaOutcomes,
} from "#engine/migrations/database-migration";
import { type FleetEvent, FleetExecutor, type FleetProgress } from "#engine/fleet/fleet-executor";
import {
  FLEET_LIMIT_DEFAULTS,
  FLEET_PLAN_DEFAULTS,
  type FleetDatabase,
  type FleetLimits,
  type FleetPlan,
  type FleetPlanOptions,
  isNothingDue,
  LOOK_LIMIT_DEFAULTS,
  LOOK_PLAN_DEFAULTS,
  planFleet,
  type Skipped,
} from "#engine/fleet/fleet-plan";
import { isSameVersion, latestOf, totalOf } from "#engine/migrations/schema-version";
import { classifyFailure } from "#engine/jobs/failure";
import { FleetRecorder } from "#engine/fleet/fleet-recorder";
import { IN_MOVE, RETRY_DEFAULTS, type RetryPolicy, tryToMigrate } from "#engine/fleet/migrate-database";
import { runHere } from "#engine/jobs/job-here";
import type { Services } from "#engine/services";
import { SchemaComparisons } from "#engine/placements/compare-schema";
import { refreshTemplates } from "#engine/placements/template-database";
import { forEachLimit } from "#base/kernel/semaphore";

export { STATEMENT_LIMIT_DEFAULTS } from "#engine/migrations/database-migration";
export { type SchemaVersion, totalOf } from "#engine/migrations/schema-version";
export type { FleetPlan } from "#engine/fleet/fleet-plan";
export type { FleetProgress } from "#engine/fleet/fleet-executor";

export const FLEET_SUBJECT = "fleet";

export type FleetMigrationOptions = Partial<Pick<FleetPlanOptions, "canariesPerRegion" | "waveShares" | "verify">> & {
  limits?: Partial<FleetLimits>;
  statements?: Partial<StatementLimits>;
  retry?: Partial<RetryPolicy>;
  /** 0 to 1: when more of the databases that are due fail, the run stops. */
  maxFailureShare?: number;
  signal?: AbortSignal;
  onPlan?: (plan: FleetPlan) => void;
  onEvent?: (event: FleetEvent<MigratedDatabase>, progress: FleetProgress) => void;
};

export const MAX_FAILURE_SHARE = 0.1;

/** Names of databases, each with one sentence without secrets. */
type Reasons = { database: string; region: string; reason: string }[];

export type FleetReport = {
  target: number;
  migrated: number;
  /** Looked into and found at the target already. */
  verified: number;
  upToDate: number;
  failed: Reasons;
  /** Those that cannot be migrated by this program now. */
  refused: Reasons;
  /** Where the schema is not what its version should be. */
  drifted: { database: string; region: string; differences: readonly string[] }[];
  /** Not begun, as the run stopped. */
  left: number;
  stopped: string | null;
  seconds: number;
};

/** `isLook`: nothing is due as far as home knows. */
type PlanWithRecords = FleetPlan & { isLook: boolean; records: ReadonlyMap<number, TenantDatabaseRecord> };

/** Reads what there is, asks the servers of databases that are due whether they are there, and plans; changes nothing. */
export async function planFleetMigration(
  services: Services,
  options: FleetMigrationOptions = {},
): Promise<PlanWithRecords> {
  const plan = await planByHome(services, options, new Set());
  const due = [...plan.canaries, ...plan.waves.flat()].map(({ id }) => plan.records.get(id));
  const regions = new Map(due.map((record) => [record?.regionKey ?? "", record?.regionId ?? ""]));
  const probed = await Promise.all(
    [...regions].map(async ([key, id]) => ((await probeRegion(services, id)) === null ? key : undefined)),
  );
  const unreachable = new Set(probed.filter((key) => key !== undefined));
  return unreachable.size === 0 ? plan : planByHome(services, options, unreachable);
}

async function planByHome(
  services: Pick<Services, "home" | "tenantSchema">,
  options: FleetMigrationOptions,
  unreachable: ReadonlySet<string>,
): Promise<PlanWithRecords> {
  const databases = await listTenantDatabases(services);
  const target = latestOf(services.tenantSchema);
  const isLook = options.verify === true && isNothingDue(databases, target);
  const defaults = isLook ? LOOK_PLAN_DEFAULTS : FLEET_PLAN_DEFAULTS;
  const plan = planFleet(databases, {
    canariesPerRegion: options.canariesPerRegion ?? defaults.canariesPerRegion,
    waveShares: options.waveShares ?? defaults.waveShares,
    verify: options.verify === true,
    target,
    unreachable,
  });
  return { ...plan, isLook, records: new Map(databases.map((database) => [database.id, database])) };
}

/**
 * Plans and migrates. CONFLICT when another migration of the fleet runs. What fails is in the report; nothing is recorded
 * as a job when nothing is due.
 */
export async function migrateFleet(
  services: Services,
  requestedBy: string,
  options: FleetMigrationOptions = {},
): Promise<FleetReport> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1_000;
  // Home alone says whether anything is due: where nothing is, no server is asked.
  const preview = await planByHome(services, options, new Set());
  if (isEmpty(preview)) {
    options.onPlan?.(preview);
    return { ...emptyReport(preview), seconds: seconds() };
  }
  const input = { target: totalOf(preview.target), verify: options.verify === true };
  const request = { kind: "migrate-databases", subject: FLEET_SUBJECT, input } as const;
  return runHere(services, requestedBy, request, async (run) => {
    // Read again: another run may have ended a moment ago.
    const plan = await run.step("plan", () =>
      Promise.all([planFleetMigration(services, options), prepareRegions(services, preview)]).then(([one]) => one),
    );
    options.onPlan?.(plan);
    // Whoever follows it sees how far it is.
    await run.save({ canaries: plan.canaries.length, waves: plan.waves.map(({ length }) => length) });
    const recorder = new FleetRecorder(services);
    const executor = await prepare(services, plan, recorder, options);
    await run.step("canary", () => executor.runCanaries());
    await run.step("waves", async () => {
      try {
        await executor.runWaves();
      } finally {
        await recorder.flushed();
      }
    });
    const { done, failed, left, stopped } = executor.outcome();
    if (failed.length > 0)
      await recordMigrationFailures(
        services,
        failed.map(({ database, reason }) => ({ id: database.id, reason })),
      );
    const { failures, drifted } = await run.step("templates", () => finish(services, plan, done));
    const report: FleetReport = {
      ...emptyReport(plan),
      // By what home knew: where the answer to a commit was lost, the second try finds the work done.
      migrated: done.filter(({ database }) => !isAt(database, plan)).length,
      verified: done.filter(({ database }) => isAt(database, plan)).length,
      failed: [
        ...failed.map(({ database, reason }) => ({ database: database.name, region: database.regionKey, reason })),
        ...failures,
      ],
      drifted,
      left: left.length,
      stopped: stopped ?? null,
      seconds: seconds(),
    };
    await run.save({
      ...report,
      failed: report.failed.slice(0, MAX_SAVED),
      drifted: report.drifted.slice(0, MAX_SAVED),
    });
    return report;
  });
}

/** The job's record is no log: of long lists it keeps the beginning. */
const MAX_SAVED = 20;

function isAt({ version }: FleetDatabase, { target }: FleetPlan): boolean {
  return version !== null && isSameVersion(version, target);
}

function isEmpty({ canaries, waves }: FleetPlan): boolean {
  return canaries.length + waves.length === 0;
}

const REFUSALS: Partial<Record<Skipped["reason"], string>> = {
  newer: "Its schema is newer than this program: start the newer program.",
  moving: IN_MOVE,
  unreachable: "The region's server cannot be reached now.",
};

function emptyReport({ target, skipped }: FleetPlan): FleetReport {
  const refused = skipped.flatMap(({ database, reason }) => {
    const sentence = REFUSALS[reason];
    return sentence === undefined ? [] : [{ database: database.name, region: database.regionKey, reason: sentence }];
  });
  const upToDate = skipped.filter(({ reason }) => reason === "up-to-date").length;
  const nothing = { migrated: 0, verified: 0, failed: [], drifted: [], left: 0, stopped: null, seconds: 0 };
  return { target: totalOf(target), upToDate, refused, ...nothing };
}

/**
 * Before the migrations that grant the API's role something. It does not wait for the plan, as the servers may be far away; one that
 * cannot be reached fails with its databases.
 */
async function prepareRegions(
  services: Pick<Services, "apiRole" | "home" | "ownership" | "pools" | "secrets">,
  { records }: PlanWithRecords,
): Promise<void> {
  const regionIds = new Set([...records.values()].map(({ regionId }) => regionId));
  await Promise.allSettled([...regionIds].map((id) => ensureApiRoleIn(services, id)));
}

async function prepare(
  services: Services,
  plan: PlanWithRecords,
  recorder: FleetRecorder,
  options: FleetMigrationOptions,
): Promise<FleetExecutor<MigratedDatabase>> {
  const regionIds = new Set([...plan.records.values()].map(({ regionId }) => regionId));
  const addresses = new Map(
    await Promise.all([...regionIds].map(async (id) => [id, await regionAddress(services, id)] as const)),
  );
  const context = {
    services,
    recorder,
    addresses,
    limits: { ...STATEMENT_LIMIT_DEFAULTS, ...options.statements },
    retry: { ...RETRY_DEFAULTS, ...options.retry },
    outcomes: options.verify === true ? undefined : new SchemaOutcomes(),
  };
  return new FleetExecutor<MigratedDatabase>(plan, {
    limits: { ...(plan.isLook ? LOOK_LIMIT_DEFAULTS : FLEET_LIMIT_DEFAULTS), ...options.limits },
    maxFailureShare: options.maxFailureShare ?? MAX_FAILURE_SHARE,
    signal: options.signal,
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    migrate: async ({ id }, stage) => {
      const record = plan.records.get(id);
      if (record === undefined) throw new Error(`the plan names database ${id}, which was not read`);
      return tryToMigrate(context, record, stage);
    },
  });
}

type Done = ReturnType<FleetExecutor<MigratedDatabase>["outcome"]>["done"];

/**
 * In each region where something was done: new placements come from a template of the new version from now on, those of older
 * ones go, and what was migrated is compared with it.
 */
async function finish(
  services: Services,
  plan: PlanWithRecords,
  done: Done,
): Promise<{ failures: Reasons; drifted: FleetReport["drifted"] }> {
  const failures: Reasons = [];
  const drifted: FleetReport["drifted"] = [];
  const comparisons = new SchemaComparisons(services);
  const finishRegion = async (region: string, databases: Done) => {
    const regionId = plan.records.get(databases[0]?.database.id ?? 0)?.regionId ?? "";
    try {
      await services.ownership.require(regionId, { maxAgeMs: LOOKED_MS });
      const at = { regionId, address: await regionAddress(services, regionId) };
      const server = services.pools.open("server", at.address, MAINTENANCE_DATABASE);
      const expected = await comparisons.latestFingerprint(at, await refreshTemplates(services, server, at));
      const others = databases.filter(({ result }) => result.fingerprint !== expected);
      await forEachLimit(others, FLEET_LIMIT_DEFAULTS.perServer, async ({ database: { name: database } }) => {
        try {
          const { differences } = await comparisons.compare(at, database);
          if (differences.length > 0)
            drifted.push({ database, region, differences: differences.slice(0, MAX_DIFFERENCES) });
        } catch (error) {
          failures.push({ database, region, reason: classifyFailure(error).sentence });
        }
      });
    } catch (error) {
      failures.push({ database: "the template", region, reason: classifyFailure(error).sentence });
    }
  };
  // Each server by itself: those that are far away are not waited for one after the other.
  const byRegion = [...Map.groupBy(done, ({ database }) => database.regionKey)];
  await forEachLimit(byRegion, FLEET_LIMIT_DEFAULTS.total, ([region, databases]) => finishRegion(region, databases));
  return { failures, drifted: drifted.toSorted((a, b) => (a.database < b.database ? -1 : 1)) };
}

/** Whose a region is was asked for its databases; what follows within this time does not ask again. */
const LOOKED_MS = 10_000;
/** Of one database; what is more is cut off. */
const MAX_DIFFERENCES = 20;
