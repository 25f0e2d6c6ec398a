import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openRegularFile, readRegularFile } from "#base/kernel/regular-file";

const folder = mkdtempSync(join(tmpdir(), "tenantry-regular-file-"));
const path = (name: string) => join(folder, name);
execFileSync("mkfifo", [path("pipe")]);
writeFileSync(path("short"), "é".repeat(50_000));
writeFileSync(path("long"), "x".repeat(100_001));
afterAll(() => rmSync(folder, { recursive: true }));

it("reads a regular file up to the bound", () => {
  expect(readRegularFile(path("short"), 100_000)).toBe("é".repeat(50_000));
});

it.runIf(process.platform === "linux")("reads a file that does not say how long it is", () => {
  expect(readRegularFile("/proc/self/status", 100_000)).toContain("Name:");
});

it.each([
  ["longer than the bound", () => path("long"), "longer than 100,000 bytes"],
  ["a pipe that nobody writes to", () => path("pipe"), "not a regular file"],
  ["a device that never ends", () => "/dev/zero", "not a regular file"],
  ["a folder", () => folder, "not a regular file"],
  ["missing", () => path("missing"), "ENOENT"],
])("a file that is %s is refused, and nobody waits for it", (_, file, words) => {
  expect(() => readRegularFile(file(), 100_000)).toThrow(words);
});

it("what is not a regular file is not opened to be read in pieces", async () => {
  const handle = await openRegularFile(path("long"));
  await handle.close();
  for (const other of [path("pipe"), "/dev/zero", folder])
    await expect(openRegularFile(other)).rejects.toThrow("not a regular file");
});
