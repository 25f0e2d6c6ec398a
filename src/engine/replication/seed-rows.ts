/**
 * Reads the publisher's rows for a seed, in batches. A region's server is not trusted: whatever it answers is checked here
 * before anything is done with it, and a seed ends, however much it goes on answering.
 */
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import type { PublishedTable } from "#engine/replication/link";

/** A row's values as text, in the order of the table's columns. */
export type TextRow = readonly (string | null)[];

/** Of JSON in one batch; fewer rows than {@link SeedBounds} allow go when they are longer. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** A longer value goes as null. What flows is short: a name has 800 bytes at most. */
const VALUE_BYTES = 64 * 1024;
/** With one row that is longer than a batch, and brackets. */
const MAX_ANSWER_BYTES = BATCH_BYTES + 1024 * 1024;

/** What bounds a whole seed. Rows of ordinary length (150 bytes) reach both bounds on rows and bytes at about the same time. */
export type SeedBounds = {
  /** Far more than one tenant database has, and what a server's disk and an hour are enough for. */
  readonly rows: number;
  readonly bytes: number;
  /** In one batch. Home's guard takes some 50 µs for a row, so a batch holds its locks for 0.3 s. */
  readonly batchRows: number;
  /** For one answer of either server: a batch that is sent, or one that is taken. */
  readonly answerMs: number;
  /**
   * For all of it, and a millisecond more for each row, up to `totalMs`. A server that sends slowly does not get an hour for a
   * few rows.
   */
  readonly readMs: number;
  readonly totalMs: number;
};

export const SEED_BOUNDS: SeedBounds = {
  rows: 5_000_000,
  bytes: 1024 * 1024 * 1024,
  batchRows: 5_000,
  answerMs: 60_000,
  readMs: 120_000,
  totalMs: 3_600_000,
};

/** Where the publisher goes on: a key as it has sent it, without the database's id. */
export type Place = readonly (string | null)[];

/** `next`: behind which there are more; undefined: the publisher says that there are none. */
export type Batch = { rows: TextRow[]; next: Place | undefined };

/** Of the same rows, without them. `last`: the last one's key. */
export type Digest = { rows: number; digest: string; last: Place; next: Place | undefined };

/** What a seed has read so far, of all its tables. */
export type SeedCount = { rows: number; bytes: number; readonly startedAt: number };

/**
 * The rows of one tenant database in a table, a batch at a time, in the order of their keys. Throws LIMIT_EXCEEDED beyond the
 * bounds and REGION_UNAVAILABLE for an answer that is none, each in a sentence that repeats nothing of the answer.
 */
export class SeedReader {
  readonly #source: Queryable<DatabaseKind>;
  readonly #table: PublishedTable;
  readonly #databaseId: number;
  readonly #count: SeedCount;
  readonly #bounds: SeedBounds;

  constructor(
    source: Queryable<DatabaseKind>,
    table: PublishedTable,
    databaseId: number,
    count: SeedCount,
    bounds: SeedBounds = SEED_BOUNDS,
  ) {
    this.#source = source;
    this.#table = table;
    this.#databaseId = databaseId;
    this.#count = count;
    this.#bounds = bounds;
  }

  /** The rows behind `after`. */
  async rows(after: Place): Promise<Batch> {
    const { rows: text, more } = await this.#ask("seed.read", selectRows, after);
    if (typeof text !== "string" || text.length > MAX_ANSWER_BYTES) throw notRows();
    const bytes = Buffer.byteLength(text);
    const rows = parseRows(text, this.#table.columns.length);
    if (rows === undefined || rows.length > this.#bounds.batchRows || bytes > MAX_ANSWER_BYTES) throw notRows();
    this.#take(rows.length, bytes);
    const last = rows.at(-1);
    const { columns } = this.#table;
    const place = last && restOfKey(this.#table).map((column) => last[columns.indexOf(column)] ?? null);
    return { rows, next: more === true ? place : undefined };
  }

  /** What {@link rows} would give, as a digest. */
  async digest(after: Place): Promise<Digest> {
    const { rows, digest, last: text, more } = await this.#ask("seed.digest", selectDigest, after);
    const last =
      rows === 0 ? [] : typeof text === "string" ? parseRows(text, restOfKey(this.#table).length)?.[0] : undefined;
    const isCount = typeof rows === "number" && Number.isInteger(rows) && rows >= 0 && rows <= this.#bounds.batchRows;
    if (!isCount || typeof digest !== "string" || last === undefined) throw notRows();
    this.#take(rows, 0);
    return { rows, digest, last, next: more === true && rows > 0 ? last : undefined };
  }

  async #ask(
    name: string,
    select: (table: PublishedTable, afterLength: number, batchRows: number) => string,
    after: Place,
  ): Promise<Record<string, unknown>> {
    const { startedAt, rows } = this.#count;
    const { readMs, totalMs, answerMs, batchRows } = this.#bounds;
    const left = startedAt + Math.min(readMs + rows, totalMs) - performance.now();
    if (left <= 0) throw tooLate();
    const values = [this.#databaseId, ...after];
    const [answer] = await inTime(
      this.#source.query<Record<string, unknown>>(name, select(this.#table, after.length, batchRows), values),
      Math.min(answerMs, left),
    );
    return answer ?? {};
  }

  #take(rows: number, bytes: number): void {
    const { rows: most, bytes: mostBytes } = this.#bounds;
    this.#count.rows += rows;
    this.#count.bytes += bytes;
    if (this.#count.rows > most || this.#count.bytes > mostBytes)
      throw new TenantryError(
        "LIMIT_EXCEEDED",
        `a copy may have ${most.toLocaleString("en")} rows and ${Math.floor(mostBytes / 1024 / 1024).toLocaleString("en")} MB, and there are more`,
      );
  }
}

/** The key without the database's id, which is the same in all rows. */
export function restOfKey({ key }: PublishedTable): string[] {
  return key.filter((column) => column !== "database_id");
}

/**
 * The first rows of a range as texts, `taken`: as many as go in one batch. Functions are named with their schema: a database of
 * the region can have others of the same name.
 */
export function takenLines(table: PublishedTable, from: string, range: string, most: number): string {
  const key = restOfKey(table).map((column) => `r.${quoteIdentifier(column)}`);
  const values = table.columns.map((column) => {
    const value = `r.${quoteIdentifier(column)}::pg_catalog.text`;
    if (table.key.includes(column)) return value;
    return `case when pg_catalog.octet_length(${value}) <= ${VALUE_BYTES} then ${value} end`;
  });
  return `line as materialized (
      select pg_catalog.row_number() over (order by ${key.join(", ")}) as number,
             pg_catalog.json_build_array(${values.join(", ")})::pg_catalog.text as text, ${key.join(", ")}
      from ${quoteQualified(from)} r where r.database_id = $1${range}
      order by ${key.join(", ")} limit ${most}
    ), sized as (
      select line.*, pg_catalog.sum(pg_catalog.octet_length(text)) over (order by number) as total from line
    ), taken as (
      select * from sized where total <= ${BATCH_BYTES} or number = 1
    )`;
}

/** Of the lines that were taken, in their order. */
export const DIGEST = `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
  coalesce(pg_catalog.string_agg(text, ',' order by number), ''), 'UTF8')), 'hex')`;

const hasMore = (batchRows: number) =>
  `pg_catalog.count(*) = ${batchRows} or pg_catalog.count(*) < (select pg_catalog.count(*) from line)`;

function linesBehind(table: PublishedTable, afterLength: number, batchRows: number): string {
  const key = restOfKey(table).map((column) => `r.${quoteIdentifier(column)}`);
  const place = Array.from({ length: afterLength }, (_, index) => `$${index + 2}`);
  const range = afterLength === 0 ? "" : ` and (${key.join(", ")}) > (${place.join(", ")})`;
  return takenLines(table, table.from, range, batchRows);
}

function selectRows(table: PublishedTable, afterLength: number, batchRows: number): string {
  return `with ${linesBehind(table, afterLength, batchRows)}
    select '[' || coalesce(pg_catalog.string_agg(text, ',' order by number), '') || ']' as rows, ${hasMore(batchRows)} as more from taken`;
}

function selectDigest(table: PublishedTable, afterLength: number, batchRows: number): string {
  const key = restOfKey(table).map((column) => `${quoteIdentifier(column)}::pg_catalog.text`);
  return `with ${linesBehind(table, afterLength, batchRows)}
    select pg_catalog.count(*)::pg_catalog.int4 as rows, ${DIGEST} as digest, ${hasMore(batchRows)} as more,
      (select pg_catalog.json_build_array(pg_catalog.json_build_array(${key.join(", ")}))::pg_catalog.text
       from taken order by number desc limit 1) as last
    from taken`;
}

/** Undefined for a text that is no list of rows with so many values. */
function parseRows(text: string, columns: number): TextRow[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const rows: TextRow[] = [];
  for (const row of parsed as unknown[]) {
    if (!Array.isArray(row) || row.length !== columns) return undefined;
    if (!row.every((value) => value === null || typeof value === "string")) return undefined;
    rows.push(row.map((value: string | null) => (value === null || isStorable(value) ? value : null)));
  }
  return rows;
}

/** PostgreSQL stores neither a NUL nor half of a surrogate pair. */
function isStorable(value: string): boolean {
  return !value.includes("\0") && value.isWellFormed();
}

function notRows(): TenantryError {
  return new TenantryError("REGION_UNAVAILABLE", "the publisher's server answered with something else than rows");
}

function tooLate(): TenantryError {
  return new TenantryError("REGION_UNAVAILABLE", "a server took too long to send its rows or to take them");
}

/** Throws REGION_UNAVAILABLE when the work takes longer, also where the server says so by itself. It may go on. */
export async function inTime<Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> {
  try {
    return await orLate(work, timeoutMs, tooLate);
  } catch (error) {
    if (sqlState(error) === SQL_STATE.queryCanceled) throw tooLate();
    throw error;
  }
}
