/**
 * One stream on its way from a publisher to a subscriber. What the publisher sends is read before it is passed on; of what
 * the subscriber sends only its progress is. Memory is bounded: while one side does not take what it was sent, the other is
 * not read from.
 */
import type { Socket } from "node:net";
import { onStalled } from "#engine/border/protocol/stalled";
import { Breach } from "#engine/border/protocol/breach";
import type { StreamReader } from "#engine/border/protocol/pgoutput";
import {
  charCode,
  errorResponse,
  message,
  MessageCutter,
  ProtocolError,
  readyForQuery,
} from "#engine/border/protocol/wire";

/** A subscriber says how far it is, in 39 bytes. */
const MAX_PROGRESS_BYTES = 64;
const PROGRESS_BYTES = 34;
/** In front of a change: its kind, two positions and a moment. */
const WAL_HEADER_BYTES = 25;
const KEEPALIVE_BYTES = 18;
/** What a transaction has time for besides. A path that is slower than a megabyte in a second carries none that is large. */
const BYTES_PER_MS = 1_000;
/** In microseconds since 2000 the upper half of a moment up to the year 2100. */
const MAX_MOMENT = 735_000;

const COPY_DATA = charCode("d");
const COPY_DONE = charCode("c");
const COPY_BOTH = charCode("W");
const COMPLETE = charCode("C");
const ERROR = charCode("E");
const TERMINATE = charCode("X");
const WAL = charCode("w");
const KEEPALIVE = charCode("k");
const PROGRESS = charCode("r");
/** What may come in between and is left out: notices, settings, notifications. */
const PASSED_OVER = new Set(["N", "S", "A", "Z"].map(charCode));

export type StreamEnd =
  /** One of the two sides has hung up, or the publisher has nothing more to say. */
  | { kind: "ended" }
  /** The publisher's server answered with an error of this SQLSTATE. */
  | { kind: "publisher-failed"; sqlState: string }
  | { kind: "breach"; breach: Breach }
  /** A fault in the program. */
  | { kind: "failed"; error: unknown }
  /** The subscriber said something else than how far it is. */
  | { kind: "not-allowed" };

/**
 * Sends the command and passes the stream on until it ends; both sockets are closed then. `passed` is called after each
 * piece with what the reader has counted.
 */
export function carryStream(
  sides: { subscriber: Socket; early: Buffer; publisher: Socket; command: string },
  reader: StreamReader,
  options: StreamBounds & { passed: () => void },
): Promise<StreamEnd> {
  return new Promise((resolve) => {
    new Stream(sides.subscriber, sides.publisher, reader, options, resolve).begin(sides.command, sides.early);
  });
}

export type StreamBounds = {
  /** A side that takes no byte for so long is disconnected. */
  stallMs: number;
  /** Within this time the publisher has begun to stream. */
  beginMs: number;
  /**
   * Within this time, and a millisecond more for each row and kilobyte, a transaction has come to its end, and within `mostMs` in any
   * case: meanwhile the subscriber's server holds one open, and can make no slot. Undefined: the publisher is trusted.
   */
  transaction: { ms: number; mostMs: number } | undefined;
  /** A change of a row with all its values is one message. Beyond this the stream is ended: it could be anything. */
  messageBytes: number;
};

class Stream {
  readonly #subscriber: Socket;
  readonly #publisher: Socket;
  readonly #reader: StreamReader;
  readonly #options: StreamBounds & { passed: () => void };
  readonly #resolve: (end: StreamEnd) => void;
  readonly #down: MessageCutter;
  readonly #up = new MessageCutter(MAX_PROGRESS_BYTES);
  #isOver = false;
  #hasBegun = false;
  /** Ends the stream: before it has begun, and while a transaction is open. */
  #deadline: NodeJS.Timeout | undefined;
  #transaction: number | undefined;

  constructor(
    subscriber: Socket,
    publisher: Socket,
    reader: StreamReader,
    options: StreamBounds & { passed: () => void },
    resolve: (end: StreamEnd) => void,
  ) {
    this.#subscriber = subscriber;
    this.#publisher = publisher;
    this.#reader = reader;
    this.#options = options;
    this.#resolve = resolve;
    this.#down = new MessageCutter(options.messageBytes);
  }

  begin(command: string, early: Buffer): void {
    const ended = () => this.#end({ kind: "ended" });
    for (const socket of [this.#subscriber, this.#publisher]) {
      socket.on("error", ended);
      socket.on("close", ended);
      socket.on("end", ended);
    }
    if (this.#subscriber.destroyed || this.#publisher.destroyed) return ended();
    this.#publisher.on("data", (chunk: Buffer) => this.#guarded(() => this.#onPublished(chunk)));
    this.#subscriber.on("data", (chunk: Buffer) => this.#guarded(() => this.#onProgress(chunk)));
    this.#deadline = setTimeout(() => this.#end({ kind: "ended" }), this.#options.beginMs);
    this.#publisher.write(message("Q", command));
    if (early.length > 0) this.#guarded(() => this.#onProgress(early));
    this.#publisher.resume();
    this.#subscriber.resume();
  }

  #guarded(work: () => void): void {
    if (this.#isOver) return;
    try {
      work();
    } catch (error) {
      if (error instanceof PublisherFailed) this.#end({ kind: "publisher-failed", sqlState: error.sqlState });
      else if (error instanceof Breach) this.#end({ kind: "breach", breach: error });
      else if (error instanceof ProtocolError)
        this.#end({ kind: "breach", breach: new Breach("malformed", error.message) });
      else this.#end({ kind: "failed", error });
    }
  }

  #onPublished(chunk: Buffer): void {
    const { buffer, offsets } = this.#down.push(chunk);
    // Messages that go on as they came are sent as one piece, without a copy.
    let from = offsets[0] ?? 0;
    let at = from;
    // Those that are replaced go in one piece too, as far as there is room.
    this.#subscriber.cork();
    try {
      for (let index = 0; index + 1 < offsets.length && !this.#isOver; index += 1) {
        const end = offsets[index + 1] ?? 0;
        const replacement = this.#look(buffer, at, end);
        if (replacement !== undefined) {
          if (at > from) this.#send(buffer.subarray(from, at));
          if (replacement.length > 0) this.#send(replacement);
          from = end;
        }
        at = end;
      }
    } finally {
      // Also where the next message is a breach: those in front of it go to the subscriber.
      if (at > from) this.#send(buffer.subarray(from, at));
      this.#subscriber.uncork();
      this.#options.passed();
    }
    this.#watchTransaction();
  }

  /** Gives each transaction its time. */
  #watchTransaction(): void {
    const { transaction } = this.#reader;
    if (transaction === this.#transaction || this.#isOver) return;
    this.#transaction = transaction;
    clearTimeout(this.#deadline);
    const { transaction: bounds } = this.#options;
    if (transaction !== undefined && bounds !== undefined) this.#endTransaction(performance.now(), bounds, bounds.ms);
  }

  #endTransaction(began: number, bounds: { ms: number; mostMs: number }, waitMs: number): void {
    this.#deadline = setTimeout(() => {
      const { rowsOfTransaction, bytesOfTransaction } = this.#reader;
      const allowed = Math.min(bounds.ms + rowsOfTransaction + bytesOfTransaction / BYTES_PER_MS, bounds.mostMs);
      const left = allowed - (performance.now() - began);
      // While the subscriber takes nothing, the publisher is not late.
      if (this.#publisher.isPaused()) this.#endTransaction(began, bounds, bounds.ms);
      else if (left > 0) this.#endTransaction(began, bounds, left);
      else
        this.#end({ kind: "breach", breach: new Breach("malformed", "a transaction did not come to its end in time") });
    }, waitMs);
  }

  /** What goes on in place of a message of the publisher; undefined: the message itself. */
  #look(buffer: Buffer, start: number, end: number): Buffer | undefined {
    const type = buffer[start] ?? 0;
    if (type === COPY_DATA && this.#hasBegun) {
      const kind = buffer[start + 5];
      const length = end - start - 5;
      const isKeepalive = kind === KEEPALIVE && length === KEEPALIVE_BYTES;
      // Views of PostgreSQL fail on a moment that cannot be shown.
      const moment = isKeepalive || length > WAL_HEADER_BYTES ? buffer.readInt32BE(start + (isKeepalive ? 14 : 22)) : 0;
      if (moment < 0 || moment > MAX_MOMENT)
        throw new ProtocolError("a piece of the stream with a moment that cannot be");
      if (isKeepalive) return undefined;
      if (kind !== WAL || length <= WAL_HEADER_BYTES)
        throw new ProtocolError("a piece of the stream that cannot be read");
      const changed = this.#reader.read(buffer.subarray(start + 5 + WAL_HEADER_BYTES, end));
      if (changed === undefined) return undefined;
      return message("d", buffer.subarray(start + 5, start + 5 + WAL_HEADER_BYTES), changed);
    }
    if (type === COPY_BOTH && !this.#hasBegun) {
      this.#hasBegun = true;
      clearTimeout(this.#deadline);
      return message("W", Buffer.from([0, 0, 0]));
    }
    if (type === ERROR) throw new PublisherFailed(sqlStateOf(buffer.subarray(start + 5, end)));
    if (type === COPY_DONE && this.#hasBegun) return undefined;
    if (type === COMPLETE && this.#hasBegun) return Buffer.concat([message("C", "COPY 0"), readyForQuery()]);
    if (PASSED_OVER.has(type)) return NOTHING;
    throw new ProtocolError("a message that no stream has");
  }

  #onProgress(chunk: Buffer): void {
    const { buffer, offsets } = this.#up.push(chunk);
    for (let index = 0; index + 1 < offsets.length; index += 1) {
      const [start = 0, end = 0] = [offsets[index], offsets[index + 1]];
      const type = buffer[start];
      if (type === TERMINATE) return this.#end({ kind: "ended" });
      const isProgress = type === COPY_DATA && buffer[start + 5] === PROGRESS && end - start - 5 === PROGRESS_BYTES;
      if (!isProgress && type !== COPY_DONE) return this.#end({ kind: "not-allowed" });
      // While we do not read from the publisher, its replies would fill its memory. So none is asked for.
      if (isProgress && this.#publisher.isPaused()) buffer[end - 1] = 0;
    }
    const last = offsets.at(-1) ?? 0;
    if (last === 0 || this.#publisher.write(buffer.subarray(0, last)) || this.#subscriber.isPaused()) return;
    this.#subscriber.pause();
    onStalled(this.#publisher, this.#options.stallMs, {
      drained: () => this.#subscriber.resume(),
      stalled: () => this.#end({ kind: "ended" }),
    });
  }

  #send(bytes: Buffer): void {
    if (this.#subscriber.write(bytes) || this.#publisher.isPaused()) return;
    this.#publisher.pause();
    onStalled(this.#subscriber, this.#options.stallMs, {
      drained: () => this.#publisher.resume(),
      stalled: () => this.#end({ kind: "ended" }),
    });
  }

  #end(end: StreamEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    this.#publisher.destroy();
    const text = lastWords(end);
    if (text === undefined) this.#subscriber.destroySoon();
    else this.#subscriber.end(text);
    // A subscriber that does not take these either is disconnected.
    setTimeout(() => this.#subscriber.destroy(), LAST_WORDS_MS).unref();
    this.#resolve(end);
  }
}

/** The publisher's server answered with an error. */
class PublisherFailed extends Error {
  readonly sqlState: string;

  constructor(sqlState: string) {
    super(sqlState);
    this.sqlState = sqlState;
  }
}

const NOTHING = Buffer.alloc(0);
const LAST_WORDS_MS = 2_000;

/** What a subscriber's server writes into its log. A publisher's own words are not repeated: they are another server's. */
function lastWords(end: StreamEnd): Buffer | undefined {
  if (end.kind === "breach")
    return errorResponse("42501", `Tenantry's gateway ended the stream: ${end.breach.message}.`);
  if (end.kind === "not-allowed")
    return errorResponse("42501", "Tenantry's gateway passes on a stream and nothing else.");
  if (end.kind === "publisher-failed")
    return errorResponse(end.sqlState, `The publisher's server refused the stream (SQLSTATE ${end.sqlState}).`);
  return undefined;
}

/** The SQLSTATE in an error's fields; XX000 where the fields have no valid one. */
function sqlStateOf(fields: Buffer): string {
  const found = fields
    .toString("latin1")
    .split("\0")
    .find((field) => field.startsWith("C"))
    ?.slice(1);
  return found !== undefined && /^[0-9A-Z]{5}$/.test(found) ? found : "XX000";
}
