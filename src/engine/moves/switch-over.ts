/**
 * The second half of a move: both sides are compared, writes are held, and the placement is switched. Until home has recorded the
 * switch the source is the truth: whatever fails before that lets the writes go on there.
 */
import { findMove, noteProgress } from "#engine/home/moves";
import { beginAttempt, switchBack, switchPlacement } from "#engine/home/switch-placement";
import { classifyFailure } from "#engine/jobs/failure";
import { clockMs } from "#base/kernel/clock";
import { TenantryError } from "#base/kernel/errors";
import { failpoint } from "#base/kernel/failpoints";
import { withStatementTimeout } from "#base/kernel/call";
import { delay, endsWithin, orLate } from "#base/kernel/wait";
import { readServerHistory } from "#base/postgres/server-history";
import { arriveIn } from "#engine/moves/arrivals";
import { CalledOff, refuseCalledOff } from "#engine/moves/called-off";
import { type Comparison, differ, withComparison } from "#engine/moves/compare";
import { untilClose } from "#engine/moves/follow";
import { closeForGood, closeForMoment, drain, letGo } from "#engine/moves/hold";
import { openMoveLink, publish } from "#engine/moves/move-link";
import { awaitingMark, isNotReached, mark, waitForMark } from "#engine/moves/move-marks";
import type { Passage } from "#engine/moves/passage";
import { findSequences, setSequences } from "#engine/moves/sequences";

/** Writes are held this long at most. */
const HOLD_MS = 3_000;
/** Before its end, so that letting go is on its way by then. */
const WORK_MS = 2_500;
const DRAIN_MS = 1_000;
/** Home records the switch in a few milliseconds, and is asked after this long whether it has. */
const RECORD_MS = 1_000;
/** What was begun in a hold that is over has ended by then. */
const ENDS_MS = 10_000;
/** How often in a row writes are held in vain before the job takes a longer pause. */
const ATTEMPTS = 8;
const RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;
/** Rows that are compared while writes are held: some 20 ms. */
const TAIL_ROWS = 5_000;
/** How often what has changed is compared again before, while more changes than that. */
const SETTLES = 20;
/** The target has what was committed before within this time, or the stream is broken. */
const REACHED_MS = 60_000;

/** The two sides differ: the move ends with the placement as it was. */
export class SidesDiffer extends Error {}

/** Both sides are compared for as long as `work` takes. */
export function comparing<Result>(
  { run, from, to, link, tables, moved }: Passage,
  work: (comparison: Comparison) => Promise<Result>,
): Promise<Result> {
  const reached = async () => {
    if (await waitForMark(link, await mark(link), { timeoutMs: REACHED_MS, signal: run.signal })) return;
    throw new TenantryError("NOT_SYNCED", "What is written does not reach the target in time; it is tried again.");
  };
  return withComparison(from, to, { moved, tables, publication: link.name, reached, signal: run.signal }, work);
}

/** Compares everything, while the placement is used. Throws {@link SidesDiffer}. */
export async function compareSides({ services, move }: Passage, comparison: Comparison): Promise<void> {
  await noteProgress(services, move.placementId, { step: "COMPARING" });
  await comparison.compareAll().catch(asDifference);
  for (let turn = 0; turn < SETTLES; turn += 1) {
    await refuseCalledOff(services, move.placementId);
    if ((await comparison.settle()) < TAIL_ROWS) break;
  }
}

function asDifference(error: unknown): never {
  if (error instanceof TenantryError && error.code === "CONFLICT")
    throw new SidesDiffer(error.message, { cause: error });
  throw error;
}

/**
 * Holds writes, and has the placement be in the target. CalledOff when somebody called it off before, SidesDiffer, and NOT_SYNCED
 * when writes could not be held for long enough, again and again: to be tried later.
 */
export async function switchOver(passage: Passage, comparison: Comparison): Promise<void> {
  const { services, run, move, to } = passage;
  // From the moment of the switch on, what is written in the target can flow back.
  if (!move.isSwitched && move.keepSourceSeconds > 0)
    await publish(await openMoveLink(services, { ...move, isSwitched: true }));
  const [{ history }, sequences] = await Promise.all([
    readServerHistory(passage.from.database),
    findSequences(passage.from.database, passage.tables),
  ]);
  let reason = "";
  for (let turn = 1; turn <= ATTEMPTS; turn += 1) {
    await refuseCalledOff(services, move.placementId);
    await untilClose(passage);
    await comparison.settle();
    await noteProgress(services, move.placementId, { step: "SWITCHING" });
    const attempt = await beginAttempt(services, move.placementId);
    const begun = performance.now();
    try {
      await hold(passage, { comparison, attempt, history, sequences });
      const heldMs = Math.max(move.heldMs ?? 0, performance.now() - begun);
      await noteProgress(services, move.placementId, { heldMs, verifiedAt: new Date(clockMs()), lagBytes: 0 });
      return;
    } catch (error) {
      if (error instanceof CalledOff || error instanceof SidesDiffer || error instanceof UnknownOutcome) throw error;
      reason = classifyFailure(error).sentence;
      services.logger.warn({ err: error, region: to.end.regionKey }, "writes were held in vain; it is tried again");
      await delay(Math.min(RETRY_MS * 2 ** (turn - 1), MAX_RETRY_MS), run.signal);
    }
  }
  throw new TenantryError("NOT_SYNCED", `Writes could not be held for long enough, so nothing was switched: ${reason}`);
}

/** Home did not say whether it has recorded the switch. The writes wait until it can be asked. */
class UnknownOutcome extends TenantryError {
  constructor(cause: unknown) {
    super("HOME_UNAVAILABLE", "Home gave no answer to the switch; it is asked again.", { cause });
  }
}

type Hold = { comparison: Comparison; attempt: string; history: string; sequences: readonly string[] };

async function hold(passage: Passage, held: Hold): Promise<void> {
  const { services, move, from } = passage;
  const { number } = move;
  const since = await closeForMoment(from.database, number, HOLD_MS);
  const open = () => letGo(from.database, number, since);
  const work = withStatementTimeout(WORK_MS, () => arrive(passage, held));
  try {
    await orLate(work, WORK_MS, tooLong);
    // From here on the hold ends by home's word.
    if (!(await closeForGood(from.database, number))) throw tooLong();
  } catch (error) {
    // It ends by itself where this fails.
    await open().catch((cause: unknown) => services.logger.warn({ err: cause }, "held writes were not let go at once"));
    // Each of its statements has a deadline.
    await endsWithin(work, ENDS_MS);
    throw error;
  }
  await record(passage, held.attempt, open);
}

function tooLong(): TenantryError {
  return new TenantryError("NOT_SYNCED", "Writes were held for too long.");
}

/**
 * The target has everything, and is the same as the source: what was applied there is on disk. Nobody is led there before home has
 * recorded the switch.
 */
async function arrive(passage: Passage, { comparison, history, sequences }: Hold): Promise<void> {
  const { services, from, to, link, move } = passage;
  await failpoint("moves.held");
  const { number } = move;
  await drain(from.database, number, DRAIN_MS);
  // The target itself waits for it, so that a way that is long is gone once.
  const last = awaitingMark(number, await mark(link), WORK_MS);
  const [differences] = await Promise.all([
    comparison.finish({ text: last }),
    setSequences(from, to, sequences),
    arriveIn(to.database, { number, databaseId: from.databaseId, history }, last),
    refuseCalledOff(services, move.placementId),
  ]).catch((error: unknown) => {
    throw isNotReached(error)
      ? new TenantryError("NOT_SYNCED", "The last writes did not reach the target in time.")
      : error;
  });
  if (differences.length > 0) throw new SidesDiffer(differ(differences).message);
  await failpoint("moves.arrived");
}

async function record(passage: Passage, attempt: string, open: () => Promise<void>): Promise<void> {
  const { services, move } = passage;
  const { placementId } = move;
  const turn = move.isSwitched ? switchBack : switchPlacement;
  let failure: unknown = new CalledOff();
  try {
    await failpoint("moves.recording");
    if (await orLate(turn(services, move, attempt), RECORD_MS, () => new Error("home gave no answer"))) return;
  } catch (error) {
    failure = error;
    // It may have happened all the same, or be on its way: from a new attempt on it is not.
    const now = await beginAttempt(services, placementId)
      .then(() => findMove(services, placementId))
      .catch((cause: unknown) => {
        throw new UnknownOutcome(cause);
      });
    if (now !== undefined && now.isSwitched !== move.isSwitched) return;
  }
  await open();
  throw failure;
}
