/** Pages of lists, by key: what comes after the row with this key, or before it. */
import { invalidInput } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

/**
 * The rows between two keys: behind `after`, in front of `before`; null or left out: no bound. `first` is how many of them at most:
 * those at the start, or at the end when it goes `backwards`.
 */
export type PageRequest = { first: number; after: string | null; before?: string | null; backwards?: boolean };
/** A page of a list in the list's order, and whether there are more rows behind it and in front of it. */
export type Page<Row> = { rows: Row[]; hasNextPage: boolean; hasPreviousPage: boolean };

/** Relay's arguments of a list. */
export type PageArguments = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
};

/**
 * Reads Relay's arguments. With `before` and no number of rows it goes backwards: the page is the one in front of that row.
 * Cursors are opaque to clients: base64url of the row's key, which is mostly its id. INVALID_INPUT on what makes no page.
 */
export function readPageRequest(args: PageArguments, isKey: (text: string) => boolean = isUuid): PageRequest {
  return pageBetween({
    ...args,
    after: readCursor("after", args.after, isKey),
    before: readCursor("before", args.before, isKey),
  });
}

/** The same of keys. */
export function pageBetween({
  first,
  last,
  after,
  before,
}: PageArguments & { after: string | null; before: string | null }): PageRequest {
  if (first != null && last != null) throw invalidInput("last", "Ask for first or for last, not for both.");
  const backwards = last != null || (first == null && before !== null && after === null);
  const forward = { first: backwards ? readSize("last", last) : readSize("first", first), after };
  return before === null && !backwards ? forward : { ...forward, before, backwards };
}

function readCursor(
  name: "after" | "before",
  cursor: string | null | undefined,
  isKey: (text: string) => boolean,
): string | null {
  if (cursor === null || cursor === undefined) return null;
  const key = Buffer.from(cursor, "base64url").toString("utf8");
  // The decoder ignores characters that are not base64, so several texts would be the same cursor. One text is accepted.
  if (!isKey(key) || formatCursor(key) !== cursor)
    throw invalidInput(name, `${name} is not a cursor that this list gave out.`);
  return key;
}

function readSize(name: "first" | "last", rows: number | null | undefined): number {
  const size = rows ?? DEFAULT_PAGE_SIZE;
  if (size < 0 || size > MAX_PAGE_SIZE) throw invalidInput(name, `${name} must be between 0 and ${MAX_PAGE_SIZE}.`);
  return size;
}

/** Whether a cursor holds a number that can be a row's key. */
export function isNumberKey(text: string): boolean {
  return /^(0|[1-9]\d{0,8})$/.test(text);
}

/** The cursor of a row. */
export function formatCursor(key: string): string {
  return Buffer.from(key, "utf8").toString("base64url");
}

/** No id is before it. A condition without exceptions serves every page with one prepared plan. */
export const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";
/** No id is behind it. */
export const AFTER_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** Between which ids the rows of a page are, in a list whose order is that of the ids. */
export function idsOf({ after, before }: PageRequest): [low: string, high: string] {
  return [after ?? BEFORE_ALL, before ?? AFTER_ALL];
}

/** The same in a list whose order is the other way round, such as the newest first. */
export function idsOfReversed({ after, before }: PageRequest): [low: string, high: string] {
  return [before ?? BEFORE_ALL, after ?? AFTER_ALL];
}

/** In which order SQL reads the rows of a page, so that `limit` leaves those that are wanted; `order` is the list's own. */
export function readingOrder({ backwards }: PageRequest, order: "asc" | "desc" = "asc"): "asc" | "desc" {
  if (backwards !== true) return order;
  return order === "asc" ? "desc" : "asc";
}

/** Makes a page of rows read in {@link readingOrder} with `limit first + 1`: the one too many says that there are more. */
export function toPage<Row>(rows: readonly Row[], { first, after, before, backwards }: PageRequest): Page<Row> {
  const found = rows.slice(0, first);
  const hasMore = rows.length > first;
  // A bound is a row that was seen: it is there, on the other side of it.
  if (backwards === true)
    return { rows: found.toReversed(), hasNextPage: before != null, hasPreviousPage: hasMore || after !== null };
  return { rows: found, hasNextPage: hasMore || before != null, hasPreviousPage: after !== null };
}

/** Makes pages of several lists, read with `limit first + 1` each, by the list's key. A list without rows has an empty page. */
export function toPages<Row>(
  keys: readonly string[],
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  page: PageRequest,
): Map<string, Page<Row>> {
  const found = Map.groupBy(rows, keyOf);
  return new Map(keys.map((key) => [key, toPage(found.get(key) ?? [], page)]));
}
