/** Pages of lists, by key: what comes after the row with this key. */
import { invalidInput } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

/** `after` is the key of the last row of the page before. */
export type PageRequest = { first: number; after: string | null };
/** A page of a list, and whether there are more rows after it. */
export type Page<Row> = { rows: Row[]; hasNextPage: boolean };

/** Reads Relay's `first` and `after`. Cursors are opaque to clients: base64url of the row's key, which is mostly its id. */
export function readPageRequest(
  first: number | null | undefined,
  after: string | null | undefined,
  isKey: (text: string) => boolean = isUuid,
): PageRequest {
  const size = readSize(first);
  if (after === null || after === undefined) return { first: size, after: null };
  const key = Buffer.from(after, "base64url").toString("utf8");
  // The decoder ignores characters that are not base64, so several texts would be the same cursor. One text is accepted.
  if (!isKey(key) || formatCursor(key) !== after)
    throw invalidInput("after", "after is not a cursor that this list gave out.");
  return { first: size, after: key };
}

function readSize(first: number | null | undefined): number {
  const size = first ?? DEFAULT_PAGE_SIZE;
  if (size < 0 || size > MAX_PAGE_SIZE) throw invalidInput("first", `first must be between 0 and ${MAX_PAGE_SIZE}.`);
  return size;
}

/** The same for lists whose key is a number; `after` is 0 at the start. */
export function readNumberCursor(
  first: number | null | undefined,
  after: string | null | undefined,
): { first: number; after: number } {
  const key = after == null ? "0" : Buffer.from(after, "base64url").toString("latin1");
  if (!/^\d{1,9}$/.test(key) || (after != null && formatNumberCursor(Number(key)) !== after))
    throw invalidInput("after", "after is not a cursor that this list gave out.");
  return { first: readSize(first), after: Number(key) };
}

/** The cursor of a row whose key is a number. */
export function formatNumberCursor(key: number): string {
  return formatCursor(String(key));
}

/** The cursor of a row. */
export function formatCursor(key: string): string {
  return Buffer.from(key, "utf8").toString("base64url");
}

/** No id is before it. A condition without exceptions serves every page with one prepared plan. */
export const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";

/** Makes a page of rows read with `limit first + 1`: the one too many says that there are more. */
export function toPage<Row>(rows: Row[], { first }: PageRequest): Page<Row> {
  return { rows: rows.slice(0, first), hasNextPage: rows.length > first };
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
