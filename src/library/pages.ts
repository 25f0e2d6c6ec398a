/** Pages of lists, as the library gives them. */
import { invalidInput } from "#base/kernel/errors";
import { MAX_PAGE_SIZE, pageBetween, type PageRequest } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";

/** Which page of a list. */
export type PageInput = {
  /** Rows on it, from its start: 1 to 100; 20 when left out. */
  first?: number;
  /** The key of the last row of the page before; left out: the first page. */
  after?: string;
  /** Rows on it, up to its end: 1 to 100. Not with `first`. */
  last?: number;
  /** The key of the first row of the page behind it; alone it gives the 20 rows before. */
  before?: string;
};

/** INVALID_INPUT for what is no page. */
export function readPage({ first, after, last, before }: PageInput): PageRequest {
  for (const [name, rows] of [["first", first] as const, ["last", last] as const])
    if (rows !== undefined && (!Number.isInteger(rows) || rows < 1 || rows > MAX_PAGE_SIZE))
      throw invalidInput(name, `${name} must be between 1 and ${MAX_PAGE_SIZE}.`);
  return pageBetween({
    first,
    last,
    after: after === undefined ? null : validId("after", after),
    before: before === undefined ? null : validId("before", before),
  });
}
