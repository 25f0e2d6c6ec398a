/** The end of lines about changes that nobody who comes back is told of any more. */
import { outsideCalls } from "#base/kernel/call";
import { delay } from "#base/kernel/wait";
import type { HomeDatabase } from "#base/postgres/database";
import { KEPT_MS } from "#engine/events/follow-log";

/** Twice as long as they are told: a clock may differ, and a transaction may have taken its time. */
const OLD_SECONDS = (2 * KEPT_MS) / 1_000;
const PAUSE_MS = 10 * 60_000;
/** Lines that go in one statement. */
const BATCH_LINES = 5_000;

/** Takes old lines away until the signal is aborted. What fails is tried again at the next time. Never rejects. */
export function startPruningChanges(
  { home, logger }: { home: HomeDatabase; logger: { warn: (details: object, message: string) => void } },
  stop: AbortSignal,
): Promise<void> {
  return outsideCalls(async () => {
    while (!stop.aborted) {
      await pruneChanges(home).catch((error: unknown) => {
        if (!stop.aborted) logger.warn({ err: error }, "old changes were not taken away");
      });
      await delay(PAUSE_MS, stop).catch(() => undefined);
    }
  });
}

/** Takes the lines away that are too old to be told, and returns how many there were. */
export async function pruneChanges(home: HomeDatabase): Promise<number> {
  for (let pruned = 0; ; ) {
    const gone = await home.query(
      "events.prune",
      `delete from tenantry.changes where id in (
         select id from (select id, at from tenantry.changes order by id limit $2) oldest
         where at < now() - make_interval(secs => $1))
       returning 1`,
      [OLD_SECONDS, BATCH_LINES],
    );
    pruned += gone.length;
    if (gone.length < BATCH_LINES) return pruned;
  }
}
