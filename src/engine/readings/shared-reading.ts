/**
 * A reading that many ask for and that is made once: a scrape, a page that looks every 2 s and ten of both cost the same. One
 * reading runs at a time. It serves everybody for a while: longer where it took long, so that reading takes a small part of
 * the time however large the installation is.
 */
import { outsideCalls, withStatementTimeout } from "#base/kernel/call";
import { orLate } from "#base/kernel/wait";

export type SharedReadingOptions = {
  /** A reading serves for so long at least, in milliseconds. */
  freshMs: number;
  /** How long whoever asks waits for one that runs, counted from its start. It goes on, and serves those who ask later. */
  deadlineMs: number;
};

/** Reading takes this part of the time at most. */
const SHARE = 1 / 20;

/** Thrown to those who have waited for long enough. */
export class LateReading extends Error {
  constructor(deadlineMs: number) {
    super(`no answer within ${deadlineMs / 1_000} s`);
    this.name = "LateReading";
  }
}

export class SharedReading<Value> {
  readonly #read: () => Promise<Value>;
  readonly #options: SharedReadingOptions;
  #known: { value: Value; until: number } | undefined;
  #running: { outcome: Promise<Value>; since: number } | undefined;

  constructor(read: () => Promise<Value>, options: SharedReadingOptions) {
    this.#read = read;
    this.#options = options;
  }

  /** What was read a moment ago, or is read now. Throws {@link LateReading}, or what reading failed with. */
  get(): Promise<Value> {
    if (this.#known !== undefined && this.#known.until > performance.now()) return Promise.resolve(this.#known.value);
    const { deadlineMs } = this.#options;
    this.#running ??= this.#start();
    const { outcome, since } = this.#running;
    const leftMs = since + deadlineMs - performance.now();
    return orLate(outcome, Math.max(leftMs, 0), () => new LateReading(deadlineMs));
  }

  /** Of no call, as others share it; each of its statements has the deadline for itself, so that it ends. */
  #start(): { outcome: Promise<Value>; since: number } {
    const { freshMs, deadlineMs } = this.#options;
    const since = performance.now();
    const outcome = outsideCalls(() => withStatementTimeout(deadlineMs, this.#read))
      .then((value) => {
        const now = performance.now();
        this.#known = { value, until: now + Math.max(freshMs, (now - since) / SHARE) };
        return value;
      })
      .finally(() => {
        this.#running = undefined;
      });
    // Whoever asked may have left.
    outcome.catch(() => undefined);
    return { outcome, since };
  }
}
