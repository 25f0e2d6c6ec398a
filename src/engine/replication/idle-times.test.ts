import { expect, test } from "vitest";
import { IdleTimes } from "#engine/replication/idle-times";

const OPTIONS = { idleMs: 500, slowIdleMs: 60_000 };
const SOON = { directory: false, catalog: false };

test("a link that is cheap to wake is parked soon, and one that is dear stays awake", () => {
  const times = new IdleTimes(OPTIONS, SOON);
  expect(times.of("catalog")).toBe(500);
  times.woke("catalog", 35);
  expect(times.of("catalog")).toBe(500);
  const far = new IdleTimes(OPTIONS, SOON);
  far.woke("catalog", 240);
  expect(far.of("catalog")).toBe(500);
  far.woke("catalog", 240);
  expect(far.of("catalog")).toBe(8_000);
  expect(far.of("directory")).toBe(500);
  const ocean = new IdleTimes(OPTIONS, SOON);
  for (let wakes = 0; wakes < 2; wakes += 1) ocean.woke("catalog", 1_400);
  expect(ocean.of("catalog")).toBe(60_000);
});

test("a wake that met a busy server does not count, and a way that has become longer does after some wakes", () => {
  const times = new IdleTimes(OPTIONS, SOON);
  for (const tookMs of [40, 900, 2_000]) times.woke("catalog", tookMs);
  expect(times.of("catalog")).toBe(500);
  for (let wakes = 0; wakes < 4; wakes += 1) times.woke("catalog", 1_400);
  expect(times.of("catalog")).toBe(60_000);
});

test("where workers start slowly each wake is dear", () => {
  const times = new IdleTimes(OPTIONS, { directory: true, catalog: false });
  times.woke("directory", 10);
  expect([times.of("directory"), times.of("catalog")]).toEqual([60_000, 500]);
  expect(new IdleTimes({ idleMs: 500, slowIdleMs: 0 }, { directory: true, catalog: true }).of("catalog")).toBe(500);
});
