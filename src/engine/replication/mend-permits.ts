/**
 * How many links are mended at once, over all regions of a process. Each takes connections to home, and home has to write what
 * it seeds. A region gets its next permit only while as many stay free as it has already, so a few regions with much to mend
 * leave some to the others. Those that wait come in their order.
 */
import { onAbort } from "#base/kernel/abort";
import { inCallToo, outsideCalls, withStatementTimeout } from "#base/kernel/call";
import { delay, orLate } from "#base/kernel/wait";
import type { ServerDatabase } from "#base/postgres/database";

export const MAX_MENDS = 12;
/** Of one region. */
export const MAX_MENDS_OF_REGION = 4;

type Waiting = { readonly region: object; readonly admit: () => void };

export class MendPermits {
  #free: number;
  readonly #held = new Map<object, number>();
  #waiting: Waiting[] = [];

  constructor(permits = MAX_MENDS) {
    this.#free = permits;
  }

  /**
   * Runs `work` when the region (any object that stands for it) may have one more permit; not at all when `stop` is aborted before
   * that.
   */
  async withPermit(region: object, stop: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (!(await this.#take(region, stop))) return;
    try {
      await work();
    } finally {
      this.#free += 1;
      const left = this.#heldBy(region) - 1;
      if (left > 0) this.#held.set(region, left);
      else this.#held.delete(region);
      this.#admit();
    }
  }

  #take(region: object, stop: AbortSignal): Promise<boolean> {
    if (stop.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const forget = onAbort(stop, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        resolve(false);
      });
      const admit = () => {
        forget();
        this.#free -= 1;
        this.#held.set(region, this.#heldBy(region) + 1);
        resolve(true);
      };
      const waiting: Waiting = { region, admit };
      this.#waiting.push(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    this.#waiting = this.#waiting.filter(({ region, admit }) => {
      if (!this.#mayTake(region)) return true;
      admit();
      return false;
    });
  }

  #mayTake(region: object): boolean {
    const held = this.#heldBy(region);
    return this.#free > held && held < MAX_MENDS_OF_REGION;
  }

  #heldBy(region: object): number {
    return this.#held.get(region) ?? 0;
  }
}

/** A region's server has not answered for too long while something was done there. */
export class RegionSilent extends Error {
  constructor() {
    super("connection timeout: the region's server has fallen silent");
    this.name = "RegionSilent";
  }
}

/** Of so many questions in a row none was answered: one or two connections may have been forgotten on their way. */
const MAX_UNANSWERED = 3;

/**
 * Runs `work` as part of a call that ends when the region's server stops answering. A single statement of a mend may run for
 * minutes, which is no reason to wait that long for a server that is gone.
 */
export async function whileAnswering(region: ServerDatabase, askMs: number, work: () => Promise<void>): Promise<void> {
  const silent = new AbortController();
  const done = new AbortController();
  const ask = () => withStatementTimeout(askMs, () => region.query("mend.ask", "select"));
  const asking = outsideCalls(async () => {
    for (let unanswered = 0; unanswered < MAX_UNANSWERED; ) {
      if (unanswered === 0) await delay(askMs, done.signal);
      done.signal.throwIfAborted();
      unanswered = await orLate(ask(), askMs, () => new RegionSilent()).then(
        () => 0,
        () => unanswered + 1,
      );
    }
    silent.abort(new RegionSilent());
  });
  asking.catch(() => undefined);
  try {
    await inCallToo({ signal: silent.signal }, work);
  } finally {
    done.abort(new Error("the link was mended"));
  }
}
