import { expect, test } from "vitest";
import { FIRST_FLOWS, flowsAfter, flowsInBoth } from "#engine/replication/link";

const add = { change: "add", direction: "catalog", table: "resources", column: "color" } as const;
const remove = { change: "remove", direction: "directory", table: "directory_members", column: "email" } as const;
const columns = (flows: typeof FIRST_FLOWS, table: string) =>
  [...flows.directory, ...flows.catalog].find((published) => published.table === table)?.columns ?? [];

test("what flows follows the migrations", () => {
  const flows = flowsAfter([add, remove]);
  expect(columns(flows, "resources")).toEqual([...columns(FIRST_FLOWS, "resources"), "color"]);
  expect(columns(flows, "directory_members")).not.toContain("email");
  expect(columns(FIRST_FLOWS, "directory_members")).toContain("email");
  expect(flowsAfter([])).toEqual(FIRST_FLOWS);
});

test.each([
  { ...add, table: "comments" },
  { ...add, column: "name" },
  { ...remove, column: "nickname" },
  { ...remove, column: "user_id" },
])("$change $table.$column is a mistake", (change) => {
  expect(() => flowsAfter([change])).toThrow(`${change.table}.${change.column}`);
});

test("between two versions only what both have flows", () => {
  const both = flowsInBoth(FIRST_FLOWS, flowsAfter([add, remove]));
  expect(columns(both, "resources")).toEqual(columns(FIRST_FLOWS, "resources"));
  expect(columns(both, "directory_members")).toEqual(columns(flowsAfter([remove]), "directory_members"));
});
