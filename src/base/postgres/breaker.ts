/**
 * A circuit breaker per server: once it could not be reached, whoever asks next is told at once instead of waiting for the
 * connection timeout, until a pause is over; then one caller tries. So a server that is down costs its callers
 * milliseconds and holds no connections of ours.
 */
import { isConnectionFailure } from "#base/postgres/sql-state";

/** First pause after a failure; doubles up to the maximum while the server stays away. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;

/** Thrown without asking the server. Counts as a connection failure. */
export class ServerAwayError extends Error {
  readonly code = "ECONNREFUSED";

  constructor() {
    super("the server could not be reached a moment ago");
    this.name = "ServerAwayError";
  }
}

export class Breaker {
  #failures = 0;
  #closedUntil = 0;
  #trying = false;
  readonly #hear: { away: () => void; answers: () => void };

  /** `away`: called when the server can be reached no longer; `answers`: when it can be again. */
  constructor(hear = { away: () => undefined as void, answers: () => undefined as void }) {
    this.#hear = hear;
  }

  /** Runs `work` unless the server is known to be away. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#failures === 0) return this.#attempt(work);
    if (this.#trying || performance.now() < this.#closedUntil) throw new ServerAwayError();
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
        if (this.#failures === 1) this.#hear.away();
      } else if (!isConnectionFailure(error)) {
        // It answered, if only with an error.
        this.#answered();
      }
      throw error;
    }
  }

  #answered(): void {
    const wasAway = this.#failures > 0;
    this.#failures = 0;
    if (wasAway) this.#hear.answers();
  }
}

/**
 * Whether no connection could be made. Not where one that was made broke (a single backend may have ended), and not
 * where all of ours were in use.
 */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|57P03)$/.test(code)) return true;
  if (error instanceof AggregateError) return error.errors.some(isRefusal);
  return /connection timeout/i.test(error.message);
}
