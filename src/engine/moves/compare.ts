/**
 * Whether the target has what the source has, row by row, while the placement is used.
 *
 * Nobody is held up for it but at its end. A slot is made first, then the target is waited for until it has what was committed
 * before, and then both sides are read. A row that is the same on both sides can become another one only by a change that the slot
 * knows of, or by somebody who writes in the target beside the stream. A row that is not the same may be late. So those that
 * changed and those that differ are kept by their ids, compared again and again until few are left, and for the last time in the
 * hold, when the target has everything: what differs then is a difference.
 *
 * What this proves: what both servers said about their rows at those moments was the same. It finds what copies, streams, triggers,
 * versions and faults of this program have left out, doubled or changed. It does not bind whoever administers a server: that
 * server can answer with what it was asked for and hold something else, or change it a moment later, as it can at any time
 * with all it holds. Two texts with the same digest, of 60 bits of MD5, are as good as impossible by accident, and can be made on
 * purpose by who may write the rows: the comparison is no signature.
 */
import type { BatchStatement } from "#base/postgres/batch";
import { randomBytes } from "node:crypto";
import { TenantryError } from "#base/kernel/errors";
import { failpoint } from "#base/kernel/failpoints";
import { ChangedRows, countRowIds, type RowIds } from "#engine/moves/changed-rows";
import {
  type ComparedTable,
  compareIds,
  compareTables,
  type Difference,
  type Reader,
  type Total,
} from "#engine/moves/compare-ranges";
import { type Moved, type MovedTable, type Side, storedColumns } from "#engine/moves/moved-tables";

export type { Difference, Total } from "#engine/moves/compare-ranges";

export type CompareSides = {
  readonly moved: Moved;
  readonly tables: readonly MovedTable[];
  /** Of the move, in the source, with all the tables. */
  readonly publication: string;
  /** Waits until the target has everything that was committed in the source before the call. */
  readonly reached: () => Promise<void>;
  readonly signal: AbortSignal;
};

/** Between two looks at what has changed, and so how much there is to look at. */
const SETTLE_MS = 3_000;
/** So many rows that differ still, when the target has everything, are no lateness. */
const MOST_DIFFERENT = 1_000;

/**
 * Calls `work` with a comparison of both sides, for which it keeps one connection to each. A slot that goes with its connection
 * is in the source meanwhile. NOT_SYNCED where a transaction of the source's server stays open for too long.
 */
export function withComparison<Result>(
  from: Side,
  to: Side,
  options: CompareSides,
  work: (comparison: Comparison) => Promise<Result>,
): Promise<Result> {
  // Another process may have left one of the same name that goes with its connection in a while.
  const slot = `${options.publication.slice(0, 50)}_${randomBytes(4).toString("hex")}`;
  const names = { slot, publication: options.publication };
  return from.database.session((source) =>
    to.database.session(async (target) => {
      const columns = await storedColumns(source, options.tables);
      const tables = options.tables.map((table) => ({ table, columns: columns.get(table.name) ?? [] }));
      const changed = await ChangedRows.since(source, names, options.tables);
      const readers = { from: { ...from, session: source }, to: { ...to, session: target } };
      const result = await work(new Comparison(readers, tables, changed, options));
      await changed.end();
      return result;
    }),
  );
}

type Readers = { readonly from: Reader; readonly to: Reader };

export class Comparison {
  readonly #readers: Readers;
  readonly #tables: readonly ComparedTable[];
  readonly #changed: ChangedRows;
  readonly #options: CompareSides;
  #pending: RowIds = new Map();
  #settledAt = performance.now();

  constructor(readers: Readers, tables: readonly ComparedTable[], changed: ChangedRows, options: CompareSides) {
    this.#readers = readers;
    this.#tables = tables;
    this.#changed = changed;
    this.#options = options;
  }

  /** How many rows are to be compared again. */
  get pending(): number {
    return countRowIds(this.#pending);
  }

  /**
   * Compares all rows, while writers go on. What differs or changes meanwhile is kept for {@link settle} and {@link finish}. Returns what
   * the source has, as it was read. CONFLICT, which names the first, when very many rows differ although the target has everything.
   */
  async compareAll(): Promise<Total[]> {
    const { from, to } = this.#readers;
    const { moved, reached, signal } = this.#options;
    await reached();
    return compareTables(from, to, moved, this.#tables, async (differences) => {
      await failpoint("moves.comparing");
      signal.throwIfAborted();
      this.#keep(differences);
      const isDue = performance.now() - this.#settledAt > SETTLE_MS;
      if (isDue || this.pending > MOST_DIFFERENT) await this.settle();
    });
  }

  /**
   * Compares once more the rows that have changed or differed so far, after the target has what has changed. Those that are the same
   * need not be looked at again, unless they change. Returns how many are left; while writers go on, some may always be. CONFLICT as
   * {@link compareAll}.
   */
  async settle(): Promise<number> {
    await this.#changed.read(this.#pending);
    if (this.pending > 0) {
      await this.#options.reached();
      const differences = await this.#compareRows();
      this.#pending = new Map();
      this.#keep(differences);
      if (this.pending > MOST_DIFFERENT) await this.#requireLate(differences);
    }
    this.#settledAt = performance.now();
    return this.pending;
  }

  /**
   * The last look, while writes are held and the target has everything: what is returned is different in truth. Costs two round
   * trips where few rows are left. `firstThere`: a statement that waits in the target until it has everything, in place of whoever
   * calls this.
   */
  async finish(firstThere?: BatchStatement): Promise<Difference[]> {
    await this.#changed.read(this.#pending);
    return this.#compareRows(firstThere);
  }

  /** Very many may have changed at once since the target was waited for. Throws CONFLICT where that is not why they differ. */
  async #requireLate(differences: readonly Difference[]): Promise<void> {
    const changed: RowIds = new Map();
    await this.#changed.read(changed);
    const others = differences.map(({ table, ids }) => ids.filter((id) => changed.get(table)?.has(id) !== true).length);
    if (others.reduce((sum, count) => sum + count, 0) > MOST_DIFFERENT) throw differ(differences);
    for (const [table, ids] of changed) this.#keepIds(table, ids);
  }

  async #compareRows(firstThere?: BatchStatement): Promise<Difference[]> {
    const { moved, signal } = this.#options;
    signal.throwIfAborted();
    return this.pending === 0
      ? []
      : compareIds(this.#readers.from, this.#readers.to, moved, this.#tables, this.#pending, firstThere);
  }

  #keep(differences: readonly Difference[]): void {
    for (const { table, ids } of differences) this.#keepIds(table, ids);
  }

  #keepIds(table: string, ids: Iterable<string>): void {
    const kept = this.#pending.get(table);
    if (kept === undefined) this.#pending.set(table, new Set(ids));
    else for (const id of ids) kept.add(id);
  }
}

/** An error that names the first place where the sides differ. */
export function differ(differences: readonly Difference[]): TenantryError {
  const [first] = differences;
  if (first === undefined) throw new Error("there is no difference");
  const { table, fromId, toId, rows } = first;
  const where = fromId === toId ? `the row ${fromId} differs` : `rows between ${fromId} and ${toId} differ`;
  const others = differences.length > 1 ? ", and there are further ones" : "";
  return new TenantryError(
    "CONFLICT",
    `The target does not have what the source has: in ${table} ${where} (${rows.from} in the source, ${rows.to} in the target)${others}. Nothing was switched.`,
  );
}
