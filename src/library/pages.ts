/** Pages of lists, as the library gives them. */
import { invalidInput } from "#base/kernel/errors";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type PageRequest } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";

/** Which page of a list. */
export type PageInput = {
  /** Rows on it: 1 to 100; 20 when left out. */
  first?: number;
  /** The key of the last row of the page before; left out: the first page. */
  after?: string;
};

/** INVALID_INPUT for what is no page. */
export function readPage({ first = DEFAULT_PAGE_SIZE, after }: PageInput): PageRequest {
  if (!Number.isInteger(first) || first < 1 || first > MAX_PAGE_SIZE)
    throw invalidInput("first", `first must be between 1 and ${MAX_PAGE_SIZE}.`);
  return { first, after: after === undefined ? null : validId("after", after) };
}
