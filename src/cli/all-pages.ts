import { MAX_PAGE_SIZE, type Page, type PageRequest } from "#base/kernel/page";

/** All rows of a list that has a bounded number of them, page after page. `keyOf`: where the page after a row begins. */
export async function allPages<Row>(
  read: (page: PageRequest) => Promise<Page<Row> | undefined>,
  keyOf: (row: Row) => string,
): Promise<Row[]> {
  const all: Row[] = [];
  let page: Page<Row> | undefined;
  do {
    const last = all.at(-1);
    page = await read({ first: MAX_PAGE_SIZE, after: last === undefined ? null : keyOf(last) });
    all.push(...(page?.rows ?? []));
  } while (page?.hasNextPage === true);
  return all;
}
