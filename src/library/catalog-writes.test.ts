import { expect, test } from "vitest";
import type { TenantTable } from "#engine/tables";
import { CatalogWrites } from "./catalog-writes.ts";

const table = (bare: string, catalog: readonly string[] | null, parents: readonly string[] = []): TenantTable => ({
  name: `app.${bare}`,
  bare,
  catalog,
  parents,
  personal: [],
  goesWithParent: false,
  idsRoute: true,
  rules: {},
});

/** Lines flow, and go with their invoice, which is a customer's. Notes flow nowhere. */
const writes = new CatalogWrites([
  table("customers", null),
  table("invoices", null, ["app.customers", "app.invoices"]),
  table("lines", ["text"], ["app.invoices"]),
  table("notes", null, ["app.lines"]),
]);

test.each([
  [true, "insert into app.lines (text) values ('a')", "INSERT", 1],
  [true, 'update "app"."Lines" set text = $1', "UPDATE", 2],
  [true, "delete from app.invoices", "DELETE", 1],
  [true, "delete from app.customers", "DELETE", 1],
  [true, "with added as (insert into app.lines (text) values ('a') returning id) select * from added", "SELECT", 1],
  [false, "update app.lines set text = 'a' where false", "UPDATE", 0],
  [false, "select * from app.lines", "SELECT", 3],
  [false, "insert into app.notes (text) values ('a')", "INSERT", 1],
  [false, "insert into app.headlines (text) values ('a')", "INSERT", 1],
] as const)("%s for %j", (expected, text, command, rowCount) => {
  expect(writes.isOne(text, [{ command, rowCount }])).toBe(expected);
});

test("where nothing flows, nothing is waited for", () => {
  const none = new CatalogWrites([table("notes", null)]);
  expect(none.isOne("insert into app.notes (text) values ('a')", [{ command: "INSERT", rowCount: 1 }])).toBe(false);
});
