/**
 * Revoke: takes a placement's tenant database and everything about it away, and writes a receipt. Each step reads what is
 * still there, so that it can run again after a crash at any point.
 */
import { join } from "node:path";
import { OPERATOR } from "#engine/auth/actor";
import { getOrganization } from "#engine/home/organizations";
import { forgetPlacement } from "#engine/home/forget-placement";
import { beginRevoking, findPlacementById, type Placement } from "#engine/home/placements";
import { findRegions } from "#engine/regions/regions";
import { whileHoldingDatabase } from "#engine/home/shared-databases";
import { TenantryError } from "#base/kernel/errors";
import { learnStrategy } from "#engine/replication/choose-subscription-strategy";
import { findManifest } from "#engine/transfer/export-format";
import { exportPlacement } from "#engine/transfer/export-placement";
import type { JobRun } from "#engine/jobs/job-run";
import { cancelJob, placementSubject } from "#engine/jobs/job";
import type { Services } from "#engine/services";
import {
  beginTakingOut,
  countContent,
  type CountedTable,
  deleteRows,
  dropDatabase,
  dropHomeSide,
  dropLinks,
  findOthers,
  noteRemoved,
  type Removed,
  stopWriting,
  type TakingOut,
  withdrawDirectory,
} from "#engine/placements/take-out";
import { tenantLinks } from "#engine/links/tenant-links";

/** What was removed; the job's result. The organization's owners read it: hosts and roles are the operator's. */
export type Receipt = {
  organization: { id: string; name: string };
  region: { key: string };
  database: string;
  /** Rows that the tenant database held when writing had stopped. `checksum` does not depend on their order. */
  tables: CountedTable[];
  /** The folder's name in the export folder of where Tenantry runs; null: nothing was exported. */
  exportedTo: string | null;
  removed: Removed[];
  /** What this cannot reach. */
  remaining: string;
};

const REMAINING =
  "Backups and WAL archives of the region's and of home's servers may hold the data until they expire; so may exports and the servers' statement logs. Where the database was shared, its files hold deleted rows until VACUUM has run.";

type Run = JobRun<"revoke-placement">;
/** Takes the placement away. Returns without doing anything when that was undone or is over. */
export async function revokePlacement(services: Services, run: Run): Promise<void> {
  const placement = await findPlacementById(services, run.job.placementId ?? "");
  if (placement === undefined) return;
  await whileHoldingDatabase(services, placement, () => revoke(services, run, placement));
}

async function revoke(services: Services, run: Run, placement: Placement): Promise<void> {
  const isThere = await services.ownership.requireWithDatabase(placement.regionId, placement.database);
  const context = await beginTakingOut(services, run, placement);
  const stopped = await run.step("stop-writes", () => stopWrites(context, isThere));
  if (stopped === undefined) return;
  const { exists } = stopped;
  const { isAlone } = context;
  const links = await tenantLinks(services, placement, { despiteFence: true });
  if (exists) {
    await Promise.all([
      run.step("count", () => count(context)),
      // Through a pool of their own, and the way may be long.
      isAlone ? learnStrategy(links.directory.subscriber.database).catch(() => undefined) : Promise.resolve(),
    ]);
    await run.step("export", () => exportFirst(services, run, placement));
  }
  await run.step("delete-rows", async () => (isAlone || !exists ? undefined : deleteRows(context)));
  await run.step("withdraw-directory", async () => (isAlone || !exists ? undefined : withdrawDirectory(context)));
  await run.step("drop-links", async () => (isAlone ? dropLinks(context, links, exists) : undefined));
  await run.step("drop-database", async () => (isAlone ? dropDatabase(context) : undefined));
  // Home's side once more: a carrier that was mending the link just then may have made parts of it anew, and from now on
  // it cannot.
  await run.step("drop-remains", async () => (isAlone ? dropHomeSide(links) : undefined));
  await run.step("forget", async () => {
    await noteRemoved(context, "catalog, directory and placement", "home");
    await cancelJob(services.home, "provision-placement", placementSubject(placement.id));
    await forgetPlacement(services, placement, { withDatabase: isAlone, signal: run.signal });
  });
}

/**
 * Undefined when the revocation was undone. From here on it cannot be. Finds out whether somebody else is in the database.
 */
async function stopWrites(context: TakingOut, isThere: boolean): Promise<{ exists: boolean } | undefined> {
  if (!(await beginRevoking(context.services, context.placement.id))) return undefined;
  await findOthers(context);
  if (isThere) await stopWriting(context);
  return { exists: isThere };
}

async function count(context: TakingOut): Promise<void> {
  const { services, run, placement } = context;
  // An attempt before this one has counted, and may have deleted since.
  if (run.job.result?.["tables"] !== undefined) return;
  const tables = await countContent(context);
  const [organization, [region]] = await Promise.all([
    getOrganization(services, OPERATOR, placement.organizationId),
    findRegions(services, [placement.regionId]),
  ]);
  await run.save({
    organization: { id: placement.organizationId, name: organization.name },
    region: { key: region?.key ?? "" },
    database: placement.database,
    tables,
    exportedTo: null,
    remaining: REMAINING,
  } satisfies Omit<Receipt, "removed">);
}

async function exportFirst(services: Services, run: Run, placement: Placement): Promise<void> {
  if (run.job.input["export"] !== true) return;
  if (services.exportFolder === undefined)
    throw new TenantryError("CAPABILITY_MISSING", "There is no export folder: set TENANTRY_EXPORT_DIR, then retry.");
  // One for each job: what an earlier export holds may be older than what is dropped now.
  const name = `${placement.id}-${run.job.id}`;
  const folder = join(services.exportFolder, name);
  // An attempt of this job before this one may have finished it; nothing was written since.
  if ((await findManifest(folder)) === undefined) await exportPlacement(services, placement, folder);
  await run.save({ exportedTo: name });
}
