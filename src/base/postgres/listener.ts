/**
 * LISTEN on a connection of its own that comes back by itself. Notifications sent while it is away are lost. A connection can be
 * dead without a word, and what listens sends nothing by which that would be noticed. So a listener proves that it hears: it
 * notifies itself, and gives the connection up when it does not hear that in time.
 */
import { randomBytes } from "node:crypto";
import { outsideCalls } from "#base/kernel/call";
import { delay, orLate } from "#base/kernel/wait";
import type pg from "pg";
import type { Database, DatabaseKind } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";

type Handler = (payload: string) => void;

const RECONNECT_PAUSE_MS = 250;

export type ListenerTimes = {
  /** Pause between two proofs. */
  beatMs: number;
  /** A proof takes no longer. */
  answerMs: number;
};
const LISTENER_TIMES: ListenerTimes = { beatMs: 5_000, answerMs: 5_000 };

/** What the server's clock said, and when that was asked and answered, by `performance.now()`. All in milliseconds. */
type HearClock = (serverMs: number, askedAt: number, answeredAt: number) => void;

/** What is said on the connection in use. */
type Ears = { listen: (channel: string) => Promise<void>; prove: () => Promise<void> };

export class Listener {
  readonly #database: Database<DatabaseKind>;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #onError: (error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #times: ListenerTimes;
  readonly #hearClock: HearClock;
  readonly #hearHearing = new Set<(isHearing: boolean) => void>();
  /** Nobody else hears it. */
  readonly #ownChannel = `tenantry_proof_${randomBytes(6).toString("hex")}`;
  #onProof: () => void = () => undefined;
  /** The connection in use; undefined while away. */
  #ears: Ears | undefined;
  #running: Promise<void> | undefined;

  /** `hearClock`: told what the server's clock says, with each proof. */
  constructor(
    database: Database<DatabaseKind>,
    onError: (error: unknown) => void,
    { hearClock = () => undefined, ...times }: Partial<ListenerTimes> & { hearClock?: HearClock } = {},
  ) {
    this.#database = database;
    this.#onError = onError;
    this.#times = { ...LISTENER_TIMES, ...times };
    this.#hearClock = hearClock;
  }

  /** Calls back with false when nothing is heard any more, and with true when it is again: at once with how it is now. */
  onHearing(hear: (isHearing: boolean) => void): void {
    this.#hearHearing.add(hear);
    hear(this.#ears !== undefined);
  }

  /**
   * Hears a channel until the returned function is called. Resolves when the server listens (or at once while
   * the connection is away), so what is sent afterwards is heard. After a reconnection every handler is called
   * with an empty payload: something may have been missed.
   */
  async on(channel: string, handler: Handler): Promise<() => void> {
    const handlers = this.#handlers.get(channel) ?? new Set<Handler>();
    handlers.add(handler);
    this.#handlers.set(channel, handlers);
    await this.#ears?.listen(channel);
    return () => {
      handlers.delete(handler);
    };
  }

  /** Starts; resolves with the first connection, rejects when it cannot be made. */
  async start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#running = this.#run(first);
    await first.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("listener closed"));
    await this.#running;
  }

  async #run(first: PromiseWithResolvers<void>): Promise<void> {
    let started = false;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#connectOnce(() => {
          for (const hear of this.#hearHearing) hear(true);
          if (started) for (const handlers of this.#handlers.values()) for (const handler of handlers) handler("");
          started = true;
          first.resolve();
        });
      } catch (error) {
        if (!started) {
          first.reject(error);
          return;
        }
        this.#onError(error);
        await delay(RECONNECT_PAUSE_MS, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  /** Listens until the connection ends or does not prove that it hears, or the listener is closed. */
  async #connectOnce(onListening: () => void): Promise<void> {
    const client = await this.#database.pool.connect();
    const ended = Promise.withResolvers<void>();
    // Also rejected when nobody waits for it any more.
    ended.promise.catch(() => undefined);
    const over = new AbortController();
    const stop = () => ended.resolve();
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    client.on("error", ended.reject);
    client.on("end", () => ended.reject(new Error("the listening connection ended")));
    client.on("notification", ({ channel, payload }) => {
      if (channel === this.#ownChannel) this.#onProof();
      for (const handler of this.#handlers.get(channel) ?? []) handler(payload ?? "");
    });
    try {
      const ears = this.#earsOf(client);
      const begin = async () => {
        for (const channel of [this.#ownChannel, ...this.#handlers.keys()]) await ears.listen(channel);
        await ears.prove();
      };
      // Also those that are asked for from now on.
      this.#ears = ears;
      const begun = Promise.race([begin(), ended.promise]);
      await orLate(begun, 2 * this.#times.answerMs, () => new Error("the listening connection did not begin"));
      onListening();
      outsideCalls(() => this.#keepProving(ears, over.signal)).catch(ended.reject);
      if (this.#stop.signal.aborted) stop();
      await ended.promise;
    } finally {
      over.abort();
      this.#ears = undefined;
      for (const hear of this.#hearHearing) hear(false);
      this.#stop.signal.removeEventListener("abort", stop);
      client.removeAllListeners("notification");
      // Never back into the pool: it still listens.
      client.release(true);
    }
  }

  #earsOf(client: pg.PoolClient): Ears {
    // One after the other, and each channel once: everybody who hears it waits for the same.
    const listening = new Map<string, Promise<unknown>>();
    let last: Promise<unknown> = Promise.resolve();
    const { answerMs } = this.#times;
    const say = <Row extends object>(text: string, values?: string[]) => {
      const said = last.then(() => client.query<Row>(text, values));
      last = said;
      return said;
    };
    return {
      listen: async (channel) => {
        const listened = listening.get(channel) ?? say(`/* tenantry: listen */ listen ${quoteIdentifier(channel)}`);
        listening.set(channel, listened);
        await listened;
      },
      prove: async () => {
        const heard = Promise.withResolvers<void>();
        this.#onProof = heard.resolve;
        const proved = async () => {
          await last;
          const askedAt = performance.now();
          const { rows } = await say<{ ms: number }>(
            "/* tenantry: listen.prove */ select pg_notify($1, ''), extract(epoch from clock_timestamp())::float8 * 1000 as ms",
            [this.#ownChannel],
          );
          this.#hearClock(rows[0]?.ms ?? Date.now(), askedAt, performance.now());
          await heard.promise;
        };
        await orLate(proved(), answerMs, () => new Error("the listening connection does not hear any more"));
      },
    };
  }

  async #keepProving(ears: Ears, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#times.beatMs, signal).catch(() => undefined);
      if (!signal.aborted) await ears.prove();
    }
  }
}

/** One listener per database, shared by everybody who hears something there and closed with the last of them. */
export class Listeners {
  readonly #open = new Map<Database<DatabaseKind>, { listener: Listener; started: Promise<void>; users: number }>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Hears a channel of a database until the returned function is called, once or more. Rejects when it cannot connect. */
  async on(database: Database<DatabaseKind>, channel: string, handler: Handler): Promise<() => void> {
    let entry = this.#open.get(database);
    if (entry === undefined) {
      const listener = new Listener(database, this.#onError);
      entry = { listener, started: listener.start(), users: 0 };
      this.#open.set(database, entry);
    }
    const shared = entry;
    shared.users += 1;
    let hasLeft = false;
    const leave = () => {
      if (hasLeft) return;
      hasLeft = true;
      shared.users -= 1;
      if (shared.users > 0) return;
      this.#open.delete(database);
      void shared.listener.close();
    };
    try {
      await shared.started;
      const stop = await shared.listener.on(channel, handler);
      return () => {
        stop();
        leave();
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async close(): Promise<void> {
    const entries = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(entries.map(({ listener }) => listener.close()));
  }
}
