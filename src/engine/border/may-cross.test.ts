import { expect, test } from "vitest";
import type { Flows } from "#engine/replication/link";
import { APP_FLOWS } from "../../../test/support/flows.ts";
import { mayCross } from "./may-cross.ts";

const later: Flows = {
  ...APP_FLOWS,
  catalog: APP_FLOWS.catalog.map((table) => ({ ...table, columns: [...table.columns, "color"] })),
};

test("tables are listed once for all versions that let the same columns flow", () => {
  const flows = mayCross([
    { schemaVersion: 1, databases: 3, flows: APP_FLOWS },
    { schemaVersion: 2, databases: 4, flows: APP_FLOWS },
    // One of version 2 is being changed, and lets flow what both versions do.
    { schemaVersion: 2, databases: 1, flows: APP_FLOWS },
  ]);
  expect(flows.map(({ direction, from, into }) => [direction, from, into])).toEqual([
    ["directory", "tenantry.directory_organizations", "tenantry.directory_organizations"],
    ["directory", "tenantry.directory_members", "tenantry.directory_members"],
    ["catalog", "app.resources", "tenantry_inbox.resources"],
  ]);
  for (const flow of flows) expect(flow).toMatchObject({ schemaVersions: [1, 2], databases: 8 });
});

test("a column that flows from a version on is listed for that version, and for no other", () => {
  const flows = mayCross([
    { schemaVersion: 1, databases: 3, flows: APP_FLOWS },
    { schemaVersion: 2, databases: 4, flows: later },
  ]).filter(({ direction }) => direction === "catalog");
  const [before, after] = flows;
  expect(before).toMatchObject({ schemaVersions: [1], databases: 3, columns: APP_FLOWS.catalog[0]?.columns });
  expect(after).toMatchObject({ schemaVersions: [2], databases: 4, columns: later.catalog[0]?.columns });
  expect([before, after].map((flow) => flow?.columns.includes("color"))).toEqual([false, true]);
});
