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
  type CountedTable,
  deleteRows,
  dropDatabase,
  dropHomeSide,
  dropLinks,
  type Removed,
  stopWriting,
  type TakingOut,
  withdrawDirectory,
} from "#engine/placements/take-out";
import type { Services } from "#engine/services";

/** What is gone. */
export type Cleaned = {
  /** What the tables held before. */
  tables: CountedTable[];
  removed: Removed[];
  /** Whether the whole database is gone. */
  withDatabase: boolean;
};

/**
 * Can run again after a crash at any point. Afterwards nothing of the placement is in the database: a table that still has a row is
 * an error. What home holds of it stays, for `endMove`.
 */
export function cleanEnd(
  services: Services,
  run: Pick<JobRun, "job" | "save" | "signal">,
  move: Move,
  end: MoveEnd,
): Promise<Cleaned> {
  const placement = placedIn(move, end);
  return whileHoldingDatabase(services, placement, async () => {
    const isThere = await services.ownership.requireWithDatabase(end.regionId, end.database);
    const context = await beginTakingOut(services, run, placement);
    const isIdentified = isThere && end.schemaVersion !== null;
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
    const { tables, removed = [] } = run.job.result as { tables: CountedTable[]; removed?: Removed[] };
    return { tables, removed, withDatabase: context.isAlone };
  });
}

/** An attempt before this one has counted, and may have deleted since. */
async function saveCounted(context: TakingOut, isThere: boolean): Promise<void> {
  if (context.run.job.result?.["tables"] !== undefined) return;
  await context.run.save({ tables: isThere ? await countContent(context) : [] });
}
