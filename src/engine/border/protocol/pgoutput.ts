/**
 * Reads a stream of logical replication on its way and lets through just what the link lists: its tables, their columns,
 * inserts, updates and deletes. Everything else ends the stream. Source: the manual's chapter "Logical Replication
 * Message Formats", protocol versions 1 to 4.
 *
 * A publisher is not trusted to keep to the format either: each message must end where its parts end. Else a publisher could
 * put something behind them that the gateway does not see and a subscriber reads.
 */
import { isUtf8 } from "node:buffer";
import type { PublishedTable } from "#engine/replication/link";
import { type MovedRows, type MovedTable, type Roles, requireValue, rolesOf } from "#engine/border/protocol/moved-rows";
import { Breach } from "#engine/border/protocol/breach";
import { charCode } from "#engine/border/protocol/wire";

/** What passed of one table since it was last asked. */
export type Passed = { table: string; rows: number; bytes: number };

/** A table that may pass. */
export type ReadTable = PublishedTable & MovedTable;

type Relation = { columns: number; passed: Passed; roles: Roles | undefined };

/** Transactions that a stream sends before their end have the id of the transaction in front of each change. */
const XID_BYTES = 4;
/** In front of each value. */
const LENGTH_BYTES = 4;
const TYPE = {
  begin: charCode("B"),
  commit: charCode("C"),
  origin: charCode("O"),
  relation: charCode("R"),
  type: charCode("Y"),
  insert: charCode("I"),
  update: charCode("U"),
  delete: charCode("D"),
  truncate: charCode("T"),
  streamStart: charCode("S"),
  streamStop: charCode("E"),
  streamCommit: charCode("c"),
  streamAbort: charCode("A"),
} as const;
const TUPLE = { new: charCode("N"), key: charCode("K"), old: charCode("O") } as const;
const VALUE = { null: charCode("n"), unchanged: charCode("u"), text: charCode("t") } as const;

/** Tables that a publisher may announce again and again, under other numbers, in one stream. */
const MAX_RELATIONS = 1_000;

export class StreamReader {
  readonly #tables: ReadonlyMap<string, ReadTable>;
  readonly #checksText: boolean;
  readonly #takesStreams: boolean;
  readonly #lenient: boolean;
  readonly #moved: MovedRows | undefined;
  readonly #replacement: Buffer;
  /** Where in the message values stand that are replaced, and where each ends. */
  #replaced: [at: number, end: number][] = [];
  readonly #relations = new Map<number, Relation>();
  readonly #passed = new Map<string, Passed>();
  #inStream = false;
  #transactions = 0;
  #isInTransaction = false;
  /** Rows of the transaction that is open, and their bytes. */
  rowsOfTransaction = 0;
  bytesOfTransaction = 0;

  /**
   * `tables`: what may pass. `checksText`: whether texts must be valid UTF-8, which a subscriber does not look at.
   * `takesStreams`: whether the subscriber has asked for transactions before their end.
   * `moved`: the rows are those of a placement that moves, and are written for the database that it moves to.
   * `lenient`: nothing is refused; for tests of what stands behind the gateway.
   */
  constructor(
    tables: readonly ReadTable[],
    options: { checksText: boolean; takesStreams: boolean; moved?: MovedRows | undefined; lenient?: boolean },
  ) {
    this.#tables = new Map(tables.map((table) => [table.from, table]));
    this.#checksText = options.checksText;
    this.#takesStreams = options.takesStreams;
    this.#lenient = options.lenient === true;
    this.#moved = options.moved;
    this.#replacement = Buffer.from(String(options.moved?.into ?? ""));
  }

  /**
   * Looks at one message. Returns what to send in its place, or undefined when it goes on as it is, in which a value may have been
   * written over by one of the same length. Throws {@link Breach}.
   */
  read(message: Buffer): Buffer | undefined {
    if (this.#lenient) return this.#readLeniently(message);
    const cursor = new Cursor(message);
    const type = cursor.byte();
    switch (type) {
      case TYPE.relation:
        return this.#relation(message, cursor);
      case TYPE.insert:
      case TYPE.update:
      case TYPE.delete:
        return this.#row(type, message, cursor);
      case TYPE.truncate:
        throw new Breach("truncate", "a TRUNCATE was sent, which no link carries");
      default:
        this.#frame(type, cursor);
        cursor.end();
        return undefined;
    }
  }

  /** The number of the transaction that is open; undefined: none is. */
  get transaction(): number | undefined {
    return this.#isInTransaction ? this.#transactions : undefined;
  }

  /** What has passed since the last call. */
  takePassed(): Passed[] {
    const passed: Passed[] = [];
    for (const one of this.#passed.values()) {
      const { table, rows, bytes } = one;
      if (rows === 0) continue;
      passed.push({ table, rows, bytes });
      one.rows = 0;
      one.bytes = 0;
    }
    return passed;
  }

  /** What stands around rows. */
  #frame(type: number, cursor: Cursor): void {
    switch (type) {
      case TYPE.begin:
        if (this.#isInTransaction) throw new Breach("malformed", "a transaction began inside another one");
        this.#isInTransaction = true;
        this.#transactions += 1;
        this.rowsOfTransaction = 0;
        this.bytesOfTransaction = 0;
        return cursor.skip(20);
      case TYPE.commit:
        if (!this.#isInTransaction) throw new Breach("malformed", "a transaction ended that had not begun");
        this.#isInTransaction = false;
        return cursor.skip(25);
      case TYPE.origin:
        cursor.skip(8);
        cursor.text();
        return;
      case TYPE.type:
        cursor.skip((this.#inStream ? XID_BYTES : 0) + 4);
        cursor.text();
        cursor.text();
        return;
      case TYPE.streamStart:
        if (!this.#takesStreams) throw new Breach("malformed", "a transaction that was not at its end was sent");
        this.#inStream = true;
        return cursor.skip(5);
      case TYPE.streamStop:
        this.#inStream = false;
        return;
      case TYPE.streamCommit:
        return cursor.skip(29);
      case TYPE.streamAbort:
        // With parallel streaming a position and a moment follow.
        return cursor.skip(cursor.left === 8 ? 8 : 24);
      default:
        throw new Breach("malformed", "a message was sent that no link carries");
    }
  }

  #relation(message: Buffer, cursor: Cursor): Buffer | undefined {
    if (this.#inStream) cursor.skip(XID_BYTES);
    const oid = cursor.int32();
    const namesBegin = cursor.at;
    const [schema, name] = [cursor.text(), cursor.text()];
    const namesEnd = cursor.at;
    const table = this.#tables.get(`${schema}.${name}`);
    if (table === undefined)
      throw new Breach(
        "table-not-listed",
        `a row of the table ${shown(`${schema}.${name}`)} was sent, which is not listed`,
      );
    cursor.skip(1);
    const count = cursor.int16();
    const seen: string[] = [];
    for (let index = 0; index < count; index += 1) {
      cursor.skip(1);
      const column = cursor.text();
      cursor.skip(8);
      if (seen.includes(column) || !table.columns.includes(column))
        throw new Breach("column-not-listed", `the column ${shown(`${name}.${column}`)} was sent, which is not listed`);
      seen.push(column);
    }
    cursor.end();
    if (this.#relations.size >= MAX_RELATIONS && !this.#relations.has(oid))
      throw new Breach("malformed", "too many tables were announced");
    let passed = this.#passed.get(name);
    if (passed === undefined) this.#passed.set(name, (passed = { table: name, rows: 0, bytes: 0 }));
    const roles = this.#moved && rolesOf(table, seen);
    this.#relations.set(oid, { columns: count, passed, roles });
    return renamed(message, namesBegin, namesEnd, table);
  }

  #row(type: number, message: Buffer, cursor: Cursor): Buffer | undefined {
    this.#replaced = [];
    if (this.#inStream) cursor.skip(XID_BYTES);
    else if (!this.#isInTransaction) throw new Breach("malformed", "a row was sent outside of a transaction");
    const relation = this.#relations.get(cursor.int32());
    if (relation === undefined) throw new Breach("malformed", "a row of a table that was not announced was sent");
    let kind = cursor.byte();
    const hasOld = type !== TYPE.insert && (kind === TUPLE.key || kind === TUPLE.old);
    if (hasOld) this.#tuple(relation, cursor, kind === TUPLE.key);
    if (hasOld && type === TYPE.update) kind = cursor.byte();
    if (type === TYPE.delete ? !hasOld : kind !== TUPLE.new)
      throw new Breach("malformed", "a change was sent that cannot be read");
    if (type !== TYPE.delete) this.#tuple(relation, cursor, false);
    cursor.end();
    relation.passed.rows += 1;
    this.rowsOfTransaction += 1;
    relation.passed.bytes += message.length;
    this.bytesOfTransaction += message.length;
    return this.#replaced.length === 0 ? undefined : this.#replace(message);
  }

  #tuple(relation: Relation, cursor: Cursor, isKey: boolean): void {
    const count = cursor.int16();
    if (count !== relation.columns) throw new Breach("malformed", "a row was sent that is not as it was announced");
    for (let index = 0; index < count; index += 1) {
      const kind = cursor.byte();
      const role = relation.roles?.[index];
      if (kind === VALUE.null || kind === VALUE.unchanged) {
        // A key is sent with nulls in place of all that does not belong to it.
        if (role !== undefined && !(isKey && role === "database" && kind === VALUE.null))
          throw new Breach("malformed", "a row was sent without what says whose it is");
        continue;
      }
      // Nobody asks for binary values. PostgreSQL checks less when it reads them than when it reads text.
      if (kind !== VALUE.text) throw new Breach("malformed", "a value was sent in a form that nobody asked for");
      const value = cursor.bytes(cursor.int32());
      if (this.#checksText && !isUtf8(value)) throw new Breach("malformed", "a text was sent that is not UTF-8");
      if (role === undefined || this.#moved === undefined) continue;
      requireValue(this.#moved, role, value);
      if (role === "database") this.#replaced.push([cursor.at - value.length, cursor.at]);
    }
  }

  /** The row as one of the database that the placement moves to. */
  #replace(message: Buffer): Buffer | undefined {
    const replacement = this.#replacement;
    if (this.#replaced.every(([at, end]) => end - at === replacement.length)) {
      for (const [at] of this.#replaced) replacement.copy(message, at);
      return undefined;
    }
    const parts: Buffer[] = [];
    let from = 0;
    for (const [at, end] of this.#replaced) {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeInt32BE(replacement.length);
      parts.push(message.subarray(from, at - LENGTH_BYTES), length, replacement);
      from = end;
    }
    parts.push(message.subarray(from));
    return Buffer.concat(parts);
  }

  #readLeniently(message: Buffer): Buffer | undefined {
    const cursor = new Cursor(message);
    if (cursor.byte() !== TYPE.relation) return undefined;
    cursor.skip(4);
    const begin = cursor.at;
    const table = this.#tables.get(`${cursor.text()}.${cursor.text()}`);
    return table === undefined ? undefined : renamed(message, begin, cursor.at, table);
  }
}

/** The same announcement under the name that the table has at the subscriber. */
function renamed(message: Buffer, begin: number, end: number, { from, into }: PublishedTable): Buffer | undefined {
  if (into === from) return undefined;
  const names = Buffer.from(`${into.replace(".", "\0")}\0`);
  return Buffer.concat([message.subarray(0, begin), names, message.subarray(end)]);
}

/** A name that a publisher gave, as far as it can stand in a sentence. */
function shown(name: string): string {
  return /^[\w.$-]{1,100}$/.test(name) ? name : "with an unusual name";
}

/** Reads from the front of a message. Throws {@link Breach} where it ends too early or goes on. */
export class Cursor {
  at = 0;
  readonly #buffer: Buffer;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get left(): number {
    return this.#buffer.length - this.at;
  }

  byte(): number {
    this.skip(1);
    return this.#buffer[this.at - 1] ?? 0;
  }

  int16(): number {
    this.skip(2);
    return this.#buffer.readUInt16BE(this.at - 2);
  }

  int32(): number {
    this.skip(4);
    return this.#buffer.readInt32BE(this.at - 4);
  }

  bytes(length: number): Buffer {
    this.skip(length);
    return this.#buffer.subarray(this.at - length, this.at);
  }

  /** Up to the next zero byte. */
  text(): string {
    const end = this.#buffer.indexOf(0, this.at);
    if (end === -1) throw tooShort();
    const text = this.#buffer.toString("utf8", this.at, end);
    this.at = end + 1;
    return text;
  }

  skip(bytes: number): void {
    if (bytes < 0 || this.at + bytes > this.#buffer.length) throw tooShort();
    this.at += bytes;
  }

  end(): void {
    if (this.left !== 0) throw new Breach("malformed", "a message goes on behind its end");
  }
}

function tooShort(): Breach {
  return new Breach("malformed", "a message ends too early");
}
