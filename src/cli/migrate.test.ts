import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { describePlan, describeReport } from "#cli/migrate";
import { formatProgress } from "#cli/progress-bar";

const database = (id: number, version: number) => ({
  id,
  name: `db_${id}`,
  regionKey: "eu",
  version: { engine: 1, app: version - 1 },
  migratingTo: null,
});
const plain = (lines: string[]) => lines.map(stripVTControlCharacters);

test("a plan is printed in the order in which it is carried out", () => {
  const lines = describePlan({
    target: { engine: 1, app: 2 },
    canaries: [database(1, 2)],
    waves: [[database(2, 1)], [database(3, 2)]],
    skipped: [
      { database: database(4, 3), reason: "up-to-date" },
      { database: database(5, 9), reason: "newer" },
    ],
  });
  expect(plain(lines)).toEqual([
    "Schema version 3: 3 tenant databases to migrate",
    "  canaries: 1",
    "    eu db_1: 2 → 3",
    "  wave 1: 1",
    "    eu db_2: 1 → 3",
    "  wave 2: 1",
    "    eu db_3: 2 → 3",
    "  left out, up to date: 1",
    "  left out, newer than this program: start the newer program: 1",
  ]);
});

test("a report names what failed, and how to go on", () => {
  const report = { target: 3, migrated: 2, verified: 0, upToDate: 1, refused: [], drifted: [], left: 0, stopped: null };
  expect(plain(describeReport({ ...report, failed: [], seconds: 1.25 }))).toEqual([
    "✓ Schema version 3: 2 migrated, 1 up to date; 1.3 s",
  ]);
  const failed = [{ database: "db_7", region: "eu", reason: "No space." }];
  expect(plain(describeReport({ ...report, failed, left: 4, stopped: "Enough.", seconds: 2 }))).toEqual([
    "  eu db_7: No space.",
    "Enough.",
    "✗ Schema version 3: 2 migrated, 1 up to date, 1 failed, 4 not begun; 2.0 s",
    "Run tenantry migrate again to go on.",
  ]);
});

test("progress shows how many, how fast and how long", () => {
  const progress = { due: 200, done: 99, failed: 1, deferred: 2, perSecond: 1, secondsLeft: 99.2 };
  expect(formatProgress(progress)).toBe(
    `${"█".repeat(15)}${"░".repeat(15)}  100/200  1.0/s  1 min 40 s left  1 failed  2 put off`,
  );
  expect(formatProgress({ ...progress, failed: 0, deferred: 0, secondsLeft: undefined })).not.toContain("left");
});
