import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedMap } from "#base/kernel/bounded-map";

test("a full map forgets what was set longest ago", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  expect(map.size).toBe(2);
  expect(map.has("b")).toBe(false);
  expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([3, undefined, 4]);
});

const KEYS = 6;
const act = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("set"), key: fc.nat(KEYS) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete"), key: fc.nat(KEYS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear"), key: fc.constant(0) }) },
);

test("whatever is done to it, it keeps the latest keys", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(act, { maxLength: 200 }), (max, acts) => {
      const map = new BoundedMap<number, number>(max);
      let kept: { key: number; value: number }[] = [];
      for (const [value, { kind, key }] of acts.entries()) {
        if (kind !== "clear") kept = kept.filter((one) => one.key !== key);
        if (kind === "set") {
          map.set(key, value);
          kept = [...kept, { key, value }].slice(-max);
        } else if (kind === "delete") map.delete(key);
        else {
          map.clear();
          kept = [];
        }
        expect(map.size).toBe(kept.length);
        for (let other = 0; other <= KEYS; other += 1)
          expect(map.get(other)).toBe(kept.find((one) => one.key === other)?.value);
      }
    }),
  );
});
