/** What a region's superuser can answer when the program copies their rows: everything they have can be another than it was. */
import { newRoutedId } from "../../src/base/kernel/ids.ts";
import { catalogOf, COLUMNS } from "./hostile-acts.ts";
import type { Stage } from "./hostile-region.ts";

export type SeedAttack = {
  what: string;
  /** Before the link is made anew. */
  prepare: (stage: Stage) => Promise<unknown>;
  undo: (stage: Stage) => Promise<unknown>;
};

/** Rows that are not the region's to send, as `values` in SQL: each of home's columns as text. */
function forgedRows({ mine, other, sharers }: Stage): string {
  const rows = [other, ...sharers].flatMap(({ databaseId, resource, organization, number }) => [
    [databaseId, resource, organization],
    [0, resource, organization],
    [mine.databaseId, resource, organization],
    [mine.databaseId, newRoutedId(number), organization],
    [mine.databaseId, newRoutedId(mine.number), organization],
    [mine.databaseId, resource, mine.organization],
  ]);
  return rows.map((row) => `(${row.map((value) => `'${value}'`).join(", ")}, 'FORGED', null, '2026-01-01')`).join(", ");
}

/** A text that the program reads as a batch of rows. */
const batchOf = (stage: Stage) =>
  `(select '[' || string_agg(json_build_array(a, b, c, d, e, f)::text, ',') || ']'
    from (values ${forgedRows(stage)}) as forged (a, b, c, d, e, f))`;

/** Functions of these names and arguments are found before PostgreSQL's own by whoever has `evil` in front. */
async function makeEvilSchema(stage: Stage): Promise<void> {
  const { eu, mine } = stage;
  await eu("create schema evil");
  await eu("create function evil.step(text, text, text) returns text language sql as $$ select null::text $$");
  await eu(`create function evil.finish(text) returns text language sql as $f$ select ${batchOf(stage)} $f$`);
  await eu(`create aggregate evil.string_agg(text, text) (sfunc = evil.step, stype = text, finalfunc = evil.finish)`);
  await eu(`create function evil.json_build_array(text, text, text, text, text, text) returns json language sql
    as $$ select '["0","x","x","FORGED",null,null]'::json $$`);
  await eu(`create function evil.octet_length(text) returns int language sql as $$ select 0 $$`);
  await eu(`create function evil.same(uuid, uuid) returns boolean language sql as $$ select true $$`);
  await eu(`create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.same)`);
  await eu(`create function evil.same(int, int) returns boolean language sql as $$ select true $$`);
  await eu(`create operator evil.= (leftarg = int, rightarg = int, function = evil.same)`);
  await eu(`alter database ${mine.database} set search_path = evil, pg_catalog, tenantry, app`);
  await eu(`alter role all in database ${mine.database} set search_path = evil, pg_catalog, tenantry, app`).catch(
    () => undefined,
  );
}

/** Replaces what the program asks for each row by a function in PostgreSQL's own schema that fits better. */
function overload({ eu }: Stage, body: string): Promise<unknown> {
  return eu(`set allow_system_table_mods = on; create or replace function
    pg_catalog.json_build_array(text, text, text, text, text, text) returns json language plpgsql as $$ ${body} $$`);
}
const dropOverload = ({ eu }: Stage) =>
  eu("set allow_system_table_mods = on; drop function pg_catalog.json_build_array(text, text, text, text, text, text)");

async function fill({ eu, mine }: Stage, rows: number): Promise<void> {
  await eu(
    `insert into app.resources (database_id, id, organization_id, name)
     select $1, gen_random_uuid(), $2, 'Filler' from generate_series(1, $3::int)`,
    [mine.databaseId, mine.organization, rows],
  );
}
const empty = ({ eu }: Stage) => eu("delete from app.resources where name = 'Filler'");

let rewriting: Disposable | undefined;
const rewrite = (from: (stage: Stage) => string, to: (stage: Stage) => string | Buffer) => ({
  prepare: async (stage: Stage) => {
    rewriting = stage.servers.euByProxy.rewrite(from(stage), to(stage));
  },
  undo: async () => rewriting?.[Symbol.dispose](),
});

async function takeConstraintsOff({ eu }: Stage): Promise<void> {
  await eu("drop trigger if exists own_rows_only on app.resources");
  for (const column of ["name", "created_at", "updated_at"])
    await eu(`alter table app.resources drop constraint if exists resources_${column}_check`);
}

export const SEED_ATTACKS: readonly SeedAttack[] = [
  {
    what: "functions, aggregates and operators of the region's own, found by the database's search path",
    prepare: makeEvilSchema,
    undo: async ({ eu, mine }) => {
      await eu(`alter database ${mine.database} reset search_path`);
      await eu("drop schema evil cascade");
    },
  },
  {
    what: "a function among PostgreSQL's own gives rows of others",
    prepare: (stage) =>
      overload(
        stage,
        `declare n int := floor(random() * 18); begin
           return (select json_build_array(variadic array[a, b, c, d, e, f]) from (values ${forgedRows(stage)}) as forged (a, b, c, d, e, f) offset n limit 1);
         end`,
      ),
    undo: dropOverload,
  },
  {
    what: "a function among PostgreSQL's own gives one row again and again",
    prepare: async (stage) => {
      await fill(stage, 1_500);
      const { databaseId, organization, number } = stage.mine;
      await overload(
        stage,
        `begin return json_build_array(variadic array['${databaseId}', '${newRoutedId(number)}', '${organization}', 'Same', null, '2026-01-01']); end`,
      );
    },
    undo: async (stage) => {
      await dropOverload(stage);
      await empty(stage);
    },
  },
  {
    what: "rows of 20 MB are made of each row",
    prepare: (stage) => overload(stage, `begin return to_json(repeat('x', 20000000)); end`),
    undo: dropOverload,
  },
  {
    what: "what is no list of texts is given",
    prepare: (stage) =>
      overload(
        stage,
        `begin return ('{"__proto__": {"length": 6}, "0": [1, {"toString": null}], "x": ' || repeat('[', 5000) || repeat(']', 5000) || '}')::json; end`,
      ),
    undo: dropOverload,
  },
  {
    what: "NULs, halves of characters and texts that are no value",
    prepare: (stage) =>
      overload(
        stage,
        `begin return ('["${stage.mine.databaseId}", "${newRoutedId(stage.mine.number)}", "{}", "a\\\\u0000b", "\\\\ud800", "24:61"]')::json; end`,
      ),
    undo: dropOverload,
  },
  {
    what: "another table's rows are inherited: without keys, and of others",
    prepare: async (stage) => {
      const { eu } = stage;
      await eu("create table public.child () inherits (app.resources)");
      await eu("alter table public.child alter id drop not null").catch(() => undefined);
      await eu(
        `insert into public.child (${COLUMNS}) select a::int, b::uuid, c::uuid, d, e::uuid, f::timestamptz, now()
         from (values ${forgedRows(stage)}) as forged (a, b, c, d, e, f)`,
      );
      await eu("insert into public.child select * from public.child");
    },
    undo: ({ eu }) => eu("drop table public.child"),
  },
  {
    what: "moments of any year and names of any length",
    prepare: async (stage) => {
      const { eu } = stage;
      await takeConstraintsOff(stage);
      await fill(stage, 5);
      await eu(`update app.resources set created_at = x.at, name = 'Filler'
        from (select id, ('{infinity,-infinity,294276-12-31,"4713-01-01 BC",1999-12-31}'::timestamptz[])[row_number() over ()] as at
              from app.resources where name = 'Filler') x where x.id = resources.id`);
      await eu("update app.resources set name = repeat('x', 30000000) where created_at = '1999-12-31'");
    },
    undo: ({ eu }) => eu("delete from app.resources where name = 'Filler' or length(name) > 200"),
  },
  {
    what: "columns are of other types",
    prepare: async ({ eu, mine }) => {
      await eu("create schema aside");
      await eu("alter table app.resources set schema aside");
      await eu("create domain public.ids as bigint");
      await eu(`create table app.resources (database_id public.ids, id text, organization_id json, name bytea,
        created_by xml, created_at numeric, updated_at numeric)`);
      await eu(`alter table app.resources replica identity full`);
      await eu(`insert into app.resources values
        (${mine.databaseId}, '${newRoutedId(mine.number)}', '"${mine.organization}"', 'x', '<a/>', 1e40),
        (${mine.databaseId}, 'no uuid', '[]', '', null, 'NaN'), (${mine.databaseId}, null, null, null, null, null),
        (${mine.databaseId} + 4294967296, '${newRoutedId(mine.number)}', null, null, null, null)`);
    },
    undo: async ({ eu }) => {
      await eu("drop table app.resources");
      await eu("alter table aside.resources set schema app");
      await eu("drop schema aside");
      await eu("drop domain public.ids");
    },
  },
  {
    what: "columns are missing",
    prepare: ({ eu, mine }) =>
      eu(
        `drop publication if exists ${catalogOf(mine)}; alter table app.resources rename organization_id to organisation`,
      ),
    undo: ({ eu }) => eu("alter table app.resources rename organisation to organization_id"),
  },
  {
    what: "ids are changed on their way, to another region's organization",
    ...rewrite(
      ({ mine }) => mine.organization,
      ({ other }) => other.organization,
    ),
  },
  {
    what: "ids are changed on their way, to another region's resource",
    ...rewrite(
      ({ mine }) => mine.resource,
      ({ other }) => other.resource,
    ),
  },
  {
    what: "names are changed on their way, to bytes that are no text",
    ...rewrite(
      () => "Honest",
      () => Buffer.from("48c328edffa0", "hex"),
    ),
  },
];
