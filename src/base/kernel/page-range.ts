/** Pages of one owner's rows, by an index on the owner and the row's id. */

/**
 * The condition for the rows of `owner` between the ids `after` and `before`; `columns` are those of the index, owner and id. Order by both. To
 * PostgreSQL it is a range of the index, which it then reads in its order. For `owner = …` and an order by the id it may instead
 * sort all rows of the owner, or pass over those of all others: it plans for an owner of the average size, or of a table that it
 * has no figures of yet.
 */
export function isPageOf(
  [ownerColumn, idColumn]: readonly [string, string],
  owner: string,
  [after, before]: readonly [string, string],
): string {
  const key = `(${ownerColumn}, ${idColumn})`;
  return `${key} > (${owner}, ${after}) and ${key} < (${owner}, ${before})`;
}
