/** Pages by an index: on the row's id, or on the owner and the row's id. */
import { type PageRequest, readingOrder } from "#base/kernel/page";

/**
 * The condition for the rows of a page, by their ids; `low` and `high` are the parameters with its bounds. Order by the column in
 * {@link readingOrder}. Where one bound says it all, the other is left out: of two PostgreSQL thinks that hardly a row is between
 * them, and may read them all and sort.
 */
export function isBetween(
  column: string,
  page: PageRequest,
  [low, high]: readonly [string, string],
  order: "asc" | "desc" = "asc",
): string {
  const { after, before = null } = page;
  const [from, to] = order === "asc" ? [after, before] : [before, after];
  const isAbove = `${column} > ${low}`;
  const isBelow = `${column} < ${high}`;
  if (from !== null && to !== null) return `${isAbove} and ${isBelow}`;
  const startsLow = from !== null || (to === null && readingOrder(page, order) === "asc");
  // Both parameters stay in the statement, which has a type of each.
  return startsLow ? `${isAbove} and ${high}::uuid is not null` : `${isBelow} and ${low}::uuid is not null`;
}

/**
 * The condition for the rows of `owner` between the ids `after` and `before`; `columns` are those of the index, owner and id. Order
 * by both. To PostgreSQL it is a range of the index, which it then reads in its order. For `owner = …` and an order by the id it may instead
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
