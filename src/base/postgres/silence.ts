/**
 * Notices a server that has fallen silent under statements that wait for it: its machine is gone, or the way to it swallows
 * everything. TCP says so only after minutes. Which statements just take long is not known here, so silence is a
 * reason to look, with a new connection: only when that cannot be made, twice, those that wait are hung up on.
 *
 * The driver's insides are touched here (`readyForQuery` and `connection`); test/integration/home-away.test.ts shows when that
 * breaks.
 */
import type { Socket } from "node:net";
import type pg from "pg";

/** A connection that was asked something and has heard nothing for this long makes us look. */
export const SILENT_MS = 3_000;
const LOOK_INTERVAL_MS = 1_000;

/** What the driver has but does not say in its types. */
type Inside = { readonly readyForQuery: boolean; readonly connection: { readonly stream: Socket } };
type Heard = { bytes: number; since: number };

export class SilenceWatch {
  readonly #clients = new Map<pg.ClientBase, Heard>();
  readonly #isThere: () => Promise<boolean>;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  /** `isThere`: whether a new connection to the server can be made; it takes no longer than making one may. */
  constructor(isThere: () => Promise<boolean>) {
    this.#isThere = isThere;
  }

  add(client: pg.ClientBase): void {
    this.#clients.set(client, { bytes: 0, since: performance.now() });
    this.#timer ??= setInterval(() => void this.#look(), LOOK_INTERVAL_MS).unref();
  }

  remove(client: pg.ClientBase): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const silent: pg.ClientBase[] = [];
    for (const [client, heard] of this.#clients) {
      const { readyForQuery } = client as unknown as Inside;
      const bytes = movedBy(client);
      if (readyForQuery || bytes !== heard.bytes) Object.assign(heard, { bytes, since: now });
      else if (now - heard.since >= SILENT_MS) silent.push(client);
    }
    if (silent.length === 0 || this.#isLooking) return;
    this.#isLooking = true;
    // Twice: a server with much to do may be late once.
    const isThere = (await this.#isThere()) || (await this.#isThere());
    this.#isLooking = false;
    for (const client of silent) {
      const heard = this.#clients.get(client);
      // A statement that takes long, and is asked about again after the same time.
      if (isThere && heard !== undefined) heard.since = performance.now();
      else if (heard !== undefined && heard.since <= now - SILENT_MS) streamOf(client).destroy();
    }
  }
}

/** Bytes that came or were sent so far. A server that takes the rows of a copy says nothing meanwhile. */
function movedBy(client: pg.ClientBase): number {
  const { bytesRead, bytesWritten } = streamOf(client);
  return bytesRead + bytesWritten;
}

/** Whether the connection was asked something that it has not answered. */
export function isWaiting(client: pg.ClientBase): boolean {
  return !(client as unknown as Inside).readyForQuery;
}

/** The connection's socket. Whoever waits for an answer on one that is destroyed hears that it will not come. */
export function streamOf(client: pg.ClientBase): Socket {
  return (client as unknown as Inside).connection.stream;
}
