import { expect, test } from "vitest";
import { type Flows, flowsInBoth, flowsInEither } from "#engine/replication/link";
import { APP_FLOWS } from "../../../test/support/flows.ts";

const columns = (flows: Flows, table: string) =>
  [...flows.directory, ...flows.catalog].find((published) => published.table === table)?.columns;

const [resources] = APP_FLOWS.catalog;
if (resources === undefined) throw new Error("no table flows");
const OTHERS = {
  directory: APP_FLOWS.directory.map((table) => ({
    ...table,
    columns: table.columns.filter((one) => one !== "email"),
  })),
  catalog: [
    { ...resources, columns: [...resources.columns, "color"] },
    { ...resources, table: "invoices", from: "app.invoices", into: "tenantry_inbox.invoices" },
  ],
};

test("between two versions only what both have flows", () => {
  const both = flowsInBoth(APP_FLOWS, OTHERS);
  expect(columns(both, "resources")).toEqual(resources.columns);
  expect(columns(both, "directory_members")).toEqual(columns(OTHERS, "directory_members"));
  expect(columns(both, "invoices")).toBeUndefined();
  expect(flowsInBoth(OTHERS, APP_FLOWS).catalog).toHaveLength(1);
});

test("what one of two versions lets flow may still arrive", () => {
  for (const either of [flowsInEither(APP_FLOWS, OTHERS), flowsInEither(OTHERS, APP_FLOWS)]) {
    expect(columns(either, "resources")).toEqual([...resources.columns, "color"]);
    expect(columns(either, "directory_members")).toContain("email");
    expect(columns(either, "invoices")).toEqual(resources.columns);
  }
});
