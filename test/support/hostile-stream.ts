/** What a region's superuser can send by the stream of their tenant database. */
import { newRoutedId } from "../../src/base/kernel/ids.ts";
import { breakLink, catalogOf, COLUMNS, copyTables, dropSlot, insertForgery } from "./hostile-acts.ts";
import type { Stage } from "./hostile-region.ts";
import { routedIdSql } from "./routed-id.ts";

export type Attack = {
  what: string;
  /** What the gateway calls it; undefined: it reads names and forms, and there is nothing wrong with those. */
  refusedAs: string | undefined;
  /** What becomes of it where the gateway lets it through: it goes by, or home's server cannot apply it. */
  lenient: "passes" | "halts" | "refused";
  /** What becomes of it depends on whose home's subscription is. */
  withEveryMethod?: true;
  strike: (stage: Stage) => Promise<unknown>;
  /** Makes the region's server honest again, but for the link, which mends itself. */
  undo?: (stage: Stage) => Promise<unknown>;
};

/** What decides at home who may do what, and is no table of a tenant database. */
const OF_HOME = ["api_keys", "users", "identities", "memberships", "organizations", "placements", "regions", "links"];
const TABLES = [...OF_HOME, "audit_log"];
const QUALIFIED = TABLES.map((table) => `tenantry.${table}`).join(", ");

async function forge(stage: Stage): Promise<void> {
  for (const table of TABLES) await insertForgery(stage, table);
}

function dropForged({ eu }: Stage): Promise<unknown> {
  return eu(`drop table ${OF_HOME.map((table) => `tenantry.${table}`).join(", ")} cascade`);
}

/** Takes off what stands in the region to keep its rows in order. */
async function takeGuardsOff({ eu, mine }: Stage): Promise<void> {
  for (const trigger of ["own_rows_only", "refuse_truncate"])
    await eu(`drop trigger if exists ${trigger} on app.resources`);
  for (const column of ["name", "created_at", "updated_at"])
    await eu(`alter table app.resources drop constraint if exists resources_${column}_check`);
  await eu(`alter publication ${catalogOf(mine)} set table app.resources (${COLUMNS})`);
}

async function sendTheirs({ eu, other, sharers, mine }: Stage): Promise<void> {
  const insert = "insert into app.resources (database_id, id, organization_id, name) values ($1, $2, $3, 'FORGED')";
  for (const { databaseId, resource, organization, number } of [other, ...sharers]) {
    await eu(insert, [databaseId, newRoutedId(number), organization]);
    await eu(insert, [databaseId, resource, organization]);
    await eu(insert, [mine.databaseId, newRoutedId(number), organization]);
    await eu(insert, [mine.databaseId, newRoutedId(mine.number), organization]);
    await eu("update app.resources set name = 'FORGED AGAIN' where id = $1", [resource]);
    await eu("update app.resources set database_id = 0 where id = $1", [resource]);
    await eu("delete from app.resources where id = $1", [resource]);
  }
  await eu(insert, [0, newRoutedId(0), mine.organization]);
  await eu(insert, [-1, newRoutedId(0), mine.organization]);
  await eu("delete from app.resources where name ~ '^FORGED'");
}

/** A name of so many bytes, under an id of their own. */
const sendName = ({ eu, mine }: Stage, name: string) =>
  eu(
    `insert into app.resources (database_id, id, organization_id, name)
     values ($1, ${routedIdSql(mine.number)}, $2, ${name})`,
    [mine.databaseId, mine.organization],
  );

let rewriting: Disposable | undefined;

export const ATTACKS: readonly Attack[] = [
  {
    what: "an event trigger widens the publication whenever the program makes it",
    refusedAs: "table-not-listed",
    lenient: "passes",
    withEveryMethod: true,
    strike: async (stage) => {
      await copyTables(stage, OF_HOME);
      await stage.eu(`create function public.widen() returns event_trigger language plpgsql as $$
        declare one record; begin
          for one in select objid from pg_event_trigger_ddl_commands() where classid = 'pg_publication'::regclass loop
            execute format('alter publication %I add table ${QUALIFIED}', (select pubname from pg_publication where oid = one.objid));
          end loop; end $$`);
      await stage.eu(`create event trigger widen on ddl_command_end when tag in ('CREATE PUBLICATION')
        execute function public.widen()`);
      await breakLink(stage);
      await forge(stage);
    },
    undo: async (stage) => {
      await stage.eu("drop event trigger widen");
      await dropForged(stage);
    },
  },
  {
    what: "tables of home's names are added to the publication of a live link",
    refusedAs: "table-not-listed",
    lenient: "passes",
    strike: async (stage) => {
      await copyTables(stage, OF_HOME);
      await stage.eu(`alter publication ${catalogOf(stage.mine)} add table ${QUALIFIED}`);
      await forge(stage);
    },
    undo: dropForged,
  },
  {
    what: "the stream is renamed on its way, into a catalog of PostgreSQL's own, to make a superuser",
    refusedAs: "table-not-listed",
    lenient: "passes",
    withEveryMethod: true,
    strike: async ({ eu, mine, servers }) => {
      await eu("create schema zz_catalog");
      await eu("create table zz_catalog.pg_authid as select * from pg_catalog.pg_authid limit 0");
      await eu("alter table zz_catalog.pg_authid replica identity full");
      await eu(`alter publication ${catalogOf(mine)} add table zz_catalog.pg_authid`);
      rewriting = servers.euByProxy.rewrite("zz_catalog", "pg_catalog");
      await eu(`insert into zz_catalog.pg_authid
        select (json_populate_record(a, '{"oid":99999,"rolname":"owned_by_eu","rolsuper":true,"rolcanlogin":true}')).*
        from pg_catalog.pg_authid a where rolname = current_user`);
    },
    undo: ({ eu }) => {
      rewriting?.[Symbol.dispose]();
      return eu("drop schema zz_catalog cascade");
    },
  },
  {
    what: "TRUNCATE is published",
    refusedAs: "truncate",
    lenient: "halts",
    withEveryMethod: true,
    strike: async (stage) => {
      await takeGuardsOff(stage);
      await stage.eu(`alter publication ${catalogOf(stage.mine)} set (publish = 'insert, update, delete, truncate')`);
      await stage.eu("truncate app.resources cascade");
    },
  },
  {
    what: "rows of other tenants, of other databases and of home are sent, changed and deleted",
    refusedAs: undefined,
    lenient: "passes",
    withEveryMethod: true,
    strike: async (stage) => {
      await takeGuardsOff(stage);
      await sendTheirs(stage);
    },
  },
  {
    what: "names of any length, moments of any year and columns of other types are sent",
    refusedAs: undefined,
    lenient: "passes",
    strike: async (stage) => {
      const { eu } = stage;
      await takeGuardsOff(stage);
      await sendName(stage, "repeat('x', 10_000_000)".replaceAll("_", ""));
      await sendName(stage, "E'\\u202e' || 'x' || chr(10)");
      for (const moment of ["infinity", "-infinity", "294276-12-31", "4713-01-01 BC"])
        await eu("update app.resources set created_at = $1", [moment]);
      await eu("update app.resources set created_at = now()");
      await eu("delete from app.resources where name ~ 'x'");
    },
  },
  {
    what: "columns have other types, and are texts that home cannot read",
    refusedAs: undefined,
    lenient: "halts",
    strike: async (stage) => {
      const { eu, mine } = stage;
      await eu("create schema aside");
      await eu("alter table app.resources set schema aside");
      await eu(`create table app.resources (database_id bigint, id text, organization_id text, name text,
        created_by text, created_at text, updated_at text, primary key (database_id, id))`);
      await eu(`alter publication ${catalogOf(mine)} set table app.resources (${COLUMNS})`);
      await eu(
        `insert into app.resources values
        (4294967296 + $1::bigint, 'no uuid', 'none', 'x', '{}', 'yesterday'), ($1, '', null, null, null, null)`,
        [mine.databaseId],
      );
    },
    undo: async ({ eu }) => {
      await eu("drop table app.resources");
      await eu("alter table aside.resources set schema app");
      await eu("drop schema aside");
    },
  },
  {
    what: "a column that home's inbox keeps for itself is published",
    refusedAs: "column-not-listed",
    lenient: "passes",
    strike: async (stage) => {
      const { eu, mine } = stage;
      await eu("alter table app.resources add fault text");
      await eu(`alter publication ${catalogOf(mine)} set table app.resources (${COLUMNS}, fault)`);
      await eu("update app.resources set fault = 'FORGED'");
    },
    undo: ({ eu }) => eu("alter table app.resources drop fault cascade"),
  },
  {
    what: "a row of 20 MB is sent",
    refusedAs: "malformed",
    lenient: "refused",
    strike: async (stage) => {
      await takeGuardsOff(stage);
      await sendName(stage, "repeat('x', 20000000)");
    },
  },
  {
    what: "hundreds of tables are announced",
    refusedAs: "table-not-listed",
    lenient: "passes",
    strike: async ({ eu, mine }) => {
      await eu(`do $$ begin for n in 1..300 loop
        execute format('create table public.many_%s (id int primary key)', n);
        execute format('alter publication ${catalogOf(mine)} add table public.many_%s', n);
      end loop; end $$`);
      await eu(
        `do $$ begin for n in 1..300 loop execute format('insert into public.many_%s values (1)', n); end loop; end $$`,
      );
    },
    undo: ({ eu }) =>
      eu(`do $$ begin for n in 1..300 loop execute format('drop table public.many_%s', n); end loop; end $$`),
  },
  {
    what: "messages and origins come along with rows",
    refusedAs: undefined,
    lenient: "passes",
    strike: async (stage) => {
      const { eu, mine } = stage;
      await eu("select pg_logical_emit_message(true, 'tenantry', repeat('x', 1000000))");
      await eu("select pg_replication_origin_create('hostile_origin')");
      await eu(`do $$ begin
        perform pg_replication_origin_session_setup('hostile_origin');
        perform pg_replication_origin_xact_setup('7FFFFFFF/0', now());
        perform pg_logical_emit_message(false, 'tenantry', 'x');
        insert into app.resources (database_id, id, organization_id, name)
          values (${mine.databaseId}, ${routedIdSql(mine.number)}, '${mine.organization}', 'With an origin');
      end $$`);
    },
    undo: ({ eu }) => eu("select pg_replication_origin_drop('hostile_origin')"),
  },
  {
    what: "the slot is another one, which sends transactions that are only prepared",
    refusedAs: "malformed",
    lenient: "halts",
    strike: async (stage) => {
      const { eu, mine } = stage;
      await dropSlot(stage);
      await eu("select pg_create_logical_replication_slot($1, 'pgoutput', false, true)", [catalogOf(mine)]);
      await eu(`begin; update app.resources set name = name || '!'; prepare transaction 'held'`);
    },
    undo: ({ eu }) => eu("rollback prepared 'held'"),
  },
];
