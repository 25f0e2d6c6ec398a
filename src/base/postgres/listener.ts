/** LISTEN on a connection of its own that comes back by itself. Notifications sent while it is away are lost. */
import { delay } from "#base/kernel/wait";
import type { Database, DatabaseKind } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";

type Handler = (payload: string) => void;

const RECONNECT_PAUSE_MS = 250;

export class Listener {
  readonly #database: Database<DatabaseKind>;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #onError: (error: unknown) => void;
  readonly #stop = new AbortController();
  /** The connection in use; undefined while away. */
  #listen: ((channel: string) => Promise<void>) | undefined;
  #running: Promise<void> | undefined;

  constructor(database: Database<DatabaseKind>, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
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
    await this.#listen?.(channel);
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

  /** Listens until the connection ends or the listener is closed. */
  async #connectOnce(onListening: () => void): Promise<void> {
    const client = await this.#database.pool.connect();
    const ended = Promise.withResolvers<void>();
    // Also rejected when nobody waits for it any more.
    ended.promise.catch(() => undefined);
    const stop = () => ended.resolve();
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    client.on("error", ended.reject);
    client.on("end", () => ended.reject(new Error("the listening connection ended")));
    client.on("notification", ({ channel, payload }) => {
      for (const handler of this.#handlers.get(channel) ?? []) handler(payload ?? "");
    });
    try {
      // One after the other, and each channel once: everybody who hears it waits for the same.
      const listening = new Map<string, Promise<unknown>>();
      let last: Promise<unknown> = Promise.resolve();
      this.#listen = async (channel) => {
        const listened =
          listening.get(channel) ??
          last.then(() => client.query(`/* tenantry: listen */ listen ${quoteIdentifier(channel)}`));
        listening.set(channel, listened);
        last = listened;
        await listened;
      };
      for (const channel of this.#handlers.keys()) await this.#listen(channel);
      onListening();
      if (this.#stop.signal.aborted) stop();
      await ended.promise;
    } finally {
      this.#listen = undefined;
      this.#stop.signal.removeEventListener("abort", stop);
      client.removeAllListeners("notification");
      // Never back into the pool: it still listens.
      client.release(true);
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

  /** Hears a channel of a database until the returned function is called. Rejects when it cannot connect. */
  async on(database: Database<DatabaseKind>, channel: string, handler: Handler): Promise<() => void> {
    let entry = this.#open.get(database);
    if (entry === undefined) {
      const listener = new Listener(database, this.#onError);
      entry = { listener, started: listener.start(), users: 0 };
      this.#open.set(database, entry);
    }
    const shared = entry;
    shared.users += 1;
    const leave = () => {
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
