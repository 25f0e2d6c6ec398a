/** The driver's pools of a process, and how they are used: by server, as there are few of those and many databases. */
import type pg from "pg";

/** In seconds. */
export const WAIT_BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

/** How long callers waited for connections. Counting one takes less than a microsecond: it is done for each statement. */
export class WaitTimes {
  /** One for each bound, and one for what took longer than the last. */
  readonly counts: number[] = Array.from({ length: WAIT_BOUNDS.length + 1 }, () => 0);
  sum = 0;

  /** Counts a wait of so many milliseconds. */
  add(ms: number): void {
    const seconds = ms / 1_000;
    let index = 0;
    while (index < WAIT_BOUNDS.length && seconds > (WAIT_BOUNDS[index] ?? 0)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += seconds;
  }
}

/** `server`: host and port. Connections that are in use and idle, and callers that wait for one now. */
export type ServerUsage = { server: string; waits: WaitTimes; inUse: number; idle: number; waiting: number };

export class PoolUsage {
  /** Each with the host and port that it connects to. */
  readonly #pools = new Map<pg.Pool, string>();
  /** By host and port. There are as many as regions and poolers. */
  readonly #waits = new Map<string, WaitTimes>();

  add(pool: pg.Pool, server: string): void {
    this.#pools.set(pool, server);
  }

  /** Forgets those that have ended. */
  sweep(): void {
    for (const pool of this.#pools.keys()) if (pool.ended) this.#pools.delete(pool);
  }

  clear(): void {
    this.#pools.clear();
  }

  /** Those that nobody has ended. */
  get open(): pg.Pool[] {
    return [...this.#pools.keys()].filter(({ ending }) => !ending);
  }

  waitsAt(server: string): WaitTimes {
    const found = this.#waits.get(server) ?? new WaitTimes();
    this.#waits.set(server, found);
    return found;
  }

  /** `waitingAt`: how many wait for a share of the budget, before they come to a pool. */
  read(waitingAt: (server: string) => number): ServerUsage[] {
    const usage = new Map<string, ServerUsage>();
    for (const [server, waits] of this.#waits)
      usage.set(server, { server, waits, inUse: 0, idle: 0, waiting: waitingAt(server) });
    for (const [pool, server] of this.#pools) {
      const found = usage.get(server);
      if (found === undefined) continue;
      found.inUse += pool.totalCount - pool.idleCount;
      found.idle += pool.idleCount;
      found.waiting += pool.waitingCount;
    }
    return [...usage.values()];
  }
}
