/**
 * Notices connections from which nothing comes although something was asked: the server's machine is gone, the way to it
 * swallows everything, or a router in between has forgotten this one connection while new ones pass. TCP says so only after
 * minutes, and what runs in the process cannot ask its system about a connection.
 *
 * A statement that just takes long is as silent. So silence is a reason to look, with a new connection:
 *
 * - where that cannot be made, twice, the server is away, and those that wait are hung up on;
 * - else the server is asked what it does for those that are silent. Of one that it is at work for, nothing is known. One that
 *   it has answered a while ago, or has heard nothing of, or has ended, was forgotten on the way: it is hung up on.
 *
 * The server may not hear that either, and would keep the locks and the transaction of a connection that is gone. So it is told
 * to end them, by another connection.
 *
 * The driver's insides are touched here (`readyForQuery`, `processID` and `connection`); test/integration/home-away.test.ts and
 * test/integration/silent-connections.test.ts show when that breaks.
 */
import type { Socket } from "node:net";
import type pg from "pg";
import { delay } from "#base/kernel/wait";
import { isRefusal } from "#base/postgres/breaker";
import { askAbout, endBackends, isForgotten } from "#base/postgres/silent-backends";

/** A connection that was asked something and has heard nothing for this long makes us look. */
export const SILENT_MS = 3_000;
const LOOK_INTERVAL_MS = 1_000;
/** Those that are silent still are looked at again after this long. */
const LOOK_AGAIN_MS = 3_000;
/** The second look begins so long after the first one, if that has not been answered. */
const SECOND_LOOK_MS = 1_000;
/** What we have hung up on is looked for at the server so long. */
const LEFT_BEHIND_MS = 120_000;

/** Opens a pool of one connection to the database that another connection is to, as the same role. */
export type OpenPool = () => pg.Pool;

/** Runs `work` on a new connection to the server, and rejects when that cannot be made or does not answer in time. */
export type Visit = <Result>(openPool: OpenPool, work: (client: pg.PoolClient) => Promise<Result>) => Promise<Result>;

/** What the driver has but does not say in its types. */
type Inside = {
  readonly readyForQuery: boolean;
  readonly processID: number | null;
  readonly connection: { readonly stream: Socket; readonly _ending: boolean };
};

/** When it was connected, and when it was last heard, in milliseconds of `performance.now()`; what had come and gone by then. */
type Heard = {
  readonly openPool: OpenPool;
  readonly connectedAt: number;
  bytes: number;
  sent: number;
  since: number;
};
type LeftBehind = { openPool: OpenPool; connectedAt: number; until: number };

export type SilenceOptions = {
  visit: Visit;
  /** A pooler's processes have other numbers than the server's: what these do is not known there. */
  isPooler: boolean;
  /** Called with how many connections were forgotten on the way. It must not throw. */
  onForgotten: (count: number) => void;
};

/** Of one server and role. */
export class SilenceWatch {
  readonly #clients = new Map<pg.ClientBase, Heard>();
  /** What we have hung up on, by the server's number of the process. */
  readonly #leftBehind = new Map<number, LeftBehind>();
  readonly #options: SilenceOptions;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isClosed = false;
  #lookedAt = -Infinity;

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** `openPool`: for looks at the server. */
  add(client: pg.ClientBase, openPool: OpenPool): void {
    const now = performance.now();
    this.#clients.set(client, { openPool, connectedAt: now, bytes: 0, sent: 0, since: now });
    if (!this.#isClosed) this.#timer ??= setInterval(() => void this.#look(), LOOK_INTERVAL_MS).unref();
  }

  /** It has ended, at this end at least. */
  remove(client: pg.ClientBase): void {
    const heard = this.#clients.get(client);
    this.#clients.delete(client);
    const { processID } = client as unknown as Inside;
    const isOurDoing = !streamOf(client).readableEnded && streamOf(client).errored === null;
    if (heard === undefined || processID === null || !isOurDoing || !isAsked(client) || this.#options.isPooler) return;
    const { openPool, connectedAt } = heard;
    this.#leftBehind.set(processID, { openPool, connectedAt, until: performance.now() + LEFT_BEHIND_MS });
    this.#lookedAt = -Infinity;
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const now = performance.now();
    for (const [pid, { until }] of this.#leftBehind) if (now > until) this.#leftBehind.delete(pid);
    const silent = this.#silentAt(now);
    if (this.#clients.size + this.#leftBehind.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const isDue = silent.size > 0 || (this.#leftBehind.size > 0 && now - this.#lookedAt >= LOOK_AGAIN_MS);
    if (!isDue || this.#isLooking) return;
    this.#isLooking = true;
    this.#lookedAt = now;
    await this.#lookAt(silent).finally(() => {
      this.#isLooking = false;
    });
  }

  /** Those that are silent, each with the bytes that have come. */
  #silentAt(now: number): Map<pg.ClientBase, number> {
    const silent = new Map<pg.ClientBase, number>();
    for (const [client, heard] of this.#clients) {
      const { bytesRead: bytes, bytesWritten: sent } = streamOf(client);
      if (!isAsked(client) || bytes !== heard.bytes) Object.assign(heard, { bytes, sent, since: now });
      else if (now - heard.since >= SILENT_MS) silent.set(client, bytes);
    }
    return silent;
  }

  async #lookAt(silent: ReadonlyMap<pg.ClientBase, number>): Promise<void> {
    const begunAt = performance.now();
    // A server with much to do may be late once.
    const first = this.#ask(silent);
    const second = delay(SECOND_LOOK_MS).then(() => (isSettled ? first : this.#ask(silent)));
    let isSettled = false;
    first.then(
      () => (isSettled = true),
      () => undefined,
    );
    const forgotten = await Promise.any([first, second]).catch(() => undefined);
    const isThere = forgotten !== undefined || this.#hasHeardSince(begunAt);
    let count = 0;
    for (const [client, bytes] of silent) {
      const heard = this.#clients.get(client);
      if (heard === undefined || !isAsked(client) || streamOf(client).bytesRead !== bytes) continue;
      // A statement that takes long, and is asked about again after the same time.
      if (isThere && forgotten?.has(client) !== true) heard.since = performance.now();
      else {
        if (isThere) count += 1;
        streamOf(client).destroy();
      }
    }
    if (count > 0) this.#options.onForgotten(count);
  }

  /** Whether something has come on any connection, which no server does that is away. */
  #hasHeardSince(moment: number): boolean {
    for (const [client, { bytes, since }] of this.#clients)
      if (streamOf(client).bytesRead !== bytes || since > moment) return true;
    return false;
  }

  /** Those that were forgotten on the way. Rejects when the server cannot be reached. */
  #ask(silent: ReadonlyMap<pg.ClientBase, number>): Promise<ReadonlySet<pg.ClientBase>> {
    const { visit, isPooler } = this.#options;
    const work = async (looker: pg.PoolClient): Promise<ReadonlySet<pg.ClientBase>> => {
      if (isPooler) {
        // A pooler lets in by itself: only what the server answers tells that it is there.
        await looker.query("/* tenantry: silence.there */ select");
        return new Set();
      }
      const pids = new Map([...silent.keys()].map((client) => [client, (client as unknown as Inside).processID]));
      const known = [...pids.values(), ...this.#leftBehind.keys()].filter((pid) => pid !== null);
      const backends = await askAbout(looker, known);
      if (backends === undefined) return new Set();
      const now = performance.now();
      const ended = [...this.#leftBehind].flatMap(([pid, { connectedAt }]) => {
        const backend = backends.get(pid);
        if (backend === undefined) this.#leftBehind.delete(pid);
        return backend === undefined ? [] : [{ pid, ageMs: now - connectedAt }];
      });
      if (ended.length > 0) await endBackends(looker, ended);
      return new Set(
        [...silent.keys()].filter((client) => {
          const pid = pids.get(client);
          const sent = streamOf(client).bytesWritten - (this.#clients.get(client)?.sent ?? 0);
          return pid != null && isForgotten(backends.get(pid), sent);
        }),
      );
    };
    const [some] = silent.keys();
    const known = some === undefined ? this.#leftBehind.values().next().value : this.#clients.get(some);
    // They have ended meanwhile.
    if (known === undefined) return Promise.resolve(new Set());
    return visit(known.openPool, work).catch((error: unknown) => {
      if (isRefusal(error)) throw error;
      // It answers, if only with an error: that says nothing of those that are silent.
      return new Set();
    });
  }
}

/** Whether the connection was asked something that it has not answered. */
export function isWaiting(client: pg.ClientBase): boolean {
  return !(client as unknown as Inside).readyForQuery;
}

/** The same, or it was told to end and has not. */
function isAsked(client: pg.ClientBase): boolean {
  const { _ending: isEnding } = (client as unknown as Inside).connection;
  return isWaiting(client) || isEnding;
}

/** The connection's socket. Whoever waits for an answer on one that is destroyed hears that it will not come. */
export function streamOf(client: pg.ClientBase): Socket {
  return (client as unknown as Inside).connection.stream;
}
