/** Pages of one owner's rows, by an index on the owner and the row's id. */

/** Behind every id there is. */
const AFTER_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/**
 * The condition for the rows of `owner` behind the id `after`; `columns` are those of the index, owner and id. Order by both. To
 * PostgreSQL it is a range of the index, which it then reads in its order. For `owner = …` and an order by the id it may instead
 * sort all rows of the owner, or pass over those of all others: it plans for an owner of the average size, or of a table that it
 * has no figures of yet.
 */
export function isPageOf([ownerColumn, idColumn]: readonly [string, string], owner: string, after: string): string {
  const key = `(${ownerColumn}, ${idColumn})`;
  return `${key} > (${owner}, ${after}) and ${key} <= (${owner}, '${AFTER_ALL}')`;
}
