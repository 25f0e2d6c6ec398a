import { closeSync, mkdtempSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLog, readLog, rotate } from "#embedded/server-log";

test("a log that grew too large begins anew while the server writes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tenantry-log-"));
  const file = join(folder, "home.log");
  const { descriptor } = openLog(file);
  writeSync(descriptor, "old line\n");
  await rotate(file, 100);
  expect(readFileSync(file, "utf8")).toBe("old line\n");
  await rotate(file, 5);
  writeSync(descriptor, "new line\n");
  expect(readFileSync(file, "utf8")).toBe("new line\n");
  expect(readFileSync(`${file}.1`, "utf8")).toBe("old line\n");
  const { descriptor: again, offset } = openLog(file);
  writeSync(again, "newest line\n");
  expect(readLog(file, offset)).toBe("newest line\n");
  closeSync(descriptor);
  closeSync(again);
  rmSync(folder, { recursive: true });
});
