import { expect, test } from "vitest";
import { namePrefixPattern } from "#base/kernel/name-prefix";

test("each letter of a prefix stands for its cases, and other characters for themselves", () => {
  expect(namePrefixPattern("a.É")).toBe("^[\\U00000061\\U00000041]\\U0000002e[\\U000000c9\\U000000e9]");
});

test("a letter whose other case is two letters stands for itself", () => {
  expect(namePrefixPattern("ß")).toBe("^\\U000000df");
});
