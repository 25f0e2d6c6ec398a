/**
 * Every connection of the process comes from here: one small driver pool per (server, database), opened on
 * first use, closed when idle, and never more than a bounded number of pools at once.
 */
import { orLate } from "#base/kernel/wait";
import pg from "pg";
import {
  formatPoolUrl,
  isSameAddress,
  type PoolerAddress,
  type ServerAddress,
  tlsOptions,
} from "#base/postgres/connection-url";
import { connectTimeoutOf, sslNegotiationOf } from "#base/postgres/connection-parameters";
import { clientBoundedBy } from "#base/postgres/answer-bound";
import type { ServerStanding } from "#base/postgres/breaker";
import { type BudgetLimits, ConnectionBudget } from "#base/postgres/connection-budget";
import { KEEP_ALIVE_AFTER_MS, livenessOptions } from "#base/postgres/dead-peers";
import { Database, type DatabaseKind, type Session } from "#base/postgres/database";
import type { PoolConfig } from "#base/postgres/lazy-pool";
import { ConnectionPins } from "#base/postgres/pinned-settings";
import { DEFAULT_BUDGET, DEFAULT_LIMITS, type PoolLimits } from "#base/postgres/pool-limits";
import { PoolUsage, type ServerUsage, WaitTimes } from "#base/postgres/pool-usage";
import { PreparedStatements } from "#base/postgres/prepared-statements";
import type { Reach } from "#base/postgres/reach";
import { streamOf } from "#base/postgres/silence";
import { type ConnectedAs, type Forgotten, WatchedServers } from "#base/postgres/watched-servers";

type PoolConfigOptions = Pick<PoolConfig, "max" | "breaker" | "budget"> & {
  despiteFence?: boolean;
  forCallers?: boolean;
  isPooler?: boolean;
  /** Whether it is for finding out about others: then nobody looks at it. */
  isLook?: boolean;
};
type Entry = { database: Database<DatabaseKind>; address: ServerAddress };

export class Pools {
  readonly #entries = new Map<string, Entry>();
  readonly #prepared = new PreparedStatements();
  readonly #pins = new ConnectionPins();
  readonly #limits: PoolLimits;
  readonly #budget: ConnectionBudget<pg.PoolClient>;
  readonly #onError: (error: Error, region?: string) => void;
  readonly #pools = new PoolUsage();
  /** Each with the host and port that it is connected to. */
  readonly #clients = new Map<pg.ClientBase, string>();
  readonly #servers: WatchedServers;
  #closed = false;
  /** Called when the last connection has ended. */
  #allGone: (() => void) | undefined;

  /** `onError` hears of idle connections that broke, with the key of the region if it was a region's; it must not throw. */
  constructor(
    onError: (error: Error, region?: string) => void,
    limits: Partial<PoolLimits> = {},
    budget: Partial<BudgetLimits> | undefined = {},
  ) {
    this.#onError = onError;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#budget = new ConnectionBudget({ ...DEFAULT_BUDGET, ...budget });
    this.#servers = new WatchedServers(this.#clients, this.#limits);
  }

  /** How many connections are open. */
  get connected(): number {
    return this.#clients.size;
  }

  /** The most connections of the budget that were open at once. */
  get mostBudgeted(): number {
    return this.#budget.most;
  }

  /** Connections to each server, or pooler, that are in use and idle, and callers that wait for one now. */
  usage(): ServerUsage[] {
    return this.#pools.read((server) => this.#budget.waitingAt(server));
  }

  /** How the server at `host:port` stands with this process: whether it answers, and since when. */
  standingOf(kind: DatabaseKind, server: string): ServerStanding {
    return this.#servers.standingOf(kind, server);
  }

  /** Calls back with `host:port` of a server, or a pooler, that can be reached after it could not be. It must not throw. */
  onAnswerAgain(hear: (server: string) => void): void {
    this.#servers.onAnswerAgain(hear);
  }

  /** Calls back whenever a server, or a pooler, can be reached no longer, and when it can be again. It must not throw. */
  onReach(hear: (reach: Reach) => void): void {
    this.#servers.onReach(hear);
  }

  /** Calls back when connections were forgotten on their way to a server, and were hung up on. It must not throw. */
  onForgotten(hear: (forgotten: Forgotten) => void): void {
    this.#servers.onForgotten(hear);
  }

  /**
   * The database's handle; the same one for the same arguments while it stays open. Does not connect. With `despiteFence`,
   * statements write also where the database is set to be read only. With `pooler`, single statements and transactions go
   * there, and sessions to the server itself. `budgeted`: what it opens is a share of the budget; for what holds one connection
   * at a time and not for long. `forCallers`: what the server's administrator set as bounds of statements holds.
   */
  open<Kind extends DatabaseKind>(
    kind: Kind,
    address: ServerAddress,
    database: string,
    options: {
      maxConnections?: number;
      despiteFence?: boolean;
      pooler?: PoolerAddress | undefined;
      budgeted?: boolean;
      forCallers?: boolean;
    } = {},
  ): Database<Kind> {
    const { despiteFence = false, pooler, budgeted = false, forCallers = false } = options;
    const by = `${despiteFence ? " despite fence" : ""}${budgeted ? " budgeted" : ""}${forCallers ? " for callers" : ""}${pooler === undefined ? "" : ` by ${formatPoolUrl(pooler)}`}`;
    const key = `${kind}${by}|${address.user}@${address.host}:${address.port}/${database}`;
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.#entries.delete(key);
      if (isSameAddress(found.address, address)) {
        // Back in at the end: the map's order is the order of last use.
        this.#entries.set(key, found);
        return found.database as Database<Kind>;
      }
      void this.#discard(found.database);
    }
    this.#makeRoom();
    const max = options.maxConnections ?? this.#limits.maxPerDatabase;
    const budget = budgeted ? this.#budget : undefined;
    const created = new Database(
      kind,
      this.#poolConfig(kind, address, database, {
        max,
        breaker: this.#servers.breakerOf(this.#as(kind, address, database)),
        despiteFence,
        forCallers,
        budget,
      }),
      pooler && this.#poolerConfig(kind, pooler, address, database, { max, budget }),
    );
    this.#entries.set(key, { database: created, address });
    return created;
  }

  /**
   * Runs `work` on one connection, or as many as it says, that is not kept: for addresses nobody has checked yet. `isPooler`:
   * a connection pooler is at the address. `forCallers`: as in {@link open}.
   */
  async once<Result>(
    address: ServerAddress,
    database: string,
    work: (database: Database<"server">) => Promise<Result>,
    {
      connections: max = 1,
      isPooler = false,
      forCallers = false,
    }: { connections?: number; isPooler?: boolean; forCallers?: boolean } = {},
  ): Promise<Result> {
    const opened = new Database("server", this.#poolConfig("server", address, database, { max, isPooler, forCallers }));
    try {
      return await work(opened);
    } finally {
      await this.#discard(opened);
    }
  }

  /** Runs `work` in one session of its own, closed afterwards: for what visits many databases once. */
  async visit<Kind extends DatabaseKind, Result>(
    kind: Kind,
    address: ServerAddress,
    database: string,
    work: (session: Session<Kind>) => Promise<Result>,
  ): Promise<Result> {
    const breaker = this.#servers.breakerOf(this.#as(kind, address, database));
    const opened = new Database(kind, this.#poolConfig(kind, address, database, { max: 1, breaker }));
    try {
      return await opened.session(work);
    } finally {
      await this.#discard(opened);
    }
  }

  /** Closes the pools of one database, before it is dropped. */
  async closeDatabase(address: ServerAddress, database: string): Promise<void> {
    const suffix = `@${address.host}:${address.port}/${database}`;
    for (const [key, entry] of this.#entries) {
      if (!key.endsWith(suffix)) continue;
      this.#entries.delete(key);
      await this.#discard(entry.database);
    }
  }

  /** Waits a while for what is being done; a server that does not answer any more is hung up on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#servers.close();
    const timer = setTimeout(() => {
      for (const client of this.#clients.keys()) streamOf(client).destroy();
    }, this.#limits.closeTimeoutMs);
    try {
      await this.#closeAll();
    } finally {
      clearTimeout(timer);
    }
  }

  async #closeAll(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map((entry) => this.#discard(entry.database)));
    // Those of handles that made room and were used again.
    await Promise.all(this.#pools.open.map((pool) => pool.end().catch(this.#onError)));
    this.#pools.clear();
    // A pool ends as soon as its connections were told to. What stops the servers next must find none.
    if (this.#clients.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#allGone = resolve;
    });
  }

  #makeRoom(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size < this.#limits.maxDatabases) return;
      // A pool in use is not taken from under its user; the bound then waits for the next opening.
      if (entry.database.kind !== "tenant" || entry.database.isBusy) continue;
      this.#entries.delete(key);
      void this.#discard(entry.database);
    }
  }

  /**
   * When the pooler is away its server is not used instead: all the load that the pooler keeps from it would come at
   * once.
   */
  #poolerConfig(
    kind: DatabaseKind,
    pooler: PoolerAddress,
    address: ServerAddress,
    database: string,
    share: Pick<PoolConfigOptions, "max" | "budget">,
  ): PoolConfig {
    const { preparedStatements, ...at } = pooler;
    const to = { ...address, ...at };
    const breaker = this.#servers.breakerOf(this.#as(kind, to, database, { isPooler: true }));
    const config = this.#poolConfig(kind, to, database, { ...share, breaker, isPooler: true });
    // Where the server's connection changes from one transaction to the next, what was prepared may not be there.
    return preparedStatements ? config : { ...config, prepared: undefined };
  }

  #poolConfig(
    kind: DatabaseKind,
    address: ServerAddress,
    database: string,
    {
      max,
      breaker,
      budget,
      despiteFence = false,
      forCallers = false,
      isPooler = false,
      isLook = false,
    }: PoolConfigOptions,
  ): PoolConfig {
    const login = `${address.user}@${address.host}:${address.port}`;
    const server = `${address.host}:${address.port}`;
    const as = this.#as(kind, address, database, { isPooler, forCallers });
    const silence = isLook ? undefined : this.#servers.watchOf(as, breaker);
    const target = { name: kind === "home" ? "home" : (address.region ?? "other"), isPooler, server };
    const createPool = () => {
      if (this.#closed) throw new Error("the connections of this process are closed");
      const pool = this.#newPool(kind, address, database, max);
      if (!isPooler) this.#pin(pool, login, { despiteFence, forCallers, host: address.host });
      if (!isLook) this.#pools.add(pool, target);
      // While everything is closed their end is no news: the server may stop right after.
      pool.on("error", (error) => (this.#closed ? undefined : this.#onError(error, address.region)));
      pool.on("connect", (client) => {
        // A connection that breaks while somebody holds it: its statement rejects, which is how they hear of it.
        client.on("error", () => undefined);
        this.#clients.set(client, server);
        silence?.add(client, as.openPool);
      });
      pool.on("remove", (client) => {
        this.#clients.delete(client);
        if (this.#clients.size === 0) this.#allGone?.();
        silence?.remove(client);
      });
      return pool;
    };
    const at = { kind, server, database, role: address.user, region: address.region };
    const onConnectFailure = (error: unknown) => this.#pins.failed(login, error);
    // An address that is tried once is nobody's server yet.
    const waits = breaker === undefined ? new WaitTimes() : this.#pools.waitsAt(target);
    return {
      server,
      at,
      createPool,
      isPooler,
      breaker,
      budget,
      max,
      waits,
      prepared: this.#prepared,
      onConnectFailure,
    };
  }

  #newPool(kind: DatabaseKind, address: ServerAddress, database: string, max: number): pg.Pool {
    return new pg.Pool({
      host: address.host,
      port: address.port,
      user: address.user,
      // An absent password must not be looked up in PGPASSWORD or ~/.pgpass of whoever runs the server.
      password: address.password ?? "",
      database,
      ssl: tlsOptions(address),
      max,
      connectionTimeoutMillis: connectTimeoutOf(address.parameters) ?? this.#limits.connectTimeoutMs,
      ...sslNegotiationOf(address.parameters),
      idleTimeoutMillis: this.#limits.idleTimeoutMs,
      application_name: `tenantry ${kind}`,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
      // Home is trusted; a region's server is not.
      ...(kind === "home" ? {} : { Client: clientBoundedBy(this.#limits.maxResultBytes) }),
    });
  }

  /**
   * The pool makes each client from its own options, so what is known of the role meanwhile counts. It waits for `onConnect`,
   * which its types do not say; test/integration/session-settings.test.ts shows when that breaks.
   */
  #pin(
    pool: pg.Pool,
    login: string,
    { despiteFence, forCallers, host }: { despiteFence: boolean; forCallers: boolean; host: string },
  ): void {
    const pins = this.#pins;
    const fence = despiteFence ? " -c default_transaction_read_only=off" : "";
    const always = `${livenessOptions(host)}${fence}`;
    const get = () => `${forCallers ? pins.callersOptions : pins.optionsOf(login)} ${always}`;
    Object.defineProperty(pool.options, "options", { get, enumerable: true });
    // The driver's own time for connecting is over by then, and nobody else knows of the client yet.
    const onConnect = async (client: pg.ClientBase) => {
      const late = () => new Error("connection timeout: the server did not answer");
      try {
        await orLate(Promise.resolve(pins.pinRest(login, client)), this.#limits.connectTimeoutMs, late);
      } catch (error) {
        streamOf(client).destroy();
        throw error;
      }
    };
    if (!forCallers) Object.assign(pool.options, { onConnect });
  }

  /** How connections are made there, for what is known of the server. */
  #as(
    kind: DatabaseKind,
    address: ServerAddress,
    database: string,
    { isPooler = false, forCallers = false }: { isPooler?: boolean; forCallers?: boolean } = {},
  ): ConnectedAs {
    const openPool = () =>
      this.#poolConfig(kind, address, database, { max: 1, isPooler, forCallers, isLook: true }).createPool();
    const { host, port, user, region } = address;
    return { kind, host, port, user, region, isPooler, openPool };
  }

  async #discard(database: Database<DatabaseKind>): Promise<void> {
    await database.close().catch(this.#onError);
    this.#pools.sweep();
  }
}
