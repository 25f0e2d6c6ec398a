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

/** To what pools connect. */
export type PoolTarget = {
  /** `home`, a region's key, or `other` for what is neither: there are as many as regions, whatever addresses these have had. */
  readonly name: string;
  readonly isPooler: boolean;
  /** Host and port. */
  readonly server: string;
};

/** Connections to a server or pooler that are in use and idle, and callers that wait for one now. */
export type ServerUsage = Omit<PoolTarget, "server"> & {
  waits: WaitTimes;
  inUse: number;
  idle: number;
  waiting: number;
};

type Waits = { waits: WaitTimes; servers: Set<string> } & Omit<PoolTarget, "server">;

export class PoolUsage {
  /** Each with where it connects to. */
  readonly #pools = new Map<pg.Pool, PoolTarget>();
  readonly #waits = new Map<string, Waits>();

  add(pool: pg.Pool, target: PoolTarget): void {
    this.#pools.set(pool, target);
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

  waitsAt(target: PoolTarget): WaitTimes {
    const { name, isPooler, server } = target;
    const found = this.#waits.get(keyOf(target)) ?? { name, isPooler, waits: new WaitTimes(), servers: new Set() };
    this.#waits.set(keyOf(target), found);
    found.servers.add(server);
    return found.waits;
  }

  /** `waitingAt`: how many wait for a share of the budget at a region's host and port, before they come to a pool. */
  read(waitingAt: (server: string) => number): ServerUsage[] {
    const usage = new Map<string, ServerUsage>();
    for (const [key, { name, isPooler, waits, servers }] of this.#waits) {
      // Connections to home do not count in the budget.
      const waiting = name === "home" ? 0 : [...servers].reduce((sum, server) => sum + waitingAt(server), 0);
      usage.set(key, { name, isPooler, waits, inUse: 0, idle: 0, waiting });
    }
    for (const [pool, target] of this.#pools) {
      const found = usage.get(keyOf(target));
      if (found === undefined) continue;
      found.inUse += pool.totalCount - pool.idleCount;
      found.idle += pool.idleCount;
      found.waiting += pool.waitingCount;
    }
    return [...usage.values()];
  }
}

function keyOf({ name, isPooler }: PoolTarget): string {
  return `${isPooler ? "pooler of " : ""}${name}`;
}
