/** The connections to one database: opened on first use, within the caller's budget and the server's breaker. */
import type pg from "pg";
import { currentCall, currentCause } from "#base/kernel/call";
import type { Breaker } from "#base/postgres/breaker";
import { untilOver } from "#base/postgres/cancellation";
import { type ConnectionBudget, Share } from "#base/postgres/connection-budget";
import { type FailedAt, noteFailedAt } from "#base/postgres/failed-at";
import type { WaitTimes } from "#base/postgres/pool-usage";
import type { PreparedStatements } from "#base/postgres/prepared-statements";

/** How connections to a database are made, and what is known of the server. */
export type PoolConfig = {
  /** Host and port. Each caller has permits for each server. */
  readonly server: string;
  /** What is connected to, for what is said of failures. */
  readonly at: Omit<FailedAt, "isConnecting">;
  readonly createPool: () => pg.Pool;
  /** Whether a connection pooler is in between: what a session relies on has to be set with each transaction then. */
  readonly isPooler: boolean;
  /** With it, a server that is known to be away is not asked again and again. */
  readonly breaker?: Breaker | undefined;
  /** Without it, no statement is prepared. */
  readonly prepared?: PreparedStatements | undefined;
  /** With it, connections for statements and transactions are a share of it. */
  readonly budget?: ConnectionBudget<pg.PoolClient> | undefined;
  /** Counts how long callers wait for a connection. */
  readonly waits: WaitTimes;
  /** The most connections. */
  readonly max: number;
  /** Hears of a connection that could not be made. It must not throw. */
  readonly onConnectFailure?: ((error: unknown) => void) | undefined;
};

/** A pool that is opened on first use, and again after it was closed to make room for others. */
export class LazyPool {
  readonly #config: PoolConfig;
  readonly #share: Share<pg.PoolClient> | undefined;
  #prepared: PreparedStatements | undefined;
  #pool: pg.Pool | undefined;

  constructor(config: PoolConfig) {
    this.#config = config;
    this.#prepared = config.prepared;
    this.#share = config.budget && new Share(config.server, config.max, this);
  }

  get pool(): pg.Pool {
    this.#pool ??= this.#share === undefined ? this.#config.createPool() : this.#createShare(this.#share);
    return this.#pool;
  }

  get idleCount(): number {
    return this.#pool?.idleCount ?? 0;
  }

  #createShare(share: Share<pg.PoolClient>): pg.Pool {
    const { budget } = this.#config;
    const pool = this.#config.createPool();
    pool.on("connect", (client) => {
      budget?.opened(share);
      client.once("end", () => budget?.ended(share));
    });
    // Told before the connection is idle.
    pool.on("release", () => {
      if (budget?.hasWaiting === true) queueMicrotask(() => budget.released(share));
    });
    return pool;
  }

  get isBusy(): boolean {
    return this.#pool !== undefined && this.#pool.totalCount > this.#pool.idleCount;
  }

  get at(): PoolConfig["at"] {
    return this.#config.at;
  }

  get isPooler(): boolean {
    return this.#config.isPooler;
  }

  get prepared(): PreparedStatements | undefined {
    return this.#prepared;
  }

  stopPreparing(): void {
    this.#prepared = undefined;
  }

  /** A connection of the pool. */
  connect(): Promise<pg.PoolClient> {
    const { breaker, at, onConnectFailure } = this.#config;
    const connect = () =>
      this.pool.connect().catch((error: unknown) => {
        onConnectFailure?.(error);
        throw error;
      });
    // That home takes no new connection for a moment says nothing of those that are there.
    const isThere = at.kind === "home" && this.idleCount > 0;
    return breaker === undefined || isThere ? connect() : breaker.run(connect);
  }

  end(client: pg.PoolClient): void {
    client.release(true);
  }

  /** A connection for the running call, when it may have one. */
  async take(): Promise<pg.PoolClient> {
    const { budget, at, waits } = this.#config;
    const share = this.#share;
    const asked = performance.now();
    if (at.region !== undefined) currentCause()?.note?.regions.add(at.region);
    try {
      return await untilOver(() =>
        budget === undefined || share === undefined ? this.connect() : budget.take(share, currentCall()?.signal),
      );
    } catch (error) {
      noteFailedAt(error, { ...at, isConnecting: true });
      throw error;
    } finally {
      waits.add(performance.now() - asked);
    }
  }

  /** Notes of a failed statement where it ran. */
  noteFailed(error: unknown, more: Pick<FailedAt, "isInTransaction" | "isOutcomeUnknown"> = {}): void {
    noteFailedAt(error, { ...this.#config.at, isConnecting: false, ...more });
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }
}
