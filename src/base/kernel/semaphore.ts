/** A semaphore: at most `permits` run at a time. The others wait, first in, first out. */
import { onAbort } from "#base/kernel/abort";

export class Semaphore {
  #free: number;
  #waiting: (() => void)[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Runs `work` when there is a permit for it. Rejects with the signal's reason when that is aborted first. */
  async withPermit<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        forget?.();
        resolve();
      };
      const forget =
        signal &&
        onAbort(signal, () => {
          this.#waiting = this.#waiting.filter((other) => other !== admit);
          reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
        });
      this.#waiting.push(admit);
    });
  }
}

/** Does the work for each item, at most `limit` of them at a time. Rejects with the first failure; what runs goes on. */
export async function forEachLimit<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** What `work` makes of each item, in their order; at most `limit` at the same time. The first error ends it, as in {@link forEachLimit}. */
export async function mapLimit<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  await forEachLimit([...items.entries()], limit, async ([index, item]) => {
    results[index] = await work(item);
  });
  return results;
}
