/**
 * A semaphore for each key. Operations that find no permit wait, first in, first out. How many wait and how long is
 * bounded.
 */
import { onAbort } from "#base/kernel/abort";
import { TenantryError } from "#base/kernel/errors";

/** So many may wait for each permit. */
const MAX_WAITING_EACH = 10;
const MAX_WAIT_MS = 5_000;

/** `waiting`: how to give each a permit. A waiter that gives up is taken out at once, so that no permit is lost on it. */
type Queue = { running: number; waiting: (() => void)[] };

export class KeyedSemaphore {
  readonly #permits: number;
  readonly #maxWaitMs: number;
  /** Only of keys that have something running, so that the map is no larger than what runs. */
  readonly #queues = new Map<string, Queue>();

  /** `permits` 0: any number. */
  constructor(permits: number, maxWaitMs = MAX_WAIT_MS) {
    this.#permits = permits;
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * Waits for a permit and returns how to release it. LIMIT_EXCEEDED when too many wait already or the wait is too
   * long; the signal's reason when that is aborted.
   */
  async acquire(key: string, signal: AbortSignal): Promise<() => void> {
    if (this.#permits === 0) return () => undefined;
    const queue = this.#queues.get(key) ?? { running: 0, waiting: [] };
    this.#queues.set(key, queue);
    if (queue.running < this.#permits) queue.running += 1;
    else if (queue.waiting.length >= this.#permits * MAX_WAITING_EACH) throw tooMany();
    else await this.#wait(queue, signal);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      // The permit goes straight to the first waiter, so that no newcomer overtakes it.
      const next = queue.waiting.shift();
      if (next !== undefined) return next();
      queue.running -= 1;
      if (queue.running === 0) this.#queues.delete(key);
    };
  }

  #wait(queue: Queue, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const end = (finish: () => void) => {
        clearTimeout(timer);
        forget();
        const index = queue.waiting.indexOf(waiter);
        if (index !== -1) queue.waiting.splice(index, 1);
        finish();
      };
      const abort = () => end(() => reject(signal.reason as Error));
      const timer = setTimeout(() => end(() => reject(tooMany())), this.#maxWaitMs);
      const waiter = () => end(resolve);
      queue.waiting.push(waiter);
      const forget = onAbort(signal, abort);
    });
  }
}

function tooMany(): TenantryError {
  return new TenantryError("LIMIT_EXCEEDED", "Too many of your operations run already: wait for their answers.", {
    retryAfterSeconds: 1,
    limit: "concurrency",
  });
}
