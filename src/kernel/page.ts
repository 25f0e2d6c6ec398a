/** Pages of lists, by key: what comes after the row with this key. */
import { invalidInput } from "#kernel/errors";
import { isUuid } from "#kernel/ids";

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

/** `after` is the key of the last row of the page before. */
export type PageRequest = { first: number; after: string | null };
export type Page<Row> = { rows: Row[]; hasNextPage: boolean };

/** Reads Relay's `first` and `after`. Cursors are opaque to clients: base64url of the row's id. */
export function readPageRequest(first: number | null | undefined, after: string | null | undefined): PageRequest {
  const size = first ?? DEFAULT_PAGE_SIZE;
  if (size < 0 || size > MAX_PAGE_SIZE) throw invalidInput("first", `first must be between 0 and ${MAX_PAGE_SIZE}.`);
  if (after === null || after === undefined) return { first: size, after: null };
  const key = Buffer.from(after, "base64url").toString("latin1");
  if (!isUuid(key)) throw invalidInput("after", "after is not a cursor that this list gave out.");
  return { first: size, after: key };
}

/** The cursor of a row. */
export function formatCursor(key: string): string {
  return Buffer.from(key, "latin1").toString("base64url");
}

/** Makes a page of rows read with `limit first + 1`: the one too many says that there are more. */
export function toPage<Row>(rows: Row[], { first }: PageRequest): Page<Row> {
  return { rows: rows.slice(0, first), hasNextPage: rows.length > first };
}
