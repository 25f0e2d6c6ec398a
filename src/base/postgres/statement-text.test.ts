import { describe, expect, test } from "vitest";
import { readStatementText } from "./statement-text.ts";

describe("leaves nothing on its connection", () => {
  test.each([
    "select 1",
    "  SELECT number from app.invoices where id = $1;",
    "-- a comment\n/* another */ (select 1) union (select 2)",
    "with added as (insert into app.invoices (number) values ($1) returning id) select id from added",
    "update app.invoices set number = 'a; select' where true",
    "begin isolation level serializable; select 1; commit",
    "savepoint sp1",
    "rollback to savepoint sp1",
    "set local work_mem = '8MB'",
    "set transaction read only",
    "declare c cursor for select 1",
    "select hold from app.invoices -- a remark\r",
    "select pg_advisory_xact_lock(1)",
    "",
  ])("%j", (text) => expect(readStatementText(text).leavesNothing).toBe(true));
});

describe("may leave something on its connection", () => {
  test.each([
    "set tenantry.scope = 'x'",
    "SET SESSION search_path = x",
    "select 1; set role postgres",
    "/* select */ reset all",
    "/* /* nested */ */ set role postgres",
    "discard all",
    "select set_config('tenantry.scope', 'x', false)",
    "do $$ begin execute 'set role postgres'; end $$",
    "call app.anything()",
    "listen channel",
    "prepare p as select 1",
    "deallocate all",
    "declare c cursor with hold for select 1",
    "declare c cursor with /* x */ hold for select 1",
    "declare c cursor with -- x;\n hold for select 1",
    "--\rset role postgres",
    "-- a remark\r\nset role postgres",
    "update pg_catalog.pg_settings set setting = 'x' where name = 'search_path'",
    "select U&\"set\\005fconfig\"('tenantry.scope', 'x', false)",
    "select pg_advisory_lock(1)",
    "select pg_try_advisory_lock_shared(1)",
    "update app.invoices set number = ';discard all'",
    "set local work_mem = '1MB'; set work_mem = '1MB'",
  ])("%j", (text) => expect(readStatementText(text).leavesNothing).toBe(false));
});

test.each([
  ["select 1", { isSeveral: false, isBegin: false, mayEnd: false }],
  ["select 1;\n", { isSeveral: false, isBegin: false, mayEnd: false }],
  ["select 1; select 2", { isSeveral: true, isBegin: false, mayEnd: true }],
  ["begin", { isSeveral: false, isBegin: true, mayEnd: false }],
  ["/* orm */ START  TRANSACTION read only;", { isSeveral: false, isBegin: true, mayEnd: false }],
  ["begin; select 1", { isSeveral: true, isBegin: false, mayEnd: true }],
  ["commit and chain", { isSeveral: false, isBegin: false, isEnd: "commit", mayEnd: true }],
  ["rollback", { isSeveral: false, isBegin: false, isEnd: "rollback", mayEnd: true }],
  ["commit; select 1", { isSeveral: true, isEnd: undefined, mayEnd: true }],
  ["rollback to savepoint a", { isSeveral: false, isBegin: false, isEnd: undefined, mayEnd: false }],
  ["release savepoint a", { isSeveral: false, isBegin: false, mayEnd: false }],
])("%j is %o", (text, expected) => expect(readStatementText(text)).toMatchObject(expected));

test.each([
  ["insert into app.invoices (number) values ($1) on conflict do nothing", true],
  ["-- a remark\n with added as (insert into app.invoices default values returning id) select id from added;", true],
  ["insert into app.invoices default values; select 1", true],
  ["insert into app.invoices default values; commit; delete from app.invoices", false],
  ["begin; insert into app.invoices default values", false],
  ["call app.anything()", false],
  ["/* /* nested */ */ call app.anything()", false],
  ["do $$ begin perform 1; commit; perform app.anything(); end $$", false],
])("when it fails, nothing of %j has happened: %s", (text, isWhole) => {
  expect(readStatementText(text).isWhole).toBe(isWhole);
});
