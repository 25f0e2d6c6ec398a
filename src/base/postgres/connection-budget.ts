/**
 * Bounds how many connections a process has open to tenant databases, on each server and in total, however many databases
 * there are: a thousand organizations must not cost a thousand connections. Connections stay in a pool for each database;
 * here it is decided which of them may open one.
 *
 * - An open connection holds one permit of its server and one of the total, from before it is made until it has ended.
 * - Where all permits are taken, the database that was used longest ago gives up a connection that nobody uses.
 * - Where none is idle, callers wait: first come, first served within a database. A connection that becomes free goes to
 *   another database when that has fewer and has waited for a moment; so a busy one keeps nobody out, and two busy ones do not
 *   take turns at opening connections.
 * - Whoever waits too long, or whose call is over, leaves the queue with a reason. A server that hangs holds its own
 *   permits, and no others.
 * - At most `maxConnecting` connections to a server are made at a time, so that it can go on working.
 *
 * Single statements and transactions of the API take part, which hold one connection and wait for no other one, so
 * waiters cannot deadlock. A team's own code can hold one and ask for another: the bound of the wait ends that. What
 * holds a connection for long (listeners, jobs, replication) has its own.
 */
import { onAbort } from "#base/kernel/abort";
import { TenantryError } from "#base/kernel/errors";

export type BudgetLimits = {
  /** Connections in total. */
  max: number;
  /** Connections to one server. */
  maxPerServer: number;
  /** Connections to one server that are being made at the same time. */
  maxConnecting: number;
  /** How long a caller waits, in milliseconds. */
  maxWaitMs: number;
};

/** The pool of one database, as far as it matters here. */
export interface Pooled<Client> {
  /** Connections that nobody uses. */
  readonly idleCount: number;
  /** Gives an idle connection, or makes one where there is none. */
  connect(): Promise<Client>;
  /** Ends a connection that {@link connect} has given. */
  end(client: Client): void;
}

type Waiter<Client> = {
  since: number;
  resolve: (client: Promise<Client>) => void;
  reject: (error: Error) => void;
};

/** `movedAt`: when a connection to the server was last made, given back or ended while somebody waited. */
type AtServer = { permits: number; connecting: number; movedAt: number };

/** A database that nobody has asked for this long gives a connection to one that wants one more. */
const UNUSED_MS = 1_000;

/** A database that has waited this long is given a connection of one that has more. */
const FAIRNESS_DELAY_MS = 20;

/** A database's share of the budget. */
export class Share<Client> {
  readonly server: string;
  readonly max: number;
  readonly pool: Pooled<Client>;
  readonly waiting: Waiter<Client>[] = [];
  /** Connections that have been given to a caller and are on their way out of the pool. */
  taking = 0;
  /** Connections that are being made, and of those the ones that have been without their caller having been told. */
  connecting = 0;
  arrived = 0;
  /** Connections that are open, until they have ended. */
  open = 0;
  /** When it was last asked for a connection. */
  usedAt = 0;

  constructor(server: string, max: number, pool: Pooled<Client>) {
    this.server = server;
    this.max = max;
    this.pool = pool;
  }

  get idle(): number {
    return this.pool.idleCount - this.taking;
  }

  get permits(): number {
    return this.open + this.connecting - this.arrived;
  }
}

export class ConnectionBudget<Client> {
  readonly #limits: BudgetLimits;
  readonly #now: () => number;
  readonly #shares = new Set<Share<Client>>();
  /** Those with somebody waiting. */
  readonly #waiting = new Set<Share<Client>>();
  readonly #servers = new Map<string, AtServer>();
  #permits = 0;
  #most = 0;
  /** Connections that are ending to make room. */
  #ending = 0;
  #isServing = false;

  /** `now` in milliseconds. */
  constructor(limits: BudgetLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** The most connections that were open at once. */
  get most(): number {
    return this.#most;
  }

  get permits(): number {
    return this.#permits;
  }

  /** How many callers wait for a connection to a server. */
  waitingAt(server: string): number {
    let waiting = 0;
    for (const share of this.#waiting) if (share.server === server) waiting += share.waiting.length;
    return waiting;
  }

  /**
   * A connection to the share's database. Rejects with the signal's reason, or after waiting too long: with LIMIT_EXCEEDED, or as
   * for a server that cannot be connected to where nothing has moved there meanwhile.
   */
  take(share: Share<Client>, signal?: AbortSignal): Promise<Client> {
    share.usedAt = this.#now();
    this.#shares.add(share);
    if (this.#waiting.size === 0) {
      if (share.idle > 0) return this.#takeIdle(share);
      if (this.#mayConnect(share)) return this.#connect(share);
    }
    return this.#wait(share, signal);
  }

  /** To be told when a connection of the share has been made. */
  opened(share: Share<Client>): void {
    share.open += 1;
    if (share.arrived < share.connecting) share.arrived += 1;
    // One that the pool has made without being told to, in place of one that broke: it counts all the same.
    else this.#count(share, 1);
  }

  /** To be told when a connection of the share has ended, however that came. */
  ended(share: Share<Client>): void {
    share.open -= 1;
    this.#count(share, -1);
    this.#serverOf(share).movedAt = this.#now();
    this.#ending = Math.max(0, this.#ending - 1);
    if (share.permits === 0 && share.waiting.length === 0) this.#shares.delete(share);
    this.#serve();
  }

  /** To be told when a connection is idle again. */
  released(share: Share<Client>): void {
    if (this.#waiting.size === 0) return;
    this.#serverOf(share).movedAt = this.#now();
    this.#serve();
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  #count(share: Share<Client>, change: 1 | -1): void {
    this.#permits += change;
    this.#most = Math.max(this.#most, this.#permits);
    this.#serverOf(share).permits += change;
  }

  #serverOf({ server }: Share<Client>): AtServer {
    const found = this.#servers.get(server) ?? { permits: 0, connecting: 0, movedAt: 0 };
    this.#servers.set(server, found);
    return found;
  }

  #isFull(share: Share<Client>): boolean {
    return this.#permits >= this.#limits.max || this.#serverOf(share).permits >= this.#limits.maxPerServer;
  }

  #mayConnect(share: Share<Client>): boolean {
    return (
      share.permits < share.max && !this.#isFull(share) && this.#serverOf(share).connecting < this.#limits.maxConnecting
    );
  }

  async #takeIdle(share: Share<Client>): Promise<Client> {
    share.taking += 1;
    try {
      return await share.pool.connect();
    } finally {
      share.taking -= 1;
    }
  }

  async #connect(share: Share<Client>): Promise<Client> {
    const server = this.#serverOf(share);
    share.connecting += 1;
    server.connecting += 1;
    this.#count(share, 1);
    try {
      return await share.pool.connect();
    } finally {
      // From here on it is counted as open, or there is none.
      if (share.arrived > 0) share.arrived -= 1;
      else this.#count(share, -1);
      share.connecting -= 1;
      server.connecting -= 1;
      this.#serve();
    }
  }

  #wait(share: Share<Client>, signal: AbortSignal | undefined): Promise<Client> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const leave = () => {
        clearTimeout(timer);
        forget?.();
        const index = share.waiting.indexOf(waiter);
        if (index !== -1) share.waiting.splice(index, 1);
        if (share.waiting.length === 0) this.#waiting.delete(share);
      };
      const abort = () => {
        leave();
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        leave();
        const { permits, movedAt } = this.#serverOf(share);
        // Where others hold all the permits, the server is not to blame.
        reject(permits > 0 && movedAt <= waiter.since ? hanging() : tooLong());
      }, this.#limits.maxWaitMs);
      const waiter: Waiter<Client> = {
        since: this.#now(),
        resolve: (client) => {
          leave();
          resolve(client);
        },
        reject,
      };
      const forget = signal && onAbort(signal, abort);
      share.waiting.push(waiter);
      this.#waiting.add(share);
      return this.#serve();
    });
  }

  /** Gives what is free to who waits. */
  #serve(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      this.#rebalance();
      for (const share of this.#waiting) while (share.waiting.length > 0 && share.idle > 0) this.#give(share, "idle");
      for (let next = this.#nextToConnect(); next !== undefined; next = this.#nextToConnect())
        this.#give(next, "connect");
      this.#makeRoom();
    } finally {
      this.#isServing = false;
    }
  }

  #give(share: Share<Client>, how: "idle" | "connect"): void {
    share.waiting[0]?.resolve(how === "idle" ? this.#takeIdle(share) : this.#connect(share));
  }

  /** The database with the fewest connections, and of those the one that has waited longest. */
  #nextToConnect(): Share<Client> | undefined {
    let best: Share<Client> | undefined;
    for (const share of this.#waiting)
      if (this.#mayConnect(share) && (best === undefined || isBefore(share, best))) best = share;
    return best;
  }

  /** Takes idle connections from databases that have more, for those that have waited, before they are used again there. */
  #rebalance(): void {
    const now = this.#now();
    let ending = this.#ending;
    for (const share of this.#waiting) {
      const [first] = share.waiting;
      if (first === undefined || now - first.since < FAIRNESS_DELAY_MS || !this.#isBlocked(share)) continue;
      if (ending > 0) {
        // Somebody's is on its way already.
        ending -= 1;
        continue;
      }
      // By more than one: else the two would take it from each other again and again.
      const least = share.permits === 0 ? 1 : share.permits + 2;
      const donor = this.#find(share, (other) => other.permits >= least);
      if (donor !== undefined) this.#end(donor);
    }
  }

  /**
   * Ends idle connections, one for each that is waited for: of any database in which nobody waits for one that has none, and of
   * those that are not in use for one that wants one more. It can wait for its own, which costs less than to connect anew.
   */
  #makeRoom(): void {
    const before = this.#now() - UNUSED_MS;
    let ending = this.#ending;
    for (const share of this.#waiting) {
      if (!this.#isBlocked(share)) continue;
      if (ending > 0) {
        ending -= 1;
        continue;
      }
      const unused = this.#find(
        share,
        (other) => other.waiting.length === 0 && (share.permits === 0 || other.usedAt < before),
      );
      if (unused === undefined) continue;
      this.#end(unused);
    }
  }

  /** Whether only a permit is missing. */
  #isBlocked(share: Share<Client>): boolean {
    return share.waiting.length > 0 && share.idle <= 0 && share.permits < share.max && this.#isFull(share);
  }

  /** Of the databases with an idle connection whose permit would do, the one that was used longest ago. */
  #find(forShare: Share<Client>, isGood: (other: Share<Client>) => boolean): Share<Client> | undefined {
    const onServer = this.#serverOf(forShare).permits >= this.#limits.maxPerServer;
    let found: Share<Client> | undefined;
    for (const other of this.#shares) {
      if (other === forShare || other.idle <= 0 || (onServer && other.server !== forShare.server)) continue;
      if (isGood(other) && (found === undefined || other.usedAt < found.usedAt)) found = other;
    }
    return found;
  }

  #end(share: Share<Client>): void {
    this.#ending += 1;
    this.#takeIdle(share).then(
      (client) => share.pool.end(client),
      () => {
        this.#ending = Math.max(0, this.#ending - 1);
      },
    );
  }
}

function isBefore<Client>(one: Share<Client>, other: Share<Client>): boolean {
  if (one.permits !== other.permits) return one.permits < other.permits;
  return (one.waiting[0]?.since ?? 0) < (other.waiting[0]?.since ?? 0);
}

/** Nothing has moved at the server all the while: a failure to connect to it, as the driver says it. */
function hanging(): Error {
  return new Error("timeout exceeded when trying to connect");
}

function tooLong(): TenantryError {
  return new TenantryError("LIMIT_EXCEEDED", "All connections to tenant databases are in use: try again in 1 s.", {
    retryAfterSeconds: 1,
    limit: "connections",
  });
}
