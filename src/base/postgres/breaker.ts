/**
 * A circuit breaker per server: once it could not be reached, whoever asks next is told at once instead of waiting for the
 * connection timeout, until a pause is over; then one caller tries. So a server that is down costs its callers
 * milliseconds and holds no connections of ours.
 *
 * With a probe no caller tries: the server is tried again and again beside the calls, so that none of them waits for it and the
 * first one after it is back finds it there. That costs connections, so it is for the one server without which nothing works.
 */
import { isConnectionFailure } from "#base/postgres/sql-state";

/** First pause after a failure; doubles up to the maximum while the server stays away. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;

/** With a probe: how often it is begun, and how many may be without an answer at once. */
const PROBE_INTERVAL_MS = 500;
const MAX_PROBES = 10;

/**
 * Thrown without asking the server. Counts as the connection failure of a moment ago, by its code: whoever is told why hears the
 * same as those who asked.
 */
export class ServerAwayError extends Error {
  readonly code: string;

  constructor(cause?: unknown) {
    super("the server could not be reached a moment ago", { cause });
    this.name = "ServerAwayError";
    // What the driver gave up waiting for has no code.
    this.code = codeOf(cause) || "ETIMEDOUT";
  }
}

/** `closed`: it is asked. `open`: it could not be reached, and is not asked for a while. `trying`: one caller tries. */
export type BreakerState = "closed" | "open" | "trying";

/** What is known of a server, and since when; null: it was not asked yet. */
export type ServerStanding = { breaker: BreakerState; since: Date | null };

export type BreakerOptions = {
  /** Connects to the server, and rejects when it cannot. */
  probe?: (() => Promise<unknown>) | undefined;
  /** Called when the server can be reached no longer, with the code of the failure. */
  away?: (code: string) => void;
  /** Called when it can be again. */
  answers?: () => void;
};

export class Breaker {
  #failures = 0;
  #reason: unknown;
  #closedUntil = 0;
  #trying = false;
  readonly #probe: (() => Promise<unknown>) | undefined;
  readonly #hear: Pick<BreakerOptions, "away" | "answers">;
  #probing: NodeJS.Timeout | undefined;
  #probes = 0;
  #isClosed = false;
  /** Since when it answers, or is away. */
  #since: Date | null = null;
  #askedAt = performance.now();

  constructor({ probe, ...hear }: BreakerOptions = {}) {
    this.#probe = probe;
    this.#hear = hear;
  }

  /** Tries no more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#probing);
  }

  get standing(): ServerStanding {
    const isTrying = this.#trying || this.#probes > 0;
    return { breaker: this.#failures === 0 ? "closed" : isTrying ? "trying" : "open", since: this.#since };
  }

  /** How long ago somebody asked for the server, in milliseconds. */
  get quietMs(): number {
    return performance.now() - this.#askedAt;
  }

  /** Runs `work` beside the calls, also where the server is known to be away: what comes of it tells how the server is. */
  ask<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#attempt(work);
  }

  /** Runs `work` unless the server is known to be away. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#askedAt = performance.now();
    if (this.#failures === 0) return this.#attempt(work);
    if (this.#probe !== undefined || this.#trying || performance.now() < this.#closedUntil)
      throw new ServerAwayError(this.#reason);
    this.#trying = true;
    try {
      return await this.#attempt(work);
    } finally {
      this.#trying = false;
    }
  }

  async #attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      const result = await work();
      this.#answered();
      return result;
    } catch (error) {
      if (isRefusal(error)) {
        this.#closedUntil = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, MAX_PAUSE_MS);
        this.#failures = Math.min(this.#failures + 1, 20);
        this.#reason = error;
        if (this.#failures === 1) {
          this.#since = new Date();
          this.#hear.away?.(codeOf(error) || "ETIMEDOUT");
        }
        this.#startProbing();
      } else if (!isConnectionFailure(error)) {
        // It answered, if only with an error.
        this.#answered();
      }
      throw error;
    }
  }

  #answered(): void {
    const wasAway = this.#failures > 0;
    if (wasAway || this.#since === null) this.#since = new Date();
    this.#failures = 0;
    this.#reason = undefined;
    clearInterval(this.#probing);
    this.#probing = undefined;
    if (wasAway) this.#hear.answers?.();
  }

  #startProbing(): void {
    const probe = this.#probe;
    if (probe === undefined || this.#probing !== undefined || this.#isClosed) return;
    this.#probing = setInterval(() => {
      if (this.#probes >= MAX_PROBES) return;
      this.#probes += 1;
      void this.#attempt(probe)
        .catch(() => undefined)
        .finally(() => (this.#probes -= 1));
    }, PROBE_INTERVAL_MS).unref();
  }
}

/**
 * Whether no connection could be made. Not where one that was made broke (a single backend may have ended), and not
 * where all of ours were in use.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|57P03)$/.test(code)) return true;
  if (error instanceof AggregateError) return error.errors.some(isRefusal);
  return /connection timeout/i.test(error.message);
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
