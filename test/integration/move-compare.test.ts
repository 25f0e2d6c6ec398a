/** Comparing both sides of a move on real servers: in a mixed run of two versions. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { type Comparison, type CompareSides, withComparison } from "../../src/engine/moves/compare.ts";
import { copyTables } from "../../src/engine/moves/copy-tables.ts";
import { AUDIT_TABLE } from "../../src/engine/moves/moved-tables.ts";
import { addEntries, openTwoSides, type TestSide, type TwoSides } from "../support/two-sides.ts";

// The id comes behind a value of any length in one of them.
const SCHEMA = `
  create table app.samples (
    id uuid primary key default tenantry.new_id(), organization_id uuid not null,
    label text, weight float8, ratio float4, price numeric, cost money, at timestamptz, moment timestamp, span interval, raw bytea,
    said json, known jsonb, marks text[], words tsvector, twice text generated always as (label || label) stored
  );
  select tenantry.tenant_table('app.samples');
  create table app.lines (
    body text, organization_id uuid not null, id uuid not null, size int not null default 0, primary key (organization_id, id)
  );
  select tenantry.tenant_table('app.lines');
  create table app.empties (id uuid primary key, organization_id uuid not null);
  select tenantry.tenant_table('app.empties');`;

const never = new AbortController().signal;
let sides: TwoSides;
/** Of the lines, in their order. */
let lines: string[];

beforeAll(async () => {
  sides = await openTwoSides(SCHEMA);
  const { from, moved, id } = sides;
  await from.run(
    `insert into app.samples (id, organization_id, label, weight, ratio, price, cost, at, moment, span, raw, said, known, marks, words)
     values ($1, $3, 'one', 0.1::float8 + 0.2, 1e-7, 'NaN', '-1234.56', '2021-03-04 05:06:07.89+00', '0044-03-15 12:00 BC',
       '1 year 2 mons -3 days', '\\x00ff5c', '{"b" : 1,  "a":[ ]}', '{"b":1,"a":2}', array['x', null, 'a,"b"'], 'a fat cat'),
       ($2, $3, repeat(md5('x'), 100000), 'Infinity', '-0', 1e100, null, 'infinity', null, null, decode(repeat('00ff', 500000), 'hex'),
       null, null, null, null)`,
    [id(), id(), moved.organizationId],
  );
  lines = Array.from({ length: 23_000 }, id).toSorted();
  await from.run(
    "insert into app.lines (id, organization_id, body) select one, $2, 'line ' || one from unnest($1::uuid[]) as one",
    [lines, moved.organizationId],
  );
  await from.run(
    "insert into app.lines (id, organization_id) select gen_random_uuid(), gen_random_uuid() from generate_series(1, 100)",
  );
  await addEntries(sides, 300);
}, 60_000);
beforeEach(async () => {
  await copyTables(sides.from, sides.to, sides.moved, sides.tables, { done: [], signal: never });
}, 60_000);
afterAll(() => sides[Symbol.asyncDispose]());

/** What the stream would do: brings the target to where the source is, for rows that somebody changed there meanwhile. */
async function carry(ids: readonly string[]): Promise<void> {
  const rows = await sides.from.run("select id, organization_id, body, size from app.lines where id = any($1)", [ids]);
  await sides.to.run("delete from app.lines where id = any($1)", [ids]);
  for (const { id, organization_id: organization, body, size } of rows)
    await sides.to.run("insert into app.lines (id, organization_id, body, size) values ($1, $2, $3, $4)", [
      id,
      organization,
      body,
      size,
    ]);
}

const compare = <Result>(work: (comparison: Comparison) => Promise<Result>, options: Partial<CompareSides> = {}) => {
  const { from, to, moved, tables, publication } = sides;
  const reached = () => Promise.resolve();
  return withComparison(from, to, { moved, tables, publication, reached, signal: never, ...options }, work);
};
const compared = (options: Partial<CompareSides> = {}) =>
  compare(async (comparison) => {
    const totals = await comparison.compareAll();
    return { totals, differences: await comparison.finish() };
  }, options);
const slots = () => sides.from.run("select from pg_replication_slots where starts_with(slot_name, 'moved_')");

test("what was copied is the same, and the receipt says how much it is", async () => {
  const { totals, differences } = await compared();
  expect(differences).toEqual([]);
  const checksum = expect.stringMatching(/^[1-9]\d*$/);
  expect(totals).toEqual([
    { table: "app.samples", rows: 2, checksum },
    { table: "app.lines", rows: 23_000, checksum },
    { table: "app.empties", rows: 0, checksum: "0" },
    { table: AUDIT_TABLE, rows: 300, checksum },
  ]);
  const other = await compare((comparison) => comparison.compareAll());
  expect(other).toEqual(totals);
  expect(await slots()).toEqual([]);
});

describe("a difference is found", () => {
  const at = (index: number) => lines[index] ?? "";

  test.each([
    ["a float's last digit", "weight = 0.3"],
    ["a float4", "ratio = 1.0000001e-7"],
    ["the sign of zero", "ratio = '0' where ratio = '-0'::float4 and ratio::text = '-0'"],
    ["a numeric's scale", "price = 1.0e100::numeric(200, 1) where length(label) > 3"],
    ["money", "cost = '-1234.57'"],
    ["a microsecond", "at = '2021-03-04 05:06:07.890001+00' where isfinite(at)"],
    ["a moment without a zone", "moment = '0043-03-15 12:00 BC'"],
    ["an interval of the same length", "span = '14 mons -3 days 00:00:00.000001'"],
    ["a byte", "raw = '\\x00ff5d' where length(raw) = 3"],
    ["a byte far inside of a large value", "raw = set_byte(raw, 999999, 1) where length(raw) > 3"],
    ["a character of a large text", "label = overlay(label placing '!' from 3000000) where length(label) > 3"],
    ["white space in json", `said = '{"b":1,"a":[]}'`],
    ["a value in jsonb", `known = '{"b":1,"a":3}'`],
    ["null in place of an empty text", "label = null where label = 'one'"],
    ["an element", "marks = array['x', '', 'a,\"b\"']"],
    ["a position in a text vector", "words = 'a cat fat:2'"],
  ])("%s", async (_, change) => {
    const where = change.includes(" where ") ? "" : " where label = 'one'";
    expect(await sides.to.run(`update app.samples set ${change}${where} returning id`)).toHaveLength(1);
    const [difference, ...others] = (await compared()).differences;
    expect(others).toEqual([]);
    expect(difference).toMatchObject({ table: "app.samples", rows: { from: 1, to: 1 } });
    expect(difference?.fromId).toBe(difference?.toId);
  });

  test.each([
    ["the first", 0],
    ["one at the end of a range", 4_999],
    ["one in the middle", 12_345],
    ["the last", 22_999],
  ])("a row is missing: %s", async (_, index) => {
    await sides.to.run("delete from app.lines where id = $1", [at(index)]);
    expect((await compared()).differences).toEqual([
      { table: "app.lines", fromId: at(index), toId: at(index), rows: { from: 1, to: 0 }, ids: [at(index)] },
    ]);
  });

  test("a row too many, of which the source knows nothing, and one behind all others", async () => {
    const [surplus, last] = [`${at(100).slice(0, -1)}${at(100).endsWith("0") ? "1" : "0"}`, `ff${at(0).slice(2)}`];
    for (const id of [surplus, last])
      await sides.to.run("insert into app.lines (id, organization_id) values ($1, $2)", [
        id,
        sides.moved.organizationId,
      ]);
    expect((await compared()).differences).toEqual([
      { table: "app.lines", fromId: surplus, toId: last, rows: { from: 0, to: 2 }, ids: [surplus, last] },
    ]);
  });

  test("a row in a table that is empty in the source, and entries of the audit log", async () => {
    const id = sides.id();
    await sides.to.run("insert into app.empties (id, organization_id) values ($1, $2)", [
      id,
      sides.moved.organizationId,
    ]);
    await sides.to.run("alter table tenantry.audit_log disable trigger append_only");
    await sides.to.run(
      "update tenantry.audit_log set xact = '1' where id = (select id from tenantry.audit_log order by id limit 1)",
    );
    await sides.to.run("alter table tenantry.audit_log enable always trigger append_only");
    expect((await compared()).differences).toMatchObject([
      { table: "app.empties", rows: { from: 0, to: 1 }, ids: [id] },
      { table: AUDIT_TABLE, rows: { from: 1, to: 1 } },
    ]);
  });

  test("a row under another database's number is missing", async () => {
    await sides.to.run("update app.lines set database_id = 3 where id = $1", [at(7)]);
    expect((await compared()).differences).toMatchObject([
      { table: "app.lines", rows: { from: 1, to: 0 }, ids: [at(7)] },
    ]);
  });

  test("very many rows end it, with a name for the place", async () => {
    await sides.to.run("delete from app.lines where id > $1", [at(1_000)]);
    await expect(compared()).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringMatching(
        /^The target does not have what the source has: in app\.lines rows between \S+ and \S+ differ/,
      ),
    });
    expect(await slots()).toEqual([]);
  });
});

describe("while the source is written to", () => {
  const at = (index: number) => lines[index] ?? "";
  const change = async () => {
    await sides.from.run("update app.lines set size = size + 1 where id = any($1)", [[at(1), at(22_000)]]);
    await sides.from.run("update app.lines set body = repeat('long ', 20000) where id = $1", [at(3)]);
  };

  test("rows that arrive in time are no differences, and need no look in the hold", async () => {
    const changed = [at(1), at(3), at(22_000)];
    const disarm = armFailpoint("moves.comparing", change);
    await compare(
      async (comparison) => {
        await comparison.compareAll();
        disarm();
        expect(await comparison.settle()).toBe(0);
        // Late: it is there in the hold.
        await sides.from.run("update app.lines set size = 99 where id = $1", [at(5)]);
        expect(await comparison.settle()).toBe(0);
        await sides.from.run("update app.lines set size = 100 where id = $1", [at(5)]);
        await carry([at(5)]);
        expect(await comparison.finish()).toEqual([]);
      },
      { reached: () => carry([...changed, at(5)]) },
    );
  });

  test("what was late while all was compared is looked at again", async () => {
    await sides.from.run("update app.lines set size = 7 where id = $1", [at(9)]);
    await compare(async (comparison) => {
      await comparison.compareAll();
      expect(comparison.pending).toBe(1);
      await carry([at(9)]);
      expect(await comparison.settle()).toBe(0);
    });
  });

  test("what never arrives is a difference: a change, a deletion, a row under another id", async () => {
    const renamed = sides.id();
    await compare(async (comparison) => {
      await comparison.compareAll();
      expect(comparison.pending).toBe(0);
      await sides.from.run("update app.lines set size = 1 where id = $1", [at(11)]);
      await sides.from.run("delete from app.lines where id = $1", [at(12)]);
      await sides.from.run("update app.lines set id = $2 where id = $1", [at(13), renamed]);
      // Of nobody's who moves.
      await sides.from.run("update app.lines set size = 1 where organization_id <> $1", [sides.moved.organizationId]);
      const expected = [at(11), at(12), at(13), renamed].toSorted();
      expect(await comparison.settle()).toBe(4);
      expect(await comparison.finish()).toMatchObject([
        { table: "app.lines", rows: { from: 2, to: 3 }, ids: expected },
      ]);
      await carry(expected);
      expect(await comparison.finish()).toEqual([]);
    });
    lines = lines
      .map((id) => (id === at(13) ? renamed : id))
      .filter((id) => id !== at(12))
      .toSorted();
  });

  test("very many rows that change at once are late and no more", async () => {
    let turns = 0;
    await compare(
      async (comparison) => {
        await comparison.compareAll();
        await sides.from.run("update app.lines set size = 5");
        expect(await comparison.settle()).toBeGreaterThan(20_000);
        await copyTables(sides.from, sides.to, sides.moved, sides.tables, { done: [], signal: never });
        expect(await comparison.finish()).toEqual([]);
      },
      {
        // Once everything is changed again behind its back.
        reached: async () => {
          turns += 1;
          if (turns === 2) await sides.from.run("update app.lines set size = 6");
        },
      },
    );
  }, 60_000);
});

test("a source in which a transaction stays open says why it waits", async () => {
  const { from } = sides as { from: TestSide };
  await from.database.session(async (session) => {
    await session.script("test.begin", "begin; select pg_current_xact_id()");
    await expect(compared()).rejects.toMatchObject({
      code: "NOT_SYNCED",
      message: expect.stringMatching(/^A transaction on the source's server stays open/),
    });
    await session.script("test.end", "rollback");
  });
}, 60_000);
