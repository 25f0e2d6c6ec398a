import { expect, test } from "vitest";
import type { Queryable } from "#base/postgres/database";
import { readServerHistory } from "#base/postgres/server-history";

const read = (row: object) =>
  readServerHistory({ kind: "server", query: () => Promise.resolve([row]) } as unknown as Queryable<"server">);
const GOOD = { history: "7563411283765421234/0000000A", timeline: "0000000A", flushed: "0/10" };

test("the history is taken as the server made it", async () => {
  expect(await read(GOOD)).toEqual({ ...GOOD, flushed: 16n });
});

test.each([
  { history: "<script>/0000000A" },
  { history: `${"7".repeat(30)}/0000000A` },
  { history: `${GOOD.history}\n` },
  { history: 7 },
  { history: [GOOD.history] },
  { timeline: "0000000B" },
  { timeline: "<script>" },
])("%j is no history, and nothing of it is repeated", async (part) => {
  await expect(read({ ...GOOD, ...part })).rejects.toMatchObject({
    code: "REGION_UNAVAILABLE",
    message: "the server answered with something else than its history",
  });
});
