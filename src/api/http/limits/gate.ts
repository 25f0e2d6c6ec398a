/** Lets so many of a key's operations run at once. The others wait for their turn, first come, first served, and not for ever. */
import { onAbort } from "#base/kernel/abort";
import { TenantryError } from "#base/kernel/errors";

/** For each that runs so many may wait. */
const MAX_WAITING_EACH = 10;
const MAX_WAIT_MS = 5_000;

/** `waiting`: how to give each their turn. Who gives up is taken out at once, so that no turn is given to nobody. */
type Line = { running: number; waiting: (() => void)[] };

export class Gate {
  readonly #atOnce: number;
  readonly #maxWaitMs: number;
  /** Only of keys that have something running, so that it is as large as what runs. */
  readonly #lines = new Map<string, Line>();

  /** `atOnce` 0: any number. */
  constructor(atOnce: number, maxWaitMs = MAX_WAIT_MS) {
    this.#atOnce = atOnce;
    this.#maxWaitMs = maxWaitMs;
  }

  /**
   * Waits for a place and returns how to give it back. LIMIT_EXCEEDED when too many wait already or the wait is too long;
   * the signal's reason when that is aborted.
   */
  async enter(key: string, signal: AbortSignal): Promise<() => void> {
    if (this.#atOnce === 0) return () => undefined;
    const line = this.#lines.get(key) ?? { running: 0, waiting: [] };
    this.#lines.set(key, line);
    if (line.running < this.#atOnce) line.running += 1;
    else if (line.waiting.length >= this.#atOnce * MAX_WAITING_EACH) throw tooMany();
    else await this.#wait(line, signal);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      // The place goes straight to who waits, so that nobody who comes now is before them.
      const next = line.waiting.shift();
      if (next !== undefined) return next();
      line.running -= 1;
      if (line.running === 0) this.#lines.delete(key);
    };
  }

  #wait(line: Line, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        forget();
        const place = line.waiting.indexOf(waiter);
        if (place !== -1) line.waiting.splice(place, 1);
        settle();
      };
      const abort = () => end(() => reject(signal.reason as Error));
      const timer = setTimeout(() => end(() => reject(tooMany())), this.#maxWaitMs);
      const waiter = () => end(resolve);
      line.waiting.push(waiter);
      const forget = onAbort(signal, abort);
    });
  }
}

function tooMany(): TenantryError {
  return new TenantryError("LIMIT_EXCEEDED", "Too many of your operations run already: wait for their answers.", {
    retryAfterSeconds: 1,
  });
}
