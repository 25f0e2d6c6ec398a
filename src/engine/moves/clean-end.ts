/** Takes what a move leaves in the database where the placement is not: its rows, or the whole database with its links. */
import type { Move, MoveEnd } from "#engine/home/moves";
import { whileHoldingDatabase } from "#engine/home/shared-databases";
import type { JobRun } from "#engine/jobs/job-run";
import { tenantLinks } from "#engine/links/tenant-links";
import { forgetArrivals } from "#engine/moves/arrivals";
import { placedIn } from "#engine/moves/ends";
import {
  beginTakingOut,
  countContent,
  deleteRows,
  dropDatabase,
  dropHomeSide,
  dropLinks,
  findOthers,
  stopWriting,
  type TakingOut,
  withdrawDirectory,
} from "#engine/placements/take-out";
import type { Services } from "#engine/services";

/**
 * Can run again after a crash at any point. Afterwards nothing of the placement is in the database: a table that still has a row is
 * an error. What home holds of it stays, for `endMove`. Returns whether the whole database is gone; the receipt has the rest.
 */
export function cleanEnd(
  services: Services,
  run: Pick<JobRun, "job" | "save" | "signal">,
  move: Move,
  end: MoveEnd,
): Promise<boolean> {
  const placement = placedIn(move, end);
  return whileHoldingDatabase(services, placement, async () => {
    const isThere = await services.ownership.requireWithDatabase(end.regionId, end.database);
    const context = await beginTakingOut(services, run, placement);
    const isIdentified = isThere && end.schemaVersion !== null;
    // Also of one that is not made yet: others may be about to make it.
    await findOthers(context);
    if (isIdentified) await stopWriting(context);
    await saveCounted(context, isIdentified);
    const links = await tenantLinks(services, placement, { despiteFence: true });
    if (context.isAlone) {
      await dropLinks(context, links, isIdentified);
      await dropDatabase(context);
      // Once more: a carrier that was mending a link just then may have made parts of it anew.
      await dropHomeSide(links);
    } else if (isIdentified) {
      await deleteRows(context);
      await forgetArrivals(context.database, placement.number);
      await withdrawDirectory(context);
    }
    return context.isAlone;
  });
}

/** An attempt before this one has counted, and may have deleted since. */
async function saveCounted(context: TakingOut, isThere: boolean): Promise<void> {
  if (context.run.job.result?.["tables"] !== undefined) return;
  await context.run.save({ tables: isThere ? await countContent(context) : [] });
}
