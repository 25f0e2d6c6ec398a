import { expect, test } from "vitest";
import { describeLines, fingerprintIn } from "#engine/migrations/fingerprint";

const STRANGE: unknown = expect.objectContaining({ code: "REGION_UNAVAILABLE" });
const line = (text: string) => JSON.stringify(["table", "", "t", text]);

test("a schema of more lines, or longer ones, than any of ours has is refused", () => {
  expect(describeLines([line("")]).facts).toHaveLength(1);
  expect(() => describeLines(Array.from({ length: 50_001 }, () => line("")))).toThrow(STRANGE);
  expect(() => describeLines([line("x".repeat(8_000_000))])).toThrow(STRANGE);
});

test("what is no hash is no fingerprint", () => {
  const hash = "0".repeat(64);
  expect(fingerprintIn([[{ fingerprint: hash }]])).toBe(hash);
  for (const fingerprint of ["", `${hash}0`, "x".repeat(1_000_000)])
    expect(() => fingerprintIn([[{ fingerprint }]])).toThrow(STRANGE);
});
