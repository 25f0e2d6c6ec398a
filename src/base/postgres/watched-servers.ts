/** What this process knows of the servers that it connects to, by host and port: whether they answer, and which connections do not. */
import { outsideCalls } from "#base/kernel/call";
import { orLate } from "#base/kernel/wait";
import type pg from "pg";
import { Breaker, type ServerStanding } from "#base/postgres/breaker";
import type { DatabaseKind } from "#base/postgres/failed-at";
import { type Reach, ReachNews } from "#base/postgres/reach";
import { type OpenPool, SilenceWatch } from "#base/postgres/silence";
import { Suspects } from "#base/postgres/suspects";

/** A region's server is looked at for so long after somebody has asked for it. */
const PULSE_FOR_MS = 3_600_000;

/** How somebody connects there. */
export type ConnectedAs = {
  kind: DatabaseKind;
  host: string;
  port: number;
  user: string;
  region?: string | undefined;
  isPooler: boolean;
  /** For looks at the server. */
  openPool: OpenPool;
};

/** Connections to a server that were forgotten on their way, and were hung up on. */
export type Forgotten = { region: string | undefined; isHome: boolean; connections: number };

export class WatchedServers {
  /** There are as many as regions and poolers. Home's is its own: it is looked after beside the calls. */
  readonly #breakers = new Map<string, Breaker>();
  /** By breaker and role. */
  readonly #silence = new Map<string, SilenceWatch>();
  readonly #suspects: Suspects;
  readonly #reach = new ReachNews();
  readonly #hearAnswers = new Set<(server: string) => void>();
  readonly #hearForgotten = new Set<(forgotten: Forgotten) => void>();
  readonly #times: { connectTimeoutMs: number; pulseMs: number };
  /** How a region's server, by breaker, was connected to last. */
  readonly #regions = new Map<Breaker, OpenPool>();
  #pulse: NodeJS.Timeout | undefined;

  /** `clients`: all that are connected, each with its server's host and port. */
  constructor(clients: ReadonlyMap<pg.ClientBase, string>, times: { connectTimeoutMs: number; pulseMs: number }) {
    this.#suspects = new Suspects(clients);
    this.#times = times;
  }

  /** How the server at `host:port` stands with this process: whether it answers, and since when. */
  standingOf(kind: DatabaseKind, server: string): ServerStanding {
    return this.#breakers.get(keyOf(kind, server))?.standing ?? { breaker: "closed", since: null };
  }

  /** As {@link Pools.onAnswerAgain}. */
  onAnswerAgain(hear: (server: string) => void): void {
    this.#hearAnswers.add(hear);
  }

  /** As {@link Pools.onReach}. */
  onReach(hear: (reach: Reach) => void): void {
    this.#reach.on(hear);
  }

  /** As {@link Pools.onForgotten}. */
  onForgotten(hear: (forgotten: Forgotten) => void): void {
    this.#hearForgotten.add(hear);
  }

  /** Without it nothing works at home, so home is tried beside the calls. */
  breakerOf(as: ConnectedAs): Breaker {
    const { kind, region } = as;
    const server = serverOf(as);
    this.#reach.name(server, region);
    const key = keyOf(kind, server);
    const breaker = this.#breakers.get(key) ?? this.#makeBreaker(as);
    this.#breakers.set(key, breaker);
    if (region !== undefined) this.#keepLooking(breaker, as.openPool);
    return breaker;
  }

  #makeBreaker(as: ConnectedAs): Breaker {
    const { kind, isPooler } = as;
    const server = serverOf(as);
    const isHome = kind === "home";
    const news = this.#reach.of(server, { isHome, isPooler });
    return new Breaker({
      probe: isHome
        ? () =>
            outsideCalls(() => this.#visit(as.openPool, (client) => client.query("/* tenantry: home.probe */ select")))
        : undefined,
      away: (code) => {
        this.#suspects.note(server);
        news.away(code);
      },
      answers: () => {
        this.#suspects.hangUp(server);
        news.answers();
        for (const hear of this.#hearAnswers) hear(server);
      },
    });
  }

  /**
   * A process whose callers ask for a region again later would find out only then that it is away, or back. So what nobody asks
   * for is looked at: it costs a connection each time.
   */
  #keepLooking(breaker: Breaker, openPool: OpenPool): void {
    this.#regions.set(breaker, openPool);
    this.#pulse ??= setInterval(() => {
      for (const [quiet, open] of this.#regions)
        if (quiet.quietMs > PULSE_FOR_MS) this.#regions.delete(quiet);
        else if (quiet.quietMs >= this.#times.pulseMs)
          void outsideCalls(() =>
            quiet.ask(() => this.#visit(open, (client) => client.query("/* tenantry: region.probe */ select"))),
          ).catch(() => undefined);
    }, this.#times.pulseMs).unref();
  }

  /** Watches the connections that are made so. `breaker`: hears whether the server answers; left out: it is nobody's server yet. */
  watchOf(as: ConnectedAs, breaker: Breaker | undefined): SilenceWatch {
    const key = `${breaker === undefined ? "tried " : ""}${keyOf(as.kind, serverOf(as))} ${as.user}`;
    const found = this.#silence.get(key);
    if (found !== undefined) return found;
    const asked = breaker ?? new Breaker();
    const watch = new SilenceWatch({
      isPooler: as.isPooler,
      // Of no call: all calls wait for what comes of it.
      visit: (openPool, work) => outsideCalls(() => asked.ask(() => this.#visit(openPool, work))),
      onForgotten: (connections) => {
        for (const hear of this.#hearForgotten) hear({ region: as.region, isHome: as.kind === "home", connections });
      },
    });
    this.#silence.set(key, watch);
    return watch;
  }

  /** Tries and watches no more. */
  close(): void {
    clearInterval(this.#pulse);
    for (const one of [...this.#breakers.values(), ...this.#silence.values()]) one.close();
  }

  async #visit<Result>(openPool: OpenPool, work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const pool = openPool();
    try {
      const client = await pool.connect();
      const late = () => new Error("connection timeout: no answer");
      try {
        return await orLate(work(client), this.#times.connectTimeoutMs, late);
      } finally {
        client.release(true);
      }
    } finally {
      await pool.end();
    }
  }
}

function keyOf(kind: DatabaseKind, server: string): string {
  return kind === "home" ? `home ${server}` : server;
}

function serverOf({ host, port }: { host: string; port: number }): string {
  return `${host}:${port}`;
}
