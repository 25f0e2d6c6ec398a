import { expect, test } from "vitest";
import type { Session } from "#base/postgres/database";
import type { Link } from "#engine/replication/link";
import { publicationMatches } from "#engine/replication/publication";
import { APP_FLOWS } from "../../../test/support/flows.ts";

/** A link to a server that prints filters in its own way: `is` what the publication has, `should` what the link's would be. */
function linkTo(is: (id: string) => string, should: (id: string) => string): Link {
  const rows = (filter: string) =>
    APP_FLOWS.catalog.map(({ from, columns }) => ({ from, columns, filter: `(${filter})` }));
  const session = {
    kind: "tenant",
    script: () => Promise.resolve([[], rows(should("7")), []]),
  } as unknown as Session<"tenant">;
  const database = {
    kind: "tenant",
    query: () => Promise.resolve(rows(is("7"))),
    session: (work: (session: Session<"tenant">) => unknown) => work(session),
  };
  return { name: "test", databaseId: 7, tables: APP_FLOWS.catalog, publisher: { database } } as unknown as Link;
}

test("a filter means the same however the server prints it, and another one does not", async () => {
  const plain = (id: string) => `database_id = ${id}`;
  const otherwise = (id: string) => `"database_id" OPERATOR(pg_catalog.=) ${id}::integer`;
  expect(await publicationMatches(linkTo(plain, plain))).toBe(true);
  expect(await publicationMatches(linkTo(otherwise, otherwise))).toBe(true);
  expect(await publicationMatches(linkTo((id) => `database_id >= ${id}`, plain))).toBe(false);
  expect(await publicationMatches(linkTo(() => otherwise("8"), otherwise))).toBe(false);
});
