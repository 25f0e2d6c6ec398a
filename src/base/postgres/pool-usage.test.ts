import { expect, test } from "vitest";
import { WAIT_BOUNDS, WaitTimes } from "#base/postgres/pool-usage";

test("a wait counts at the first bound that it does not exceed, and beyond the last at the end", () => {
  const waits = new WaitTimes();
  for (const ms of [0, 1, 1.1, 24, 10_000]) waits.add(ms);
  expect(waits.counts).toEqual(
    WAIT_BOUNDS.map((bound) => ({ 0.001: 2, 0.005: 1, 0.025: 1 })[bound as number] ?? 0).concat(1),
  );
  expect(waits.sum).toBeCloseTo(10.0261, 6);
});
