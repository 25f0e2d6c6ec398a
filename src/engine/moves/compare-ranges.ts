/**
 * Comparing tables of two databases by checksums. Rows are compared as the text that each server writes for them, under settings
 * that are the same everywhere (base/postgres/pinned-settings.ts), so neither version nor collation plays a part; the order is
 * that of ids. Each table is read once on each side, both sides at once, and what is the same costs one round trip for 100,000
 * rows.
 */
import type { BatchStatement } from "#base/postgres/batch";
import type { Session } from "#base/postgres/database";
import { quoteQualified } from "#base/postgres/identifiers";
import { isMoved, listColumns, type Moved, type MovedTable, type Side } from "#engine/moves/moved-tables";

/** Rows of one checksum, and of one look. */
const PART_ROWS = 5_000;
const LOOK_ROWS = 20 * PART_ROWS;
/** Tables looked at in one message. */
const TABLES_AT_ONCE = 8;
/** Of a range that differs. The other side may have more rows in it. */
const RANGE_ROWS = 2 * PART_ROWS;
/** Ids asked for in one message. */
const IDS_AT_ONCE = 5_000;
/** Rows that are not the same on both sides: all that differ between these two ids, both included. */
export type Difference = {
  readonly table: string;
  readonly fromId: string;
  readonly toId: string;
  /** How many of these rows each side has. */
  readonly rows: { readonly from: number; readonly to: number };
  readonly ids: readonly string[];
};

/** As countRows of engine/placements gives it, of the rows without the database's number. */
export type Total = { table: string; rows: number; checksum: string };

export type ComparedTable = { readonly table: MovedTable; readonly columns: readonly string[] };

/** A session of one side. */
export type Reader = Side & { readonly session: Session<"tenant"> };

type Part = { rows: number; digest: string; last: string };
type Row = { id: string; digest: string };

/** The same settings for both, for one transaction. Pieces are found by way of an index. */
const SETTINGS: BatchStatement = {
  text: `select set_config(name, value, true) from (values ('lc_monetary', 'C'), ('enable_seqscan', 'off'),
    ('enable_bitmapscan', 'off'), ('enable_sort', 'off'), ('jit', 'off')) as setting (name, value)`,
};

/** In SQL, of a row `t`: 60 bits of a digest of its text. */
function digestOf({ columns }: ComparedTable): string {
  const compared = columns.filter((column) => column !== "database_id");
  return `('x' || left(md5(row(${listColumns(compared, "t.")})::text), 15))::bit(60)::bigint`;
}

/** How far the comparison of one table is. */
class Progress {
  readonly compared: ComparedTable;
  after: string | null = null;
  isDone = false;
  rows = 0;
  digests = 0n;

  constructor(compared: ComparedTable) {
    this.compared = compared;
  }

  count(parts: readonly { rows: number; digest: string }[]): void {
    for (const { rows, digest } of parts) {
      this.rows += rows;
      this.digests += BigInt(digest);
    }
  }

  /** A server that says the same again and again would keep it from ending. */
  goOn(last: string): void {
    if (this.after !== null && last <= this.after) throw new Error("a comparison did not get any further");
    this.after = last;
  }

  get total(): Total {
    return { table: this.compared.table.name, rows: this.rows, checksum: this.digests.toString() };
  }
}

/** Compares all rows of the tables. Returns what the source has. `looked` is called after each look with what it found. */
export async function compareTables(
  from: Reader,
  to: Reader,
  moved: Moved,
  tables: readonly ComparedTable[],
  looked: (differences: readonly Difference[]) => Promise<void>,
): Promise<Total[]> {
  const all = tables.map((compared) => new Progress(compared));
  for (;;) {
    const now = all.filter(({ isDone }) => !isDone).slice(0, TABLES_AT_ONCE);
    if (now.length === 0) return all.map(({ total }) => total);
    const differences: Difference[] = [];
    const [here, there] = await both(from, to, (side) =>
      now.map(({ compared, after }) => partsOf(side, moved, compared, after)),
    );
    for (const [at, progress] of now.entries()) {
      const parts = { from: (here[at] ?? []) as Part[], to: (there[at] ?? []) as Part[] };
      differences.push(...(await compareParts(from, to, moved, progress, parts)));
    }
    await looked(differences);
  }
}

/** Asks both sides at once, each in one message. Returns the rows of each statement. */
function both(
  from: Reader,
  to: Reader,
  ask: (side: Side) => BatchStatement[],
  firstThere?: BatchStatement,
): Promise<[object[][], object[][]]> {
  const one = async (side: Reader, first: readonly BatchStatement[]) =>
    (await side.session.batch("moves.compare", [...first, SETTINGS, ...ask(side)])).slice(first.length + 1);
  return Promise.all([one(from, []), one(to, firstThere === undefined ? [] : [firstThere])]);
}

/** Goes on with the table as far as the parts are about the same rows on both sides. */
async function compareParts(
  from: Reader,
  to: Reader,
  moved: Moved,
  progress: Progress,
  parts: { from: readonly Part[]; to: readonly Part[] },
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (let at = 0; at < Math.max(parts.from.length, parts.to.length); at += 1) {
    const [here, there] = [parts.from[at], parts.to[at]];
    const isSame = here?.rows === there?.rows && here?.digest === there?.digest && here?.last === there?.last;
    if (isSame && here !== undefined) {
      progress.count([here]);
      progress.goOn(here.last);
      continue;
    }
    const through = (here ?? there)?.last ?? "";
    const range = await readRange(from, to, moved, progress, through);
    progress.count(range.from.map(({ digest }) => ({ rows: 1, digest })));
    differences.push(...differencesOf(progress.compared.table.name, range.from, range.to));
    progress.goOn(range.through);
    // Behind a row that is missing the parts are about other rows.
    if (here?.last !== there?.last || range.through !== through) return differences;
  }
  progress.isDone = [parts.from, parts.to].every((side) => side.reduce((sum, { rows }) => sum + rows, 0) < LOOK_ROWS);
  return differences;
}

/** The rows of both sides behind what was compared up to an id, or to where so many rows lead. */
async function readRange(
  from: Reader,
  to: Reader,
  moved: Moved,
  { compared, after }: Progress,
  last: string,
): Promise<{ from: Row[]; to: Row[]; through: string }> {
  const answers = await both(from, to, (side) => [rowsBetween(side, moved, compared, after, last)]);
  const [here, there] = answers.map(([rows]) => (rows ?? []) as Row[]) as [Row[], Row[]];
  const ends = [here, there].flatMap((rows) => (rows.length < RANGE_ROWS ? [] : (rows.at(-1)?.id ?? [])));
  const through = [last, ...ends].toSorted()[0] ?? last;
  const within = (rows: Row[]) => rows.filter(({ id }) => id <= through);
  return { from: within(here), to: within(there), through };
}

/** One difference for all rows that differ, if there are any. */
function differencesOf(table: string, here: readonly Row[], there: readonly Row[]): Difference[] {
  const [from, to] = [here, there].map((rows) => new Map(rows.map(({ id, digest }) => [id, digest])));
  if (from === undefined || to === undefined) return [];
  const ids = [...new Set([...from.keys(), ...to.keys()])].filter((id) => from.get(id) !== to.get(id)).toSorted();
  const [fromId, toId] = [ids[0], ids.at(-1)];
  if (fromId === undefined || toId === undefined) return [];
  const count = (side: ReadonlyMap<string, string>) => ids.filter((id) => side.has(id)).length;
  return [{ table, fromId, toId, rows: { from: count(from), to: count(to) }, ids }];
}

/**
 * Compares these rows alone. Returns the differences, one for a table at most. `firstThere`: what is run in the target before, in the
 * same message.
 */
export async function compareIds(
  from: Reader,
  to: Reader,
  moved: Moved,
  tables: readonly ComparedTable[],
  rows: ReadonlyMap<string, ReadonlySet<string>>,
  firstThere?: BatchStatement,
): Promise<Difference[]> {
  const asked = tables.flatMap((compared) =>
    [...(rows.get(compared.table.name) ?? [])].map((id) => ({ compared, id })),
  );
  const differences: Difference[] = [];
  for (let at = 0; at < asked.length; at += IDS_AT_ONCE) {
    const byTable = Map.groupBy(asked.slice(at, at + IDS_AT_ONCE), ({ compared }) => compared);
    const groups = [...byTable].map(([compared, group]) => ({ compared, ids: group.map(({ id }) => id) }));
    const [here, there] = await both(
      from,
      to,
      (side) => groups.map(({ compared, ids }) => rowsOf(side, moved, compared, ids)),
      firstThere,
    );
    for (const [index, { compared }] of groups.entries())
      differences.push(
        ...differencesOf(compared.table.name, (here[index] ?? []) as Row[], (there[index] ?? []) as Row[]),
      );
  }
  return differences;
}

function partsOf(side: Side, moved: Moved, compared: ComparedTable, after: string | null): BatchStatement {
  return {
    text: `select count(*)::int as rows, sum(digest)::text as digest, max(id::text collate "C") as last from (
        select t.id, ${digestOf(compared)} as digest, (row_number() over (order by t.id) - 1) / ${PART_ROWS} as part
        from ${quoteQualified(compared.table.name)} t
        where ${isMoved(moved, compared.table, side)}${after === null ? "" : " and t.id > $1::uuid"}
        order by t.id limit ${LOOK_ROWS}
      ) one group by part order by part`,
    values: after === null ? [] : [after],
  };
}

function rowsBetween(
  side: Side,
  moved: Moved,
  compared: ComparedTable,
  after: string | null,
  last: string,
): BatchStatement {
  return {
    text: `select t.id::text as id, ${digestOf(compared)}::text as digest from ${quoteQualified(compared.table.name)} t
      where ${isMoved(moved, compared.table, side)} and t.id <= $1::uuid${after === null ? "" : " and t.id > $2::uuid"}
      order by t.id limit ${RANGE_ROWS}`,
    values: [last, ...(after === null ? [] : [after])],
  };
}

function rowsOf(side: Side, moved: Moved, compared: ComparedTable, ids: readonly string[]): BatchStatement {
  return {
    text: `select t.id::text as id, ${digestOf(compared)}::text as digest from ${quoteQualified(compared.table.name)} t
      where ${isMoved(moved, compared.table, side)} and t.id = any($1::uuid[])`,
    values: [`{${ids.join(",")}}`],
  };
}
