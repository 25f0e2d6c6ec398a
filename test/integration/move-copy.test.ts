/** The copy of a move on real servers: in a mixed run of two versions. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { type CopyTables, copyTables, TRIGGERS_FIRE } from "../../src/engine/moves/copy-tables.ts";
import { AUDIT_TABLE } from "../../src/engine/moves/moved-tables.ts";
import { findSequences, setSequences } from "../../src/engine/moves/sequences.ts";
import { addEntries, openTwoSides, type TwoSides } from "../support/two-sides.ts";

const SCHEMA = `
  create type app.mood as enum ('glad', 'sad');
  create table app.things (
    id uuid primary key default tenantry.new_id(),
    organization_id uuid not null,
    label text not null,
    twice text generated always as (label || label) stored,
    weight float8, ratio float4, price numeric, cost money, at timestamptz, day date, span interval, raw bytea,
    said json, known jsonb, marks text[], mood app.mood, years int4range, address inet, flag boolean, code char(5), doc xml
  );
  select tenantry.tenant_table('app.things');
  select tenantry.catalog('app.things', '{label}');
  create table app.parts (
    id uuid not null, organization_id uuid not null, thing_id uuid not null, parent_id uuid, body text,
    primary key (organization_id, id),
    foreign key (thing_id, organization_id) references app.owners (id, organization_id) on delete cascade
  );
  select tenantry.tenant_table('app.parts');`;
// A foreign key holds the organization too.
const OWN = SCHEMA.replace("doc xml\n  );", "doc xml,\n    unique (id, organization_id)\n  );").replace(
  "app.owners",
  "app.things",
);

const ALL_COLUMNS = `id, organization_id, label, twice, weight, ratio, price, cost, at, day, span, raw, said::text, known, marks, mood,
  years, address, flag, code, doc::text`;

const never = new AbortController().signal;
const copy = ({ from, to, moved, tables }: TwoSides, options: Partial<CopyTables> = {}) =>
  copyTables(from, to, moved, tables, { done: [], signal: never, ...options });

/** Rows of all kinds of values, `count` plain ones, and those of another organization. */
async function fill({ from, moved, id }: TwoSides, count: number): Promise<void> {
  const first = id();
  const insert = `insert into app.things (id, organization_id, label, weight, ratio, price, cost, at, day, span, raw, said, known,
    marks, mood, years, address, flag, code, doc) values `;
  await from.run(
    `${insert} ($1, $2, E'a\\tb\\nc\\\\d\\r\\x08 "é😀" \\\\.', 0.1::float8 + 0.2, 1e-7, 'NaN', '-1234.56',
       '2021-03-04 05:06:07.89+00', '0044-03-15 BC', '1 year 2 mons -3 days 04:05:06.7', '\\x00ff5c0a', '{"b" : 1,  "a":[ ]}', '{"b":1,"a":2}',
       array['x', null, '', 'a,"b"', 'null'], 'sad', '[1,5)', '2001:db8::1/64', true, 'ab', '<a>é</a>'),
      ($3, $2, '', 'Infinity', '-0', 1e100, null, 'infinity', null, null, '', null, 'null', '{}', null, 'empty', null, null, null, null),
      ($4, $2, repeat(md5('x'), 100000), 5e-324, 3.4e38, 0.000, 0, '1999-12-31 23:59:59.999999+14', 'infinity', '0', decode(repeat('00ff', 500000), 'hex'),
       null, null, null, 'glad', null, '10.0.0.1', false, '', null)`,
    [first, moved.organizationId, id(), id()],
  );
  await from.run(
    `insert into app.parts (id, organization_id, thing_id, body)
     select one, $2, $3, repeat('word ', 20) from unnest($1::uuid[]) as one`,
    [Array.from({ length: count }, id), moved.organizationId, first],
  );
  await from.run("insert into app.things (id, organization_id, label) values ($1, gen_random_uuid(), 'another')", [
    id(),
  ]);
}

async function contents({ run }: TwoSides["from"], { moved }: TwoSides): Promise<unknown[]> {
  const values = [moved.organizationId];
  return [
    await run(`select ${ALL_COLUMNS} from app.things where organization_id = $1 order by id`, values),
    await run("select id, thing_id, parent_id, body from app.parts where organization_id = $1 order by id", values),
    await run(
      "select id, at, database_id, who, address, action, subject_id, xact::text from tenantry.audit_log where organization_id = $1 order by id",
      values,
    ),
  ];
}

describe.each([
  ["a superuser", false],
  ["an operator's role that is none", true],
] as const)("by %s", (_, operator) => {
  let sides: TwoSides;

  beforeAll(async () => {
    sides = await openTwoSides(OWN, { operator });
    await fill(sides, 3_000);
    await addEntries(sides, 500);
  }, 60_000);
  afterAll(() => sides[Symbol.asyncDispose]());

  test("each value arrives as it is, under the target's number, and entries under the number that they had", async () => {
    const whole: string[] = [];
    const { rows, bytes, findings } = await copy(sides, {
      onTable: (table) => Promise.resolve(void whole.push(table)),
    });
    expect({ rows, findings }).toEqual({ rows: 3 + 3_000 + 500, findings: operator ? [TRIGGERS_FIRE] : [] });
    expect(bytes).toBeGreaterThan(3_200_000);
    expect(whole).toEqual(["app.things", "app.parts", AUDIT_TABLE]);
    expect(await contents(sides.to, sides)).toEqual(await contents(sides.from, sides));
    expect(await sides.to.run("select distinct database_id from app.things")).toEqual([{ database_id: 4 }]);
    expect(await sides.to.run("select count(*)::int as count from app.things")).toEqual([{ count: 3 }]);
    // Whoever carries links looks there.
    expect(await sides.to.run("select from tenantry.catalog_changes")).not.toEqual([]);
  });

  test("rows of a former attempt are replaced", async () => {
    await sides.to.run("update app.things set label = 'stale'");
    await sides.to.run(
      "insert into app.parts (id, organization_id, thing_id, body) select gen_random_uuid(), organization_id, id, 'stale' from app.things",
    );
    expect(await copy(sides)).toMatchObject({ rows: 3_503 });
    expect(await contents(sides.to, sides)).toEqual(await contents(sides.from, sides));
  });

  test("what is done is not looked at again", async () => {
    await sides.to.run("update app.parts set body = 'followed'");
    expect(await copy(sides, { done: ["app.things", "app.parts"] })).toMatchObject({ rows: 500 });
    expect(await sides.to.run("select distinct body from app.parts")).toEqual([{ body: "followed" }]);
  });
});

describe("a copy that ends in the middle", () => {
  let sides: TwoSides;

  beforeAll(async () => {
    sides = await openTwoSides(OWN);
    await fill(sides, 1_000);
    await addEntries(sides, 10);
  }, 60_000);
  afterAll(() => sides[Symbol.asyncDispose]());

  const counts = async () =>
    (
      await sides.to.run<{ counts: number[] }>(
        "select array[(select count(*) from app.things), (select count(*) from app.parts), (select count(*) from tenantry.audit_log)]::int[] as counts",
      )
    )[0]?.counts;

  test.each([
    ["before a table is committed", "moves.copying:app.parts", [3, 0, 0], ["app.things"]],
    ["before a table is noted", "moves.copied:app.parts", [3, 1_000, 0], ["app.things"]],
    ["behind all tables", `moves.copied:${AUDIT_TABLE}`, [3, 1_000, 10], ["app.things", "app.parts"]],
  ])("%s goes on with what is not noted", async (_, failpoint, there, noted) => {
    await sides.to.run("delete from app.things");
    const done: string[] = [];
    const onTable = (table: string) => Promise.resolve(void done.push(table));
    const disarm = armFailpoint(failpoint, () => {
      throw new Error("the process ends");
    });
    await expect(copy(sides, { onTable })).rejects.toThrow("the process ends");
    disarm();
    await expect.poll(counts).toEqual(there);
    expect(done).toEqual(noted);
    await copy(sides, { done: [...done], onTable });
    expect(done).toEqual(["app.things", "app.parts", AUDIT_TABLE]);
    expect(await contents(sides.to, sides)).toEqual(await contents(sides.from, sides));
  });
});

test("sequences of the target are as far as the source's, and never go back", async () => {
  await using sides = await openTwoSides(`
    create sequence app.numbers;
    create sequence app.down increment -1;
    create sequence app.ahead;
    create sequence app.unused;
    create table app.invoices (
      id uuid primary key, organization_id uuid not null, number bigint not null default nextval('app.numbers'),
      down bigint default nextval('app.down'), ahead bigint default nextval('app.ahead'), text text default 'x',
      unused text default 'N-' || nextval('app.unused'), serial serial
    );
    select tenantry.tenant_table('app.invoices');`);
  const { from, to, tables } = sides;
  const sequences = await findSequences(from.database, tables);
  expect(sequences).toEqual(["app.ahead", "app.down", "app.invoices_serial_seq", "app.numbers", "app.unused"]);
  await from.run("select nextval('app.numbers'), nextval('app.numbers'), nextval('app.down'), nextval('app.ahead')");
  await from.run("select setval('app.invoices_serial_seq', 41)");
  await to.run("select setval('app.ahead', 10)");
  const next = (side: typeof from) =>
    side.run(
      "select nextval('app.numbers')::int as numbers, nextval('app.down')::int as down, nextval('app.ahead')::int as ahead, nextval('app.unused')::int as unused, nextval('app.invoices_serial_seq')::int as serial",
    );
  for (let time = 0; time < 2; time += 1) await setSequences(from, to, sequences);
  expect(await next(to)).toEqual([{ numbers: 3, down: -2, ahead: 11, unused: 1, serial: 42 }]);
  await setSequences(from, to, sequences);
  expect(await next(to)).toEqual([{ numbers: 4, down: -3, ahead: 12, unused: 2, serial: 43 }]);
  expect(await findSequences(from.database, tables.slice(1))).toEqual([]);
});

describe("what is refused", () => {
  let sides: TwoSides;

  beforeAll(async () => {
    sides = await openTwoSides(OWN);
    await fill(sides, 10);
  }, 60_000);
  afterAll(() => sides[Symbol.asyncDispose]());

  test("rows in a target that takes writes of the placement stay", async () => {
    await copy(sides);
    await sides.to.run("delete from tenantry.closed_placements");
    await expect(copy(sides)).rejects.toMatchObject({
      code: "CONFLICT",
      message:
        "The target has rows of the organization in app.things, and its database takes writes of the placement: nothing is deleted there.",
    });
    expect(await contents(sides.to, sides)).toEqual(await contents(sides.from, sides));
    await sides.to.run("insert into tenantry.closed_placements (number) values (7)");
  });

  test("a table with other columns is named", async () => {
    await sides.to.run("alter table app.parts add column more text");
    await expect(copy(sides)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringMatching(/^The table app\.parts has other columns in the source than in the target/),
    });
    await sides.to.run("alter table app.parts drop column more");
  });

  test("a copy that is aborted leaves nothing behind", async () => {
    const abort = new AbortController();
    const disarm = armFailpoint("moves.copied:app.things", () => abort.abort(new Error("cancelled")));
    await expect(copy(sides, { signal: abort.signal })).rejects.toThrow("cancelled");
    disarm();
    expect(await sides.to.run("select from app.parts")).toEqual([]);
  });
});

describe("a source that is not trusted", () => {
  let sides: TwoSides;
  beforeAll(async () => {
    sides = await openTwoSides(OWN);
    await fill(sides, 10);
    await addEntries(sides, 10);
  }, 60_000);
  afterAll(() => sides[Symbol.asyncDispose]());

  test.each(["app.parts", AUDIT_TABLE])("sends no row of another organization into %s", async (table) => {
    const { from, to, moved } = sides;
    const name = table.replace(/^\w+\./, "");
    const schema = table.replace(/\.\w+$/, "");
    // It names the organization that is asked for when rows are chosen, and another one when they are sent.
    // It says that it is stable, so that PostgreSQL asks it for each of the two.
    await from.run(`create function public.turn_of_${name}(own uuid) returns uuid language plpgsql stable as $$
      declare turn int := coalesce(nullif(current_setting('public.turn', true), ''), '0')::int + 1;
      begin
        perform set_config('public.turn', turn::text, false);
        return case when turn % 2 = 1 then own else '00000000-0000-7000-8000-000000000001'::uuid end;
      end $$`);
    const columns = await from.run<{ name: string }>(
      "select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum",
      [table],
    );
    await from.run(`alter table ${table} rename to ${name}_real`);
    const selected = columns.map(({ name: column }) =>
      column === "organization_id" ? `public.turn_of_${name}(organization_id) as organization_id` : column,
    );
    await from.run(`create view ${table} as select ${selected.join(", ")} from ${schema}.${name}_real`);
    const others = `select count(*)::int as rows from ${table} where organization_id <> $1`;
    const before = await to.run(others, [moved.organizationId]);
    const alone = sides.tables.filter((one) => one.name !== table).map((one) => one.name);
    await expect(copy(sides, { done: alone })).rejects.toThrow("a row of another organization or database was sent");
    expect(await to.run(others, [moved.organizationId])).toEqual(before);
  });
});
