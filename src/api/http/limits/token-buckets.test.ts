import { expect, test } from "vitest";
import { TokenBuckets } from "#api/http/limits/token-buckets";

function startBuckets(perSecond: number, burst: number) {
  let now = 0;
  const buckets = new TokenBuckets(perSecond, burst, () => now);
  return { buckets, pass: (seconds: number) => (now += seconds * 1_000) };
}

test("a burst is there to take, then what comes in per second, and never more than the burst", () => {
  const { buckets, pass } = startBuckets(2, 10);
  expect(buckets.take("a", 10)).toBe(0);
  expect(buckets.take("a", 4)).toBe(2);
  pass(1.9);
  expect(buckets.take("a", 4)).toBe(1);
  pass(0.1);
  expect(buckets.take("a", 4)).toBe(0);
  pass(1_000);
  expect(buckets.take("a", 10)).toBe(0);
  expect(buckets.take("a", 1)).toBe(1);
});

test("keys have buckets of their own", () => {
  const { buckets } = startBuckets(1, 1);
  expect([buckets.take("a", 1), buckets.take("a", 1), buckets.take("b", 1)]).toEqual([0, 1, 0]);
});

test("what is more than a bucket holds is taken when it is full, and paid off afterwards", () => {
  const { buckets } = startBuckets(1, 10);
  expect(buckets.take("a", 25)).toBe(0);
  expect(buckets.take("a", 1)).toBe(16);
});

test("what is refused takes nothing", () => {
  const { buckets, pass } = startBuckets(1, 10);
  buckets.take("a", 10);
  for (let round = 0; round < 100; round += 1) buckets.take("a", 10);
  pass(10);
  expect(buckets.take("a", 10)).toBe(0);
});

test("the memory is bounded: the key used longest ago is forgotten", () => {
  const { buckets } = startBuckets(1, 1);
  buckets.take("first", 1);
  buckets.take("second", 1);
  for (let key = 0; key < 9_999; key += 1) buckets.take(`k${key}`, 1);
  expect(buckets.size).toBe(10_000);
  expect(buckets.take("second", 1)).toBe(1);
  expect(buckets.take("first", 1)).toBe(0);
});

test("without a rate everything is allowed", () => {
  const { buckets } = startBuckets(0, 0);
  expect(buckets.take("a", 1e9)).toBe(0);
});
