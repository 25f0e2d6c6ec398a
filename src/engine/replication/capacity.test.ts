import { expect, test } from "vitest";
import type { ServerCapacity, Usage } from "#base/postgres/server-capacity";
import { findShortage, standingOf } from "#engine/replication/capacity";

function server(...usage: Usage[]): ServerCapacity {
  return { systemIdentifier: "1", usage, connections: [] };
}
const slots = (limit: number, ours: number, others = 0) => ({ setting: "max_replication_slots", limit, ours, others });
const origins = (limit: number, ours: number) => ({
  setting: "max_active_replication_origins",
  limit,
  ours,
  others: 0,
});
const senders = (limit: number, ours: number, others: number) => ({ setting: "max_wal_senders", limit, ours, others });

test("a server with room for the slot and the origin beside the reserve takes one more", () => {
  expect(findShortage("Home", server(slots(10, 7), origins(10, 7)), 1)).toBeUndefined();
});

test("what is used up is named, with numbers and what to do", () => {
  expect(findShortage("Home", server(slots(10, 5, 3), origins(10, 0)), 1)).toBe(
    "Home has no room for one more tenant database: max_replication_slots is 10, 5 are Tenantry's, 3 others', 2 kept free and 1 needed. Raise it by 1 at least and restart that server.",
  );
  expect(findShortage("Home", server(slots(10, 0), origins(10, 10)), 1)).toContain(
    "max_active_replication_origins is 10",
  );
});

test("where home and region are one server, both sides must fit", () => {
  expect(findShortage("Home", server(slots(10, 6)), 2)).toBeUndefined();
  expect(findShortage("Home", server(slots(10, 7)), 2)).toContain("Raise it by 1 at least");
});

test("until 17 one setting bounds slots and origins, each for itself", () => {
  const both = server(slots(10, 3), { ...slots(10, 10), setting: "max_replication_slots (origins)" });
  expect(findShortage("Home", both, 1)).toContain("max_replication_slots (origins) is 10");
});

test("of what links take only while awake, only what others hold counts", () => {
  expect(findShortage("Home", server(senders(4, 4, 0)), 1)).toBeUndefined();
  expect(findShortage("Home", server(senders(4, 0, 4)), 1)).toContain("max_wal_senders is 4");
});

test("a tenth is kept, two at least; what nothing bounds is counted only", () => {
  const standing = standingOf(
    server(slots(100, 60, 10), slots(4, 1), { ...slots(0, 3), setting: "databases", limit: null }),
  );
  expect(standing.map(({ reserve, left }) => [reserve, left])).toEqual([
    [10, 20],
    [2, 1],
    [0, null],
  ]);
});
