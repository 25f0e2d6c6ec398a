/** What bounds the connections of a process. */
import { MAX_ANSWER_BYTES } from "#base/postgres/answer-bound";
import type { BudgetLimits } from "#base/postgres/connection-budget";

export type PoolLimits = {
  /** Connections per database. */
  maxPerDatabase: number;
  /** Databases with an open pool; the least recently used one is closed for a new one. */
  maxDatabases: number;
  connectTimeoutMs: number;
  /** A region's server that nobody has asked for this long is looked at, up to an hour after it was asked last. */
  pulseMs: number;
  idleTimeoutMs: number;
  /** What a region's server may send in answer to one statement. */
  maxResultBytes: number;
  /** When everything is closed, statements that run have this long. */
  closeTimeoutMs: number;
};

export const DEFAULT_LIMITS: PoolLimits = {
  maxPerDatabase: 4,
  // A handle without connections costs little; what is open is bounded by the budget.
  maxDatabases: 2_000,
  connectTimeoutMs: 5_000,
  pulseMs: 15_000,
  idleTimeoutMs: 10_000,
  maxResultBytes: MAX_ANSWER_BYTES,
  closeTimeoutMs: 10_000,
};

/** Of connections that are opened as `budgeted`. */
export const DEFAULT_BUDGET: BudgetLimits = { max: 39, maxPerServer: 24, maxConnecting: 4, maxWaitMs: 5_000 };
