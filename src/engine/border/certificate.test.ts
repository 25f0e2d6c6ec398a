import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Certificate } from "#engine/border/certificate";

const folder = mkdtempSync(join(tmpdir(), "tenantry-certificate-"));
const path = (name: string) => join(folder, name);
execFileSync("mkfifo", [path("pipe")]);
writeFileSync(path("long"), "x".repeat(1024 * 1024 + 1));
writeFileSync(path("short"), "");
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["a pipe that nobody writes to", () => path("pipe"), "not a regular file"],
  ["a device that never ends", () => "/dev/zero", "not a regular file"],
  ["too long", () => path("long"), "longer than 1,048,576 bytes"],
  ["missing", () => path("missing"), "ENOENT"],
])("a file that is %s is refused by its name, and nobody waits for it", async (_, file, reason) => {
  const message = new RegExp(`^${file()} cannot be read as a certificate or a key: .*${reason}`);
  await expect(Certificate.load({ certFile: file(), keyFile: path("short") })).rejects.toThrow(message);
  await expect(Certificate.load({ certFile: path("short"), keyFile: file() })).rejects.toThrow(message);
});
