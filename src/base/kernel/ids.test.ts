import fc from "fast-check";
import { expect, test } from "vitest";
import { isUuid, MAX_PLACEMENT_NUMBER, newId, newRoutedId, placementNumberOf } from "#base/kernel/ids";

test("an id gives back the placement number it was made with", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_PLACEMENT_NUMBER }), (number) => {
      const id = newRoutedId(number);
      expect(isUuid(id)).toBe(true);
      expect(id[14]).toBe("7");
      expect(placementNumberOf(id)).toBe(number);
    }),
  );
});

test("a number outside 24 bits is refused", () => {
  expect(() => newRoutedId(MAX_PLACEMENT_NUMBER + 1)).toThrow(RangeError);
  expect(() => newRoutedId(-1)).toThrow(RangeError);
});

test("ids carry the time of their making and do not repeat", () => {
  const before = Date.now();
  const ids = [newId(), ...Array.from({ length: 5000 }, () => newRoutedId(7))];
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    const time = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after + 1);
  }
});

test("only UUIDs pass as ids", () => {
  expect(isUuid("0190f0e4-5b8a-7c3d-8e2f-aabbccddeeff")).toBe(true);
  for (const text of [
    "",
    "x",
    "0190f0e45b8a7c3d8e2faabbccddeeff",
    "0190f0e4-5b8a-7c3d-8e2f-aabbccddeef",
    "' or 1=1 --",
  ])
    expect(isUuid(text)).toBe(false);
});
