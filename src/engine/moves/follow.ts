/** The first half of a move: what is there is copied, and what is written meanwhile follows. Nobody waits for it. */
import { noteProgress } from "#engine/home/moves";
import { TenantryError } from "#base/kernel/errors";
import { delay } from "#base/kernel/wait";
import { refuseCalledOff } from "#engine/moves/called-off";
import { copyTables } from "#engine/moves/copy-tables";
import { closeForGood } from "#engine/placements/closed-placements";
import { lagBytes, publish, remove, subscribe } from "#engine/moves/move-link";
import { mark, waitForMark } from "#engine/moves/move-marks";
import type { Passage } from "#engine/moves/passage";
import { StreamWatch } from "#engine/moves/stream-watch";

/** The target is close behind when a mark arrives within this time. The way may be long. */
const CLOSE_MS = 1_000;
/** How often in a row it must be close behind before writes are held. */
const CLOSE_LOOKS = 2;
const LOOK_MS = 500;
/** A stream that gets on by nothing for so long has a cause that a person must look for. */
const STUCK_MS = 10 * 60_000;

/** Copies what is there, as far as an attempt before this one has not. */
export async function copy({ services, run, move, from, to, link, tables, moved }: Passage): Promise<void> {
  const { placementId } = move;
  // Nobody is to write there before the placement is there.
  await closeForGood(to.database, move.number);
  const { isNew } = await publish(link);
  // What was copied before rests on a slot that is gone.
  const before = isNew
    ? { copiedTables: [], rowsCopied: 0, bytesCopied: 0 }
    : { copiedTables: move.copiedTables, rowsCopied: move.rowsCopied, bytesCopied: move.bytesCopied };
  await noteProgress(services, placementId, { step: "COPYING", ...before });
  const done = [...before.copiedTables];
  const stop = new AbortController();
  const counted = ({ rows, bytes }: { rows: number; bytes: number }) => ({
    rowsCopied: before.rowsCopied + rows,
    bytesCopied: before.bytesCopied + bytes,
  });
  const { findings } = await copyTables(from, to, moved, tables, {
    done,
    signal: AbortSignal.any([run.signal, stop.signal]),
    onProgress: (copied) => {
      const note = async () => {
        await noteProgress(services, placementId, counted(copied));
        await refuseCalledOff(services, placementId);
      };
      note().catch((error: unknown) => stop.abort(error));
    },
    onTable: async (table, copied) => {
      done.push(table);
      await noteProgress(services, placementId, { copiedTables: done, ...counted(copied) });
      await refuseCalledOff(services, placementId);
    },
  }).catch((error: unknown) => {
    throw stop.signal.aborted ? stop.signal.reason : error;
  });
  if (findings.length > 0)
    await noteProgress(services, placementId, { findings: [...new Set([...move.findings, ...findings])] });
}

/** Has what is written follow, and returns when the target is close behind. NOT_SYNCED when it does not get close. */
export async function follow(passage: Passage): Promise<void> {
  const { services, move, link } = passage;
  await noteProgress(services, move.placementId, { step: "FOLLOWING" });
  await subscribe(link);
  await untilClose(passage);
}

/** Returns when the target is close behind. Each look notes how far behind it is. */
export async function untilClose({ services, run, move, link }: Passage): Promise<void> {
  const watch = new StreamWatch(link);
  let least = Number.POSITIVE_INFINITY;
  let gotOn = performance.now();
  for (let close = 0; close < CLOSE_LOOKS; ) {
    await refuseCalledOff(services, move.placementId);
    const reached = await waitForMark(link, await mark(link), { timeoutMs: CLOSE_MS, signal: run.signal });
    const lag = await lagBytes(link);
    await noteProgress(services, move.placementId, { lagBytes: reached ? 0 : (lag ?? null) });
    if (reached) {
      close += 1;
      continue;
    }
    close = 0;
    const failure = await watch.hasFailed();
    if (failure !== undefined) {
      // What cannot be taken in stays first in the slot. A copy of now, behind it, may be without what was in the way.
      await remove(link);
      throw new TenantryError(
        "NOT_SYNCED",
        `What is written does not reach the target, so it is copied anew: ${failure}`,
      );
    }
    if (lag !== undefined && lag < least) {
      least = lag;
      gotOn = performance.now();
    }
    if (performance.now() - gotOn > STUCK_MS)
      throw new TenantryError(
        "NOT_SYNCED",
        "What is written does not reach the target: for ten minutes it has not come closer. Look at the logs of both servers.",
      );
    await delay(LOOK_MS, run.signal);
  }
}
