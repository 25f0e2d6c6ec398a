/**
 * Rows from one server to another one by COPY, without being read on the way: what the one sends for COPY … TO STDOUT is, message
 * by message, what the other takes for COPY … FROM STDIN. Memory is bounded: while the one does not take what it was sent, the
 * other is not read from.
 *
 * The driver's insides are touched here (`connection.stream` and the listeners on it), so the driver is pinned to one version;
 * test/integration/copy-between.test.ts shows when that breaks. Its own events for a copy come once for each row, and its answers
 * are bounded in bytes (answer-bound.ts), which a copy is not.
 */
import type { Socket } from "node:net";
import pg from "pg";
import { onAbort } from "#base/kernel/abort";
import { currentCall } from "#base/kernel/call";
import type { DatabaseKind, Session } from "#base/postgres/database";
import { withName } from "#base/postgres/prepared-statements";
import { clientOf } from "#base/postgres/session-clients";

export type Copied = { rows: number; bytes: number };

export type CopyOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Neither side has moved anything for so long: it is given up. A server may look for the first row for a while. */
  readonly silentMs?: number;
  /** Called at most once a second with what has passed so far. */
  readonly onProgress?: (copied: Copied) => void;
};

const SILENT_MS = 120_000;
const PROGRESS_MS = 1_000;

/** Type and length stand in front of each message. */
const HEADER_BYTES = 5;
const COPY_DATA = "d".charCodeAt(0);
/** No server writes longer ones: a field has up to 1 GiB, and so has a row. */
const MAX_MESSAGE_BYTES = 2 ** 30 + 64;

/** Nothing came and nothing was taken for too long. A connection failure to whoever waits. */
class SilentCopy extends Error {
  readonly code = "ETIMEDOUT";

  constructor(side: "source" | "target", silentMs: number) {
    super(`Connection terminated: the ${side} of a copy was silent for ${silentMs} ms`);
  }
}

/**
 * Runs `out`, a `copy (select …) to stdout`, on one session and `into`, a `copy … from stdin`, on the other. Returns how many rows
 * and bytes have passed. When it throws, neither session may be used any more: to throw on out of {@link Database.session} ends
 * both, and with the connections what they were in the middle of. Rejects with the driver's errors and the signal's reason.
 */
export async function copyBetween(
  name: string,
  from: { session: Session<DatabaseKind>; out: string },
  to: { session: Session<DatabaseKind>; into: string },
  options: CopyOptions = {},
): Promise<Copied> {
  const signals = [options.signal, currentCall()?.signal].filter((signal) => signal !== undefined);
  for (const signal of signals) signal.throwIfAborted();
  const copy = new Copy(clientOf(from.session), clientOf(to.session), options);
  const forget = signals.map((signal) => onAbort(signal, () => copy.fail(signal.reason)));
  try {
    return await copy.run(withName(name, from.out), withName(name, to.into));
  } finally {
    for (const one of forget) one();
  }
}

/** What the driver has but does not say in its types. */
type Connection = { readonly stream: Socket; endCopyFrom: () => void };
type Listener = (chunk: Buffer) => void;
type Done = (error: Error | null, result: pg.QueryResult<object> | undefined) => void;
const DriverQuery = pg.Query as unknown as new (text: string, values: undefined, done: Done) => pg.Query;

/** One simple query. */
class CopyQuery extends DriverQuery {
  /** Resolves when the server takes rows. */
  readonly isTaking: Promise<void>;
  /** With the rows that the server says it has copied. */
  readonly ended: Promise<number>;
  readonly handleCopyInResponse: () => void;

  constructor(text: string) {
    const taking = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<number>();
    super(text, undefined, (error, result) => {
      if (error === null) return ended.resolve(result?.rowCount ?? 0);
      ended.reject(error);
      taking.reject(error);
    });
    this.isTaking = taking.promise;
    this.ended = ended.promise;
    this.handleCopyInResponse = () => taking.resolve();
    for (const promise of [this.isTaking, this.ended]) promise.catch(() => undefined);
  }
}

class Copy {
  readonly #source: pg.PoolClient;
  readonly #target: pg.PoolClient;
  readonly #options: CopyOptions;
  readonly #copied = { rows: 0, bytes: 0 };
  readonly #failed = Promise.withResolvers<never>();
  /** Since when nothing has moved. */
  #movedAt = performance.now();
  #waitsFor: "source" | "target" = "target";

  constructor(source: pg.PoolClient, target: pg.PoolClient, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#failed.promise.catch(() => undefined);
  }

  fail(reason: unknown): void {
    this.#failed.reject(reason instanceof Error ? reason : new Error("aborted", { cause: reason }));
  }

  async run(out: string, into: string): Promise<Copied> {
    const { silentMs = SILENT_MS, onProgress } = this.#options;
    const timer = setInterval(() => {
      onProgress?.({ ...this.#copied });
      if (performance.now() - this.#movedAt > silentMs) this.fail(new SilentCopy(this.#waitsFor, silentMs));
    }, PROGRESS_MS);
    try {
      return await Promise.race([this.#run(out, into), this.#failed.promise]);
    } finally {
      clearInterval(timer);
    }
  }

  async #run(out: string, into: string): Promise<Copied> {
    const source = streamOf(this.#source);
    const target = connectionOf(this.#target);
    // Both are asked at once, as each may be far away. What comes early waits.
    const taking = new CopyQuery(into);
    const giving = new CopyQuery(out);
    this.#target.query(taking);
    const detach = this.#attach(source, target.stream);
    try {
      source.pause();
      this.#source.query(giving);
      await taking.isTaking;
      this.#moved("source");
      source.resume();
      // A target that fails says so while it is sent rows.
      const given = await Promise.race([giving.ended, taking.ended.then(endedEarly)]);
      this.#moved("target");
      target.endCopyFrom();
      const taken = await taking.ended;
      if (given !== this.#copied.rows || taken !== given)
        throw new Error(`a copy has lost count: ${given} rows were sent, ${this.#copied.rows} passed, ${taken} taken`);
      return { ...this.#copied };
    } finally {
      detach();
    }
  }

  #moved(next: "source" | "target"): void {
    this.#movedAt = performance.now();
    this.#waitsFor = next;
  }

  /** Rows go to the target as they came, in as few pieces as they came in; all else the driver reads as always. Returns what ends that. */
  #attach(source: Socket, target: Socket): () => void {
    const drivers = source.listeners("data") as Listener[];
    const cutter = new RowCutter(
      (bytes) => {
        if (target.write(bytes) || source.isPaused()) return;
        source.pause();
        this.#waitsFor = "target";
        target.once("drain", onDrain);
      },
      (bytes) => {
        for (const listener of drivers) listener(bytes);
      },
    );
    const onDrain = () => {
      this.#moved("source");
      source.resume();
    };
    const onData = (chunk: Buffer) => {
      this.#moved("source");
      try {
        cutter.push(chunk, this.#copied);
      } catch (error) {
        this.fail(error);
        source.destroy();
      }
    };
    for (const listener of drivers) source.off("data", listener);
    source.on("data", onData);
    return () => {
      source.off("data", onData);
      target.off("drain", onDrain);
      for (const listener of drivers) source.on("data", listener);
    };
  }
}

/** Tells rows from other messages in a stream of bytes, of which nothing is kept but the beginning of a header. */
class RowCutter {
  readonly #row: Listener;
  readonly #other: Listener;
  #header = Buffer.alloc(0);
  /** Bytes of the message under way that are still to come. */
  #left = 0;
  #isRow = false;

  constructor(row: Listener, other: Listener) {
    this.#row = row;
    this.#other = other;
  }

  push(piece: Buffer, copied: Copied): void {
    const chunk = this.#header.length === 0 ? piece : Buffer.concat([this.#header, piece]);
    this.#header = Buffer.alloc(0);
    let from = 0;
    let at = 0;
    const hand = (end: number) => {
      if (end > from) (this.#isRow ? this.#row : this.#other)(chunk.subarray(from, end));
      from = end;
    };
    while (at < chunk.length) {
      if (this.#left === 0) {
        const isRow = chunk[at] === COPY_DATA;
        // What is not handed on yet goes first.
        if (isRow !== this.#isRow) hand(at);
        this.#isRow = isRow;
        if (chunk.length - at < HEADER_BYTES) break;
        const length = chunk.readInt32BE(at + 1);
        if (length < 4 || length > MAX_MESSAGE_BYTES) throw new Error("a server sent a message of a wrong length");
        this.#left = length + 1;
        if (isRow) {
          copied.rows += 1;
          copied.bytes += length - 4;
        }
      }
      const step = Math.min(this.#left, chunk.length - at);
      this.#left -= step;
      at += step;
    }
    hand(at);
    this.#header = Buffer.from(chunk.subarray(at));
  }
}

function endedEarly(): never {
  throw new Error("a server ended a copy before all rows were sent");
}

function connectionOf(client: pg.PoolClient): Connection {
  return (client as unknown as { connection: Connection }).connection;
}

function streamOf(client: pg.PoolClient): Socket {
  return connectionOf(client).stream;
}
