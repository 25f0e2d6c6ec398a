/**
 * PostgreSQL's frontend/backend protocol 3.0, as far as a replication gateway speaks it: taking messages out of a byte
 * stream, and building those that a server sends. Source: the manual's chapter "Frontend/Backend Protocol".
 */

/** One message; `body` is what follows its type and length. */
export type Message = { type: number; body: Buffer };

/** The first four bytes after the length of an untyped message. */
export const START_UP = {
  protocol3: 3,
  cancelRequest: 80_877_102,
  sslRequest: 80_877_103,
  gssEncRequest: 80_877_104,
} as const;

export const charCode = (letter: string): number => letter.charCodeAt(0);

/** What was read is not the protocol, or is larger than it may be. The connection has to end. */
export class ProtocolError extends Error {}

/**
 * Cuts a byte stream into messages. Chunks are kept in a list until a message is whole: a large one is copied once and
 * not with each chunk.
 */
export class MessageCutter {
  #chunks: Buffer[] = [];
  #size = 0;
  #wanted = 0;
  readonly #maxBytes: number;
  readonly #header: number;

  /** `header`: 1 where messages begin with their type, 0 before a session has begun. */
  constructor(maxBytes: number, header: 0 | 1 = 1) {
    this.#maxBytes = maxBytes;
    this.#header = header;
  }

  /** Bytes that wait for the rest of their message. */
  get pending(): number {
    return this.#size;
  }

  /** Takes everything that was not cut yet. */
  rest(): Buffer {
    const rest = this.#join();
    this.#chunks = [];
    this.#size = 0;
    this.#wanted = 0;
    return rest;
  }

  /**
   * Adds a chunk and returns a buffer that holds whole messages, with the offset at which each begins and its end as the
   * last entry. Empty when none is whole yet. Throws {@link ProtocolError} on a length that cannot be.
   */
  push(chunk: Buffer): { buffer: Buffer; offsets: number[] } {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#joinSmall();
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return { buffer: EMPTY, offsets: [] };
    const buffer = this.#join();
    const offsets: number[] = [];
    let at = 0;
    this.#wanted = 0;
    while (buffer.length - at >= this.#header + 4) {
      const length = buffer.readInt32BE(at + this.#header);
      if (length < 4 || length + this.#header > this.#maxBytes) throw new ProtocolError("a message of a wrong length");
      const end = at + this.#header + length;
      if (end > buffer.length) {
        this.#wanted = end - at;
        break;
      }
      offsets.push(at);
      at = end;
    }
    this.#chunks = at === buffer.length ? [] : [buffer.subarray(at)];
    this.#size = buffer.length - at;
    if (offsets.length > 0) offsets.push(at);
    return { buffer, offsets };
  }

  /** Like {@link push}, with each message by itself. */
  messages(chunk: Buffer): Message[] {
    const { buffer, offsets } = this.push(chunk);
    const messages: Message[] = [];
    for (let index = 0; index + 1 < offsets.length; index += 1) {
      const [start = 0, end = 0] = [offsets[index], offsets[index + 1]];
      messages.push({
        type: this.#header === 1 ? (buffer[start] ?? 0) : 0,
        body: buffer.subarray(start + this.#header + 4, end),
      });
    }
    return messages;
  }

  /** A message that comes byte by byte would otherwise be millions of buffers. */
  #joinSmall(): void {
    for (;;) {
      const [before, last] = this.#chunks.slice(-2);
      if (before === undefined || last === undefined) return;
      if (before.length > last.length || before.length + last.length > SMALL_BYTES) return;
      this.#chunks.splice(-2, 2, Buffer.concat([before, last]));
    }
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
  }
}

const EMPTY = Buffer.alloc(0);
/** Pieces of a message are put together up to this length; longer ones are copied once, when the message is whole. */
const SMALL_BYTES = 65_536;

/** A message of a server or a client. */
export function message(type: string, ...parts: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? cString(part) : part)));
  const header = Buffer.alloc(5);
  header.write(type, "latin1");
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** A text with the zero byte that ends it. */
export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

export function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

export function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

/** Reads the zero-ended texts of a start-up message: name, value, name, value. */
export function readParameters(body: Buffer): Map<string, string> {
  const texts = body.toString("utf8").split("\0");
  const parameters = new Map<string, string>();
  for (let index = 0; index + 1 < texts.length; index += 2) {
    const [name = "", value = ""] = [texts[index], texts[index + 1]];
    if (name === "") break;
    parameters.set(name, value);
  }
  return parameters;
}

export const AUTHENTICATED = message("R", int32(0));

export function readyForQuery(): Buffer {
  return message("Z", Buffer.from("I"));
}

export function parameterStatus(name: string, value: string): Buffer {
  return message("S", name, value);
}

/** `text`: for people, without secrets. */
export function errorResponse(sqlState: string, text: string, severity: "ERROR" | "FATAL" = "FATAL"): Buffer {
  const field = (code: string, value: string) => Buffer.concat([Buffer.from(code), cString(value)]);
  return message(
    "E",
    field("S", severity),
    field("V", severity),
    field("C", sqlState),
    field("M", text),
    Buffer.from([0]),
  );
}

/** A result set of text columns, and that the statement is complete. */
export function rowsOf(columns: readonly string[], rows: readonly (string | null)[][]): Buffer {
  const TEXT_TYPE = 25;
  const description = columns.map((name) =>
    Buffer.concat([cString(name), int32(0), int16(0), int32(TEXT_TYPE), int16(-1), int32(-1), int16(0)]),
  );
  const lines = rows.map((row) => {
    const values = row.map((value) => {
      if (value === null) return int32(-1);
      const bytes = Buffer.from(value);
      return Buffer.concat([int32(bytes.length), bytes]);
    });
    return message("D", int16(row.length), ...values);
  });
  return Buffer.concat([
    message("T", int16(columns.length), ...description),
    ...lines,
    message("C", `SELECT ${rows.length}`),
  ]);
}
