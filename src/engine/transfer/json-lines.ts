/**
 * Files of JSON lines, written and read in pieces of bounded size, with a checksum made on the way. Only a line feed ends a
 * line: JSON writes it as an escape inside of texts, but leaves U+2028 and U+2029, at which Node's readline splits, alone.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { invalidInput } from "#base/kernel/errors";
import { openRegularFile } from "#base/kernel/regular-file";

/** What a file holds. */
export type FileContent = { rows: number; bytes: number; sha256: string };

/** Pieces have this many bytes, or as many as their one line is long. */
const PIECE_BYTES = 1024 * 1024;
const MAX_LINE_BYTES = 64 * 1024 * 1024;

const LINE_FEED = 0x0a;
const [COMMA, OPEN, CLOSE] = [0x2c, 0x5b, 0x5d];

/** Writes one file. Lines gather in one buffer, which is on its way to the disk before it is filled again. */
export class LinesWriter {
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  #buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #filled = 0;
  #rows = 0;
  #flushedBytes = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** The file must not be there yet. */
  static async create(path: string): Promise<LinesWriter> {
    return new LinesWriter(await open(path, "wx", 0o600));
  }

  /** Rows and bytes so far. */
  get size(): Omit<FileContent, "sha256"> {
    return { rows: this.#rows, bytes: this.#flushedBytes + this.#filled };
  }

  /** Adds lines, which hold no line feed. */
  async write(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      // UTF-8 takes three bytes at most for what JavaScript counts as one.
      const room = line.length * 3 + 1;
      if (this.#filled + room > this.#buffer.length) await this.#flush();
      if (room > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(room);
      this.#filled += this.#buffer.write(line, this.#filled);
      this.#buffer[this.#filled] = LINE_FEED;
      this.#filled += 1;
      this.#rows += 1;
    }
  }

  async #flush(): Promise<void> {
    const piece = this.#buffer.subarray(0, this.#filled);
    this.#hash.update(piece);
    await this.#handle.writeFile(piece);
    this.#flushedBytes += piece.length;
    this.#filled = 0;
  }

  /** Brings everything to the disk. */
  async finish(): Promise<FileContent> {
    await this.#flush();
    await this.#handle.sync();
    return { ...this.size, sha256: this.#hash.digest("hex") };
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Whole lines of a file as the text of one JSON array, for one parameter of a statement. */
export type LinesPiece = { json: Buffer; rows: number; bytes: number };

/**
 * Reads a file in pieces. INVALID_INPUT naming the file when it is missing, or at its end, when it is not what `expected`
 * says: who must know before acting reads it twice.
 */
export async function* readPieces(
  path: string,
  name: string,
  expected: FileContent,
  signal?: AbortSignal,
): AsyncGenerator<LinesPiece> {
  const handle = await openToRead(path, name);
  try {
    const hash = createHash("sha256");
    const found = { rows: 0, bytes: 0 };
    // The first byte is kept for the bracket; up to `filled` is a line that has not ended.
    let buffer = Buffer.allocUnsafe(PIECE_BYTES);
    let filled = 1;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(filled, filled + bytesRead));
      found.bytes += bytesRead;
      // A file that was made longer is not read to its end.
      if (found.bytes > expected.bytes) break;
      const end = buffer.subarray(0, filled + bytesRead).lastIndexOf(LINE_FEED);
      filled += bytesRead;
      if (end < 1) {
        if (filled === buffer.length) buffer = grown(buffer, name);
        continue;
      }
      const next = Buffer.allocUnsafe(Math.max(PIECE_BYTES, filled - end + 1));
      const rest = buffer.copy(next, 1, end + 1, filled);
      const piece = toArray(buffer.subarray(0, end + 1));
      found.rows += piece.rows;
      yield piece;
      buffer = next;
      filled = 1 + rest;
    }
    const complete = filled === 1 && found.rows === expected.rows && found.bytes === expected.bytes;
    if (!complete || hash.digest("hex") !== expected.sha256)
      throw invalidInput("folder", `${name} was changed since it was exported: its checksum is another one.`);
  } finally {
    await handle.close();
  }
}

/** Line feeds become commas where they are: nothing is copied. */
function toArray(lines: Buffer): LinesPiece {
  let rows = 1;
  const last = lines.length - 1;
  for (let at = lines.indexOf(LINE_FEED, 1); at < last; at = lines.indexOf(LINE_FEED, at + 1)) {
    lines[at] = COMMA;
    rows += 1;
  }
  lines[0] = OPEN;
  lines[last] = CLOSE;
  return { json: lines, rows, bytes: last };
}

function grown(buffer: Buffer, name: string): Buffer<ArrayBuffer> {
  if (buffer.length >= MAX_LINE_BYTES) throw invalidInput("folder", `${name} has a line of more than 64 MB.`);
  const larger = Buffer.allocUnsafe(buffer.length * 2);
  buffer.copy(larger);
  return larger;
}

async function openToRead(path: string, name: string): Promise<FileHandle> {
  try {
    return await openRegularFile(path);
  } catch (cause) {
    throw invalidInput("folder", `${name} cannot be read: ${cause instanceof Error ? cause.message : "unknown"}`);
  }
}
