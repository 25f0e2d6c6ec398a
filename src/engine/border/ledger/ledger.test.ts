import fc from "fast-check";
import { expect, test } from "vitest";
import { type Crossing, CrossingSums, MAX_SUMS } from "./crossings.ts";
import {
  MAX_REFUSALS_A_MINUTE,
  MAX_SENTENCE_LENGTH,
  type Refusal,
  REFUSAL_CODES,
  RefusalBook,
  type RefusalEntry,
} from "./refusals.ts";

const NOON = Date.UTC(2026, 0, 31, 12);
const MINUTE_MS = 60_000;
const link: Crossing = {
  databaseId: 7,
  direction: "catalog",
  regionId: "019b0000-0000-7000-8000-000000000000",
  regionKey: "eu",
  table: "resources",
  way: "stream",
};
const attempts = (entries: readonly RefusalEntry[]) => entries.reduce((sum, entry) => sum + entry.attempts, 0);
const stranger = (n: number): Refusal => ({
  address: `2001:db8::${n.toString(16)}`,
  code: "unknown-user",
  sentence: "No link has this name.",
});

test("what crossed on a link is one sum a day, table and way", () => {
  const sums = new CrossingSums();
  sums.add(link, 1, 10, NOON);
  sums.add(link, 2, 20, NOON + 1);
  sums.add({ ...link, way: "seed" }, 4, 40, NOON);
  sums.add({ ...link, table: "notes" }, 8, 80, NOON);
  sums.add({ ...link, databaseId: 8 }, 16, 160, NOON);
  sums.add({ ...link, direction: "directory" }, 32, 320, NOON);
  sums.add(link, 64, 640, NOON + 12 * 60 * MINUTE_MS);
  const taken = sums.take();
  expect(taken.map(({ rows, bytes }) => [rows, bytes])).toEqual([
    [3, 30],
    [4, 40],
    [8, 80],
    [16, 160],
    [32, 320],
    [64, 640],
  ]);
  expect(taken[0]).toMatchObject({ firstAt: NOON, lastAt: NOON + 1 });
  expect(taken.at(-1)?.day).toBe((taken[0]?.day ?? 0) + 1);
  expect(sums.isEmpty).toBe(true);
});

test("sums that are taken back are added to what crossed since", () => {
  const sums = new CrossingSums();
  sums.add(link, 1, 10, NOON);
  const taken = sums.take();
  sums.add(link, 2, 20, NOON + 5);
  sums.giveBack(taken);
  expect(sums.take()).toMatchObject([{ rows: 3, bytes: 30, firstAt: NOON, lastAt: NOON + 5 }]);
});

test("so many sums are held and no more, and those that are held go on growing", () => {
  const sums = new CrossingSums();
  for (let databaseId = 1; databaseId <= MAX_SUMS; databaseId += 1)
    expect(sums.add({ ...link, databaseId }, 1, 1, NOON)).toBe(true);
  expect(sums.add({ ...link, databaseId: MAX_SUMS + 1 }, 1, 1, NOON)).toBe(false);
  expect(sums.add(link, 1, 1, NOON)).toBe(true);
  const taken = sums.take();
  expect(taken).toHaveLength(MAX_SUMS);
  expect(taken.find(({ databaseId }) => databaseId === link.databaseId)?.rows).toBe(2);
});

test.each([
  ["rows below zero", link, -1, 0],
  ["half a row", link, 0.5, 0],
  ["no number of bytes", link, 0, Number.NaN],
  ["home's number", { ...link, databaseId: 0 }, 1, 1],
  ["a number that is no integer of PostgreSQL", { ...link, databaseId: 2 ** 31 }, 1, 1],
  ["no table", { ...link, table: "" }, 1, 1],
  ["a table's name that is too long", { ...link, table: "t".repeat(64) }, 1, 1],
  ["a table's name with NUL", { ...link, table: "t\0" }, 1, 1],
  ["no region's id", { ...link, regionId: "eu" }, 1, 1],
  ["no region's key", { ...link, regionKey: "" }, 1, 1],
])("what no ledger can hold is refused and leaves nothing behind: %s", (_, crossing, rows, bytes) => {
  const sums = new CrossingSums();
  expect(() => sums.add(crossing, rows, bytes, NOON)).toThrow(RangeError);
  expect(sums.isEmpty).toBe(true);
});

test("attempts of one kind from one address are one entry, with the words of the first", () => {
  const book = new RefusalBook();
  const attempt: Refusal = { ...stranger(1), user: "root" };
  expect(book.add(attempt, NOON)).toMatchObject({ user: "root", attempts: 1 });
  expect(book.add({ ...attempt, user: "admin", sentence: "Another." }, NOON + 9)).toBeUndefined();
  expect(book.add({ ...attempt, code: "too-many" }, NOON)).toBeDefined();
  expect(book.add({ ...attempt, databaseId: 7 }, NOON)).toBeDefined();
  expect(book.add({ ...attempt, databaseId: 7, direction: "catalog" }, NOON)).toBeDefined();
  const taken = book.take(NOON + 10, false);
  expect(taken).toHaveLength(4);
  expect(taken).toContainEqual(
    expect.objectContaining({ attempts: 2, user: "root", sentence: attempt.sentence, lastAt: NOON + 9 }),
  );
});

/** Takes what is due as often as a ledger does, and returns how many entries that were in each minute. */
function flood(book: RefusalBook, minutes: number, add: (second: number) => void): { entries: number[]; sum: number } {
  const entries: number[] = [];
  let sum = 0;
  for (let minute = 0; minute < minutes; minute += 1) {
    let count = 0;
    for (let second = 0; second < 60; second += 5) {
      add(minute * 60 + second);
      const taken = book.take(NOON + (minute * 60 + second) * 1_000 + 999, false);
      count += taken.length;
      sum += attempts(taken);
    }
    entries.push(count);
  }
  return { entries, sum: sum + attempts(book.take(NOON, true)) };
}

test("a flood of every kind fills no minute beyond the bound, and every attempt is counted", () => {
  const book = new RefusalBook();
  let made = 0;
  const { entries, sum } = flood(book, 4, (second) => {
    for (let n = 0; n < 200; n += 1) {
      const code = REFUSAL_CODES[n % REFUSAL_CODES.length] ?? "malformed";
      book.add({ ...stranger(made), code }, NOON + second * 1_000);
      made += 1;
    }
  });
  expect(Math.max(...entries)).toBeLessThanOrEqual(MAX_REFUSALS_A_MINUTE);
  // Also in the middle of it: the attempts beyond the bound are not held back for as long as it lasts.
  expect(Math.min(...entries.slice(1))).toBe(MAX_REFUSALS_A_MINUTE);
  expect(sum).toBe(made);
});

test("strangers cannot hide what a link attempts", () => {
  const book = new RefusalBook();
  for (let n = 0; n < 1_000; n += 1) book.add(stranger(n), NOON);
  const attempt: Refusal = { databaseId: 7, direction: "catalog", code: "table-not-listed", sentence: "api_keys" };
  expect(book.add(attempt, NOON)).toMatchObject({ databaseId: 7, sentence: "api_keys" });
  const malformed: Refusal = { ...attempt, code: "malformed", sentence: "A text was sent that is not UTF-8." };
  expect(book.add(malformed, NOON)).toMatchObject({ databaseId: 7, sentence: malformed.sentence });
  expect(book.take(NOON, false)).toContainEqual(expect.objectContaining({ code: "table-not-listed", databaseId: 7 }));
});

test("what home does not take is held within the bound, and every attempt of it is counted", () => {
  const book = new RefusalBook();
  for (let minute = 0; minute < 5; minute += 1) {
    for (let n = 0; n < 500; n += 1) book.add(stranger(minute * 500 + n), NOON + minute * MINUTE_MS);
    const taken = book.take(NOON + minute * MINUTE_MS, false);
    expect(taken.length).toBeLessThanOrEqual(MAX_REFUSALS_A_MINUTE);
    // More are made while it is being written.
    for (let n = 0; n < 100; n += 1) book.add(stranger(9_000 + n), NOON + minute * MINUTE_MS + 1);
    book.giveBack(taken);
  }
  const rest = book.take(NOON, true);
  expect(rest.length).toBeLessThanOrEqual(MAX_REFUSALS_A_MINUTE);
  expect(attempts(rest)).toBe(5 * 600);
});

test("a clock that is set back keeps no attempt from being listed", () => {
  const book = new RefusalBook();
  const anHourBack = NOON - 60 * MINUTE_MS;
  for (let n = 0; n < 1_000; n += 1) book.add(stranger(n), NOON);
  expect(attempts(book.take(anHourBack, false))).toBe(1_000);
  expect(book.add(stranger(1_000), anHourBack)).toMatchObject({ address: stranger(1_000).address });
});

test("whatever an attempt is made with becomes what home stores", () => {
  const text = fc.string({ unit: "binary", maxLength: 700 });
  fc.assert(
    fc.property(text, text, text, fc.double(), (address, user, sentence, databaseId) => {
      const entry = new RefusalBook().add({ address, user, sentence, databaseId, code: "malformed" }, NOON);
      expect(entry?.user ?? "none").toMatch(/^[\x20-\x7e]{1,63}$/);
      expect(entry?.sentence).toMatch(/^[\x20-\x7e]+$/);
      expect(entry?.sentence.length).toBeLessThanOrEqual(MAX_SENTENCE_LENGTH);
      expect(entry?.databaseId === null || (entry?.databaseId ?? 0) > 0).toBe(true);
    }),
  );
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["fe80::1%eth0", "fe80::1"],
  ["/run/socket", null],
  ["192.0.2.1\n", null],
])("the address %j is kept as %j", (address, kept) => {
  expect(new RefusalBook().add({ address, code: "malformed", sentence: "A" }, NOON)?.address).toBe(kept);
});
