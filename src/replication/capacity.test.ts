import { expect, test } from "vitest";
import type { Room } from "#postgres/probe";
import { findShortage } from "#replication/capacity";

function probe(headroom: Room["headroom"]): Room {
  return { headroom, systemIdentifier: "1" };
}
const slots = (limit: number, used: number) => ({ setting: "max_replication_slots", limit, used });
const origins = (limit: number, used: number) => ({ setting: "max_active_replication_origins", limit, used });

test("a server with room for the slot, the origin and a sweep's own slot takes one more", () => {
  expect(findShortage("Home", probe([slots(10, 8), origins(10, 9)]), 1)).toBeUndefined();
});

test("what is used up is named, with numbers and what to do", () => {
  expect(findShortage("Home", probe([slots(10, 9), origins(10, 0)]), 1)).toBe(
    "Home has no room for one more tenant database: max_replication_slots is 10, 9 are in use and 2 are needed. Raise it and restart that server.",
  );
  expect(findShortage("Home", probe([slots(10, 0), origins(10, 10)]), 1)).toContain(
    "max_active_replication_origins is 10",
  );
});

test("where home and region are one server, both sides must fit", () => {
  expect(findShortage("Home", probe([slots(10, 8), origins(10, 0)]), 2)).toContain("max_replication_slots");
});

test("until 17 one setting bounds slots and origins, each for itself", () => {
  expect(findShortage("Home", probe([slots(10, 3), slots(10, 10)]), 1)).toContain("10 are in use");
});
