import { expect, test } from "vitest";
import type pg from "pg";
import { PoolUsage, WAIT_BOUNDS, WaitTimes } from "#base/postgres/pool-usage";

test("a wait counts at the first bound that it does not exceed, and beyond the last at the end", () => {
  const waits = new WaitTimes();
  for (const ms of [0, 1, 1.1, 24, 10_000]) waits.add(ms);
  expect(waits.counts).toEqual(
    WAIT_BOUNDS.map((bound) => ({ 0.001: 2, 0.005: 1, 0.025: 1 })[bound as number] ?? 0).concat(1),
  );
  expect(waits.sum).toBeCloseTo(10.0261, 6);
});

test("what connects to a region is counted by its key, whatever addresses it has had, and home's server by itself", () => {
  const usage = new PoolUsage();
  const at = (name: string, server: string, isPooler = false) => ({ name, server, isPooler });
  for (const target of [at("home", "a:1"), at("eu", "a:1"), at("eu", "b:1"), at("eu", "p:1", true)]) {
    usage.waitsAt(target).add(1);
    const pool = { ended: false, ending: false, totalCount: 3, idleCount: 2, waitingCount: 1 };
    usage.add(pool as unknown as pg.Pool, target);
  }
  const read = usage.read((server) => ({ "a:1": 10, "b:1": 20, "p:1": 40 })[server] ?? 0);
  expect(read).toMatchObject([
    { name: "home", isPooler: false, inUse: 1, idle: 2, waiting: 1 },
    { name: "eu", isPooler: false, inUse: 2, idle: 4, waiting: 32 },
    { name: "eu", isPooler: true, inUse: 1, idle: 2, waiting: 41 },
  ]);
  expect(read.map(({ waits }) => waits.counts[0])).toEqual([1, 2, 1]);
});
