/**
 * Reads the publisher's rows for a seed, in batches. A region's server is not trusted: whatever it answers is checked here
 * before anything is done with it, and a seed ends, however much it goes on answering.
 */
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import type { PublishedTable } from "#engine/replication/link";

/** A row's values as text, in the order of the table's columns. */
export type TextRow = readonly (string | null)[];

/** At most so many rows go in one batch. Home's guard takes some 60 µs for each, so a batch holds its locks for 0.3 s. */
export const BATCH_ROWS = 5_000;
/** Of JSON in one batch; fewer rows than {@link BATCH_ROWS} go when they are longer. */
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
  answerMs: 60_000,
  readMs: 120_000,
  totalMs: 3_600_000,
};

export type Batch = { rows: TextRow[]; isLast: boolean };

/** What a seed has read so far, of all its tables. */
export type SeedCount = { rows: number; bytes: number; readonly startedAt: number };

/**
 * The rows of one tenant database, ordered by their key, in at least one batch. Each is read while the one before is used.
 * Throws LIMIT_EXCEEDED beyond the bounds and REGION_UNAVAILABLE for an answer that is no batch of rows, each in a sentence that
 * repeats nothing of the answer.
 */
export async function* readBatches(
  source: Queryable<DatabaseKind>,
  table: PublishedTable,
  databaseId: number,
  count: SeedCount,
  bounds: SeedBounds = SEED_BOUNDS,
): AsyncGenerator<Batch> {
  const read = (after: readonly (string | null)[]) => readBatch(source, table, databaseId, after, count, bounds);
  let { rows, more } = await read([]);
  for (;;) {
    const last = rows.at(-1);
    if (!more || last === undefined) {
      yield { rows, isLast: true };
      return;
    }
    const next = read(restOfKey(table).map((column) => last[table.columns.indexOf(column)] ?? null));
    // When this batch cannot be used, nobody waits for the next one.
    next.catch(() => undefined);
    yield { rows, isLast: false };
    ({ rows, more } = await next);
  }
}

/** The key without the database's id, which is the same in all rows. */
function restOfKey({ key }: PublishedTable): string[] {
  return key.filter((column) => column !== "database_id");
}

async function readBatch(
  source: Queryable<DatabaseKind>,
  table: PublishedTable,
  databaseId: number,
  after: readonly (string | null)[],
  count: SeedCount,
  bounds: SeedBounds,
): Promise<{ rows: TextRow[]; more: boolean }> {
  const left = count.startedAt + Math.min(bounds.readMs + count.rows, bounds.totalMs) - performance.now();
  if (left <= 0) throw tooLate();
  const [answer] = await inTime(
    source.query<{ rows: unknown; more: unknown }>("seed.read", selectOf(table, after.length), [databaseId, ...after]),
    Math.min(bounds.answerMs, left),
  );
  const text = answer?.rows;
  if (typeof text !== "string" || text.length > MAX_ANSWER_BYTES) throw notRows();
  const bytes = Buffer.byteLength(text);
  const rows = parseRows(text, table.columns.length);
  if (rows === undefined || rows.length > BATCH_ROWS || bytes > MAX_ANSWER_BYTES) throw notRows();
  count.rows += rows.length;
  count.bytes += bytes;
  if (count.rows > bounds.rows || count.bytes > bounds.bytes)
    throw new TenantryError(
      "LIMIT_EXCEEDED",
      `a copy may have ${bounds.rows.toLocaleString("en")} rows and ${Math.floor(bounds.bytes / 1024 / 1024).toLocaleString("en")} MB, and there are more`,
    );
  return { rows, more: answer?.more === true };
}

/** Functions are named with their schema: a database of the region can have others of the same name. */
function selectOf(table: PublishedTable, afterLength: number): string {
  const key = restOfKey(table).map((column) => `r.${quoteIdentifier(column)}`);
  const values = table.columns.map((column) => {
    const value = `r.${quoteIdentifier(column)}::pg_catalog.text`;
    if (table.key.includes(column)) return value;
    return `case when pg_catalog.octet_length(${value}) <= ${VALUE_BYTES} then ${value} end`;
  });
  const placeholders = Array.from({ length: afterLength }, (_, index) => `$${index + 2}`);
  return `with line as materialized (
      select pg_catalog.row_number() over (order by ${key.join(", ")}) as number,
             pg_catalog.json_build_array(${values.join(", ")})::pg_catalog.text as text
      from ${quoteQualified(table.from)} r
      where r.database_id = $1${afterLength === 0 ? "" : ` and (${key.join(", ")}) > (${placeholders.join(", ")})`}
      order by ${key.join(", ")} limit ${BATCH_ROWS}
    ), sized as (
      select number, text, pg_catalog.sum(pg_catalog.octet_length(text)) over (order by number) as total from line
    )
    select '[' || coalesce(pg_catalog.string_agg(text, ',' order by number), '') || ']' as rows,
           pg_catalog.count(*) = ${BATCH_ROWS} or pg_catalog.count(*) < (select pg_catalog.count(*) from line) as more
    from sized where total <= ${BATCH_BYTES} or number = 1`;
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

/** Throws REGION_UNAVAILABLE when the work takes longer. It may go on. */
export function inTime<Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> {
  return orLate(work, timeoutMs, tooLate);
}
