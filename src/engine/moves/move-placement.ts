/**
 * The jobs that move a placement to another tenant database while it is used, and that take the source away at the end. Each step
 * looks at what is there, so that it can run again after a crash at any point. Home's record says on which side the placement is:
 * before the switch the source is the truth, afterwards the target.
 */
import { beginKeeping, endMove, giveUpMove } from "#engine/home/end-move";
import { findMove, type Move, noteProgress, streamOf } from "#engine/home/moves";
import { beginAttempt, settleCatalog } from "#engine/home/switch-placement";
import { clockMs } from "#base/kernel/clock";
import { TenantryError } from "#base/kernel/errors";
import { delay } from "#base/kernel/wait";
import { requestDueJobs } from "#engine/erasure/erasure-record";
import { cancelJob, placementSubject, requestJob } from "#engine/jobs/job";
import type { JobRun } from "#engine/jobs/job-run";
import { waitUntilAllInCatalog } from "#engine/links/visible-writes";
import { CalledOff } from "#engine/moves/called-off";
import { cleanEnd } from "#engine/moves/clean-end";
import { openSide } from "#engine/moves/ends";
import { copy, follow } from "#engine/moves/follow";
import { reopen } from "#engine/moves/hold";
import { openMoveLink, recheckGateways, remove, subscribe } from "#engine/moves/move-link";
import { openPassage } from "#engine/moves/passage";
import { prepareTarget } from "#engine/moves/prepare-target";
import { receiptOf } from "#engine/moves/receipt";
import { compareSides, comparing, SidesDiffer, switchOver } from "#engine/moves/switch-over";
import { MAX_ROUTE_AGE_MS } from "#engine/routing/routing";
import type { Services } from "#engine/services";

type MoveRun = JobRun<"move-placement">;
type Run = MoveRun | JobRun<"forget-source">;

/** For tests. */
export type MoveTimes = {
  /** How long a process that hears nothing may go on with a route, in milliseconds: the source stays readable for so long. */
  routesKeptMs?: number;
};

/** What the catalog has not brought by then is brought by the sweep. */
const CATALOG_TIMEOUT_MS = 30_000;

/** Moves the placement, back too, or takes away what was begun. Returns without doing anything when the move is over. */
export async function movePlacement(services: Services, run: MoveRun, times: MoveTimes): Promise<void> {
  for (;;) {
    run.signal.throwIfAborted();
    const move = await findMove(services, run.job.placementId ?? "");
    if (move === undefined) return;
    await run.save(receiptOf(move));
    if (move.isSwitched && move.cancelledAt === null) return arrive(services, run, move, times);
    if (!(await letWritesIn(services, move))) continue;
    if (!move.isSwitched && move.cancelledAt !== null) {
      await takeBack(services, run, move);
      // An attempt before this one may have found it.
      const reason = run.job.result?.["givenUp"];
      if (typeof reason === "string") throw givenUp(reason);
      return;
    }
    try {
      await bringOver(services, run, move);
    } catch (error) {
      if (error instanceof CalledOff) continue;
      if (!(error instanceof SidesDiffer)) throw error;
      await run.save({ givenUp: error.message });
      await giveUpMove(services, move.placementId, error.message);
      // Of a move that went there nothing is to be left; one that should have gone back goes on keeping its source.
      if (!move.isSwitched) continue;
      await planForgetting(services, move, move.keepUntil ?? new Date(clockMs()));
      throw givenUp(error.message);
    }
  }
}

/**
 * An attempt before this one may have been cut off while it held writes, and its word to home may be on its way still. Before anything
 * that the other side could keep from happening. False when the placement was switched meanwhile.
 */
async function letWritesIn(services: Services, move: Move): Promise<boolean> {
  await beginAttempt(services, move.placementId);
  const now = await findMove(services, move.placementId);
  if (now === undefined || now.isSwitched !== move.isSwitched) return false;
  const { publisher } = streamOf(move);
  await services.ownership.require(publisher.regionId);
  const { database } = await openSide(services, publisher);
  await reopen(database, move.number);
  return true;
}

function givenUp(reason: string): TenantryError {
  return new TenantryError("CONFLICT", reason);
}

/** Brings the placement from where it is to the other database. */
async function bringOver(services: Services, run: MoveRun, found: Move): Promise<void> {
  let move = found;
  if (!move.isSwitched) {
    await noteProgress(services, move.placementId, { step: "PREPARING" });
    move = await run.step("prepare", () => prepareTarget(services, found, run.signal));
  }
  const passage = await openPassage(services, run, move);
  await run.step("copy", () => copy(passage));
  await run.step("follow", () => follow(passage));
  await comparing(passage, async (comparison) => {
    await run.step("compare", () => compareSides(passage, comparison));
    await run.step("switch", () => switchOver(passage, comparison));
  });
}

/** The placement is in the target. */
async function arrive(services: Services, run: MoveRun, move: Move, times: MoveTimes): Promise<void> {
  await run.step("settle", async () => {
    await removeStream(services, { ...move, isSwitched: false });
    await settle(services, run, move);
  });
  const { placementId } = move;
  if (move.keepSourceSeconds > 0 && (move.keepUntil === null || move.keepUntil.getTime() > clockMs())) {
    await run.step("keep", async () => {
      await subscribe(await openMoveLink(services, move));
      const until = await beginKeeping(services, placementId);
      await planForgetting(services, move, until);
    });
    return;
  }
  await clean(services, run, move, times);
}

async function planForgetting(
  { home }: Pick<Services, "home">,
  { placementId, organizationId, from }: Move,
  dueAt: Date,
): Promise<void> {
  const subject = placementSubject(placementId);
  await requestJob(home, "system", {
    kind: "forget-source",
    subject,
    placementId,
    organizationId,
    regionId: from.regionId,
    dueAt,
  });
}

/** The source was kept for long enough. Nothing when the placement is to go back, or the move is over. */
export async function forgetSource(services: Services, run: JobRun<"forget-source">, times: MoveTimes): Promise<void> {
  const move = await findMove(services, run.job.placementId ?? "");
  if (move === undefined || !move.isSwitched || move.cancelledAt !== null) return;
  await run.save(receiptOf(move));
  await clean(services, run, move, times);
}

async function clean(services: Services, run: Run, move: Move, { routesKeptMs = MAX_ROUTE_AGE_MS + 1_000 }: MoveTimes) {
  await noteProgress(services, move.placementId, { step: "CLEANING" });
  await step(run, "clean", async () => {
    await removeStream(services, move);
    // Who has not heard of the switch reads there still.
    const sinceMs = clockMs() - (move.switchedAt ?? move.startedAt).getTime();
    await delay(Math.max(0, routesKeptMs - Math.max(0, sinceMs)), run.signal);
    const withDatabase = await cleanEnd(services, run, move, move.from);
    await endMove(services, move.placementId, { withDatabase, signal: run.signal });
  });
}

/** The placement is in the source, and is to stay there: nothing of it is left in the target. */
async function takeBack(services: Services, run: MoveRun, move: Move): Promise<void> {
  await noteProgress(services, move.placementId, { step: "CANCELLING" });
  await run.step("clean", async () => {
    await removeStream(services, move);
    await removeStream(services, { ...move, isSwitched: true });
    // It may have been in the target before.
    if (move.switchedAt !== null) await settle(services, run, move);
    const withDatabase = await cleanEnd(services, run, move, move.to);
    await cancelJob(services.home, "forget-source", placementSubject(move.placementId));
    await endMove(services, move.placementId, { withDatabase, signal: run.signal });
  });
}

/** Has home's catalog show what the database sends where the placement is now. */
async function settle(services: Services, run: Run, move: Move): Promise<void> {
  const { databaseId } = move.isSwitched ? move.to : move.from;
  await waitUntilAllInCatalog(services, databaseId, CATALOG_TIMEOUT_MS, run.signal);
  await settleCatalog(services, move.placementId, run.signal);
  // Asked for while it moved.
  await requestDueJobs(services.home, databaseId, { requestedBy: "system", eraseSql: services.eraseSql });
}

/** Takes what there is of a stream away. REGION_UNAVAILABLE, to be tried again, while a side cannot be reached. */
async function removeStream(services: Services, move: Move): Promise<void> {
  const link = await openMoveLink(services, move, { despiteFence: true });
  const left = await remove(link);
  await recheckGateways(link);
  const [first] = left;
  if (first === undefined) return;
  throw new TenantryError(
    "REGION_UNAVAILABLE",
    `The ${first.kind} ${first.name} in the region ${first.regionKey} could not be taken away; it is tried again.`,
    { cause: first.cause },
  );
}

/** Both kinds of jobs have this step. */
function step<Result>(run: Run, name: "clean", work: () => Promise<Result>): Promise<Result> {
  return (run as JobRun<"forget-source">).step(name, work);
}
