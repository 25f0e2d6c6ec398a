/** Sums of what crossed and home does not know yet. In memory only: counting must cost a stream nothing. */
import { isUuid } from "#base/kernel/ids";
import { isRegionKey } from "#base/kernel/validation";
import type { StreamKind } from "#engine/replication/names";

/** How it crossed: in the stream of changes, or when a copy was made of what was there before. */
export const CROSSING_WAYS = ["stream", "seed"] as const;
export type CrossingWay = (typeof CROSSING_WAYS)[number];

/** What crossed on which link. */
export type Crossing = {
  databaseId: number;
  direction: StreamKind;
  regionId: string;
  regionKey: string;
  /** Of a move: the region that it went to. */
  to?: { id: string; key: string } | null | undefined;
  table: string;
  way: CrossingWay;
};

/** The sum of one day (UTC), link, table and way. Moments are milliseconds since 1970. */
export type CrossingSum = Crossing & { day: number; rows: number; bytes: number; firstAt: number; lastAt: number };

/** A day has one for each link and table; more than these are only there when home takes none for days. */
export const MAX_SUMS = 20_000;

const DAY_MS = 24 * 60 * 60_000;
const MAX_DATABASE_ID = 0x7f_ff_ff_ff;
/** PostgreSQL's own bound, in bytes. */
const MAX_TABLE_NAME_LENGTH = 63;

export class CrossingSums {
  #sums = new Map<string, CrossingSum>();

  get isEmpty(): boolean {
    return this.#sums.size === 0;
  }

  /**
   * Adds to a sum. False, with nothing added, when too many are held already. RangeError on what no ledger can hold: one such
   * sum would keep all others from being written.
   */
  add(crossing: Crossing, rows: number, bytes: number, now: number): boolean {
    if (!isCount(rows) || !isCount(bytes)) throw new RangeError(`${rows} rows, ${bytes} bytes: not a count`);
    const day = Math.floor(now / DAY_MS);
    const key = keyOf(crossing, day);
    const sum = this.#sums.get(key);
    if (sum !== undefined) {
      grow(sum, { rows, bytes, firstAt: now, lastAt: now });
      return true;
    }
    if (this.#sums.size >= MAX_SUMS) return false;
    this.#sums.set(key, { ...requireStorable(crossing), day, rows, bytes, firstAt: now, lastAt: now });
    return true;
  }

  /** Hands over what there is, and begins anew. */
  take(): CrossingSum[] {
    const taken = [...this.#sums.values()];
    this.#sums = new Map();
    return taken;
  }

  /** Takes back what could not be written. It is added to what crossed since. */
  giveBack(taken: readonly CrossingSum[]): void {
    for (const sum of taken) {
      const key = keyOf(sum, sum.day);
      const since = this.#sums.get(key);
      if (since === undefined) this.#sums.set(key, sum);
      else grow(since, sum);
    }
  }
}

function keyOf({ databaseId, direction, to, table, way }: Crossing, day: number): string {
  return `${day} ${databaseId} ${direction} ${to?.key ?? ""} ${way} ${table}`;
}

function grow(sum: CrossingSum, by: Pick<CrossingSum, "rows" | "bytes" | "firstAt" | "lastAt">): void {
  sum.rows = Math.min(sum.rows + by.rows, Number.MAX_SAFE_INTEGER);
  sum.bytes = Math.min(sum.bytes + by.bytes, Number.MAX_SAFE_INTEGER);
  sum.firstAt = Math.min(sum.firstAt, by.firstAt);
  sum.lastAt = Math.max(sum.lastAt, by.lastAt);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function requireStorable({ databaseId, direction, regionId, regionKey, to = null, table, way }: Crossing): Crossing {
  if (!Number.isInteger(databaseId) || databaseId < 1 || databaseId > MAX_DATABASE_ID)
    throw new RangeError(`database ${databaseId}: not a tenant database's number`);
  if (table === "" || table.length > MAX_TABLE_NAME_LENGTH || table.includes("\0"))
    throw new RangeError("not a table's name");
  if (!isUuid(regionId) || !isRegionKey(regionKey)) throw new RangeError("not a region");
  if ((direction === "move") !== (to !== null)) throw new RangeError("a move goes to a region, and nothing else does");
  if (to !== null && (!isUuid(to.id) || !isRegionKey(to.key))) throw new RangeError("not a region");
  return { databaseId, direction, regionId, regionKey, to, table, way };
}
