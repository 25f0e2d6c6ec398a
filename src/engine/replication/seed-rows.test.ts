import { expect, test } from "vitest";
import type { Queryable } from "#base/postgres/database";
import type { PublishedTable } from "#engine/replication/link";
import { APP_FLOWS } from "../../../test/support/flows.ts";
import {
  type Batch,
  type Place,
  SEED_BOUNDS,
  type SeedBounds,
  SeedReader,
  type TextRow,
} from "#engine/replication/seed-rows";

const [TABLE] = APP_FLOWS.catalog.slice(0, 1) as [PublishedTable];

/** A server that gives these answers, and its last one for ever. */
async function readAll(answers: object[], bounds: Partial<SeedBounds> = {}) {
  let asked = 0;
  const source: Queryable<"tenant"> = {
    kind: "tenant",
    query: async <Row extends object>() => {
      const answer = answers[Math.min(asked, answers.length - 1)];
      asked += 1;
      return (answer === undefined ? [] : [answer]) as Row[];
    },
  };
  const count = { rows: 0, bytes: 0, startedAt: performance.now() };
  const rows: TextRow[] = [];
  const reader = new SeedReader(source, TABLE, 1, count, { ...SEED_BOUNDS, ...bounds });
  for (let next: Place | undefined = []; next !== undefined; ) {
    const batch: Batch = await reader.rows(next);
    rows.push(...batch.rows);
    ({ next } = batch);
  }
  return { rows, asked, count };
}

const ROW = ["1", "id", "organization", "name", null, "moment", "moment"];
const answer = (rows: unknown, more = false) => ({ rows: JSON.stringify(rows), more });

test("rows come as they were sent, batch by batch", async () => {
  const { rows, asked, count } = await readAll([answer([ROW, ROW], true), answer([ROW])]);
  expect(rows).toEqual([ROW, ROW, ROW]);
  expect({ asked, rows: count.rows }).toEqual({ asked: 2, rows: 3 });
  expect(count.bytes).toBe(Buffer.byteLength(JSON.stringify([ROW, ROW])) + Buffer.byteLength(JSON.stringify([ROW])));
});

test.each([
  ["no row at all", {}],
  ["no text", { rows: [ROW], more: false }],
  ["no JSON", { rows: '[["1"', more: false }],
  ["text behind the JSON", { rows: `${JSON.stringify([ROW])} []`, more: false }],
  ["no list", answer({ 0: ROW })],
  ["rows that are none", answer([null])],
  ["too few values", answer([ROW.slice(1)])],
  ["too many values", answer([[...ROW, "more"]])],
  ["a number in place of a text", answer([[1, ...ROW.slice(1)]])],
  ["an object in place of a text", answer([[{}, ...ROW.slice(1)]])],
  ["more rows than were asked for", answer(Array.from({ length: SEED_BOUNDS.batchRows + 1 }, () => ROW))],
  ["a text that is too long", answer([[...ROW.slice(1), "x".repeat(6 * 1024 * 1024)]])],
])("an answer with %s is refused in a sentence that does not repeat it", async (_, bad) => {
  await expect(readAll([bad])).rejects.toMatchObject({
    code: "REGION_UNAVAILABLE",
    message: "the publisher's server answered with something else than rows",
  });
});

test.each([
  ["no digest", { rows: 1, last: '[["id"]]' }],
  ["no last key", { rows: 1, digest: "x" }],
  ["a last key of too many parts", { rows: 1, digest: "x", last: '[["id", "more"]]' }],
  ["a count that is a text", { rows: "1", digest: "x", last: '[["id"]]' }],
  ["a count below zero", { rows: -1, digest: "x", last: '[["id"]]' }],
  ["a count of more than a batch", { rows: SEED_BOUNDS.batchRows + 1, digest: "x", last: '[["id"]]' }],
])("a digest with %s is refused", async (_, bad) => {
  const source = { kind: "tenant", query: async () => [bad] } as unknown as Queryable<"tenant">;
  const reader = new SeedReader(source, TABLE, 1, { rows: 0, bytes: 0, startedAt: performance.now() });
  await expect(reader.digest([])).rejects.toMatchObject({ code: "REGION_UNAVAILABLE" });
});

test("what PostgreSQL cannot store goes as null", async () => {
  const { rows } = await readAll([answer([["1", "id", "organization", "nul\0", "\ud800", "moment", "moment"]])]);
  expect(rows).toEqual([["1", "id", "organization", null, null, "moment", "moment"]]);
});

test("a server that always has more is not listened to for ever", async () => {
  const endless = answer(
    Array.from({ length: SEED_BOUNDS.batchRows }, () => ROW),
    true,
  );
  await expect(readAll([endless], { rows: 5_000 })).rejects.toMatchObject({
    code: "LIMIT_EXCEEDED",
    message: "a copy may have 5,000 rows and 1,024 MB, and there are more",
  });
  await expect(readAll([endless], { bytes: 1024 * 1024 })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  await expect(readAll([endless], { totalMs: -1 })).rejects.toMatchObject({
    message: "a server took too long to send its rows or to take them",
  });
  // One that says there is more and sends nothing has ended.
  expect(await readAll([answer([], true)])).toMatchObject({ rows: [], asked: 1 });
});
