/** The library behind a connection pooler in transaction mode, which gives the server's connections to everybody in turn. */
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tenant, Tenantry } from "../../src/library/index.ts";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { registerRegion } from "../support/journey.ts";
import { grantActive, INVOICES, openLibrary } from "../support/library.ts";
import type { Pooler } from "../support/pgbouncer.ts";
import { startPooler } from "../support/pooler.ts";

let pooler: Pooler;
let app: TestApp;
let tenantry: Tenantry;
let own: Tenant;
let other: Tenant;

beforeAll(async () => {
  pooler = await startPooler(serverUrl("us"), {
    auth_user: "postgres",
    auth_query: "select usename, passwd from pg_shadow where usename = $1",
    default_pool_size: "1",
  });
  await pooler.letIn({ postgres: decodeURIComponent(new URL(serverUrl("us")).password) });
  app = await startApp({ tenantSchema: INVOICES });
  await registerRegion(app, "us", serverUrl("us"), pooler.url);
  tenantry = await openLibrary(app);
  const handles: Tenant[] = [];
  for (const name of ["OWN", "OTHER"]) {
    const { id } = await tenantry.organizations.create({ name });
    await grantActive(tenantry, { organizationId: id, regionKey: "us", isolation: "SHARED" });
    const handle = await tenantry.tenant({ organizationId: id });
    await handle.query("insert into app.invoices (number) values ($1)", [name]);
    handles.push(handle);
  }
  [own, other] = handles as [Tenant, Tenant];
});
afterAll(async () => {
  await tenantry.close();
  await app.stop();
  await pooler[Symbol.asyncDispose]();
});

const NUMBERS = "select number from app.invoices where number <> $1";
const numbers = (rows: object[]) => rows.map((row) => (row as { number: string }).number);

test("two organizations on one connection of the server see their own, in statements, texts of several and transactions", async () => {
  const read = async (tenant: Tenant, index: number) => {
    if (index % 3 === 0) return numbers(await tenant.query(NUMBERS, ["X"]));
    if (index % 3 === 1) return tenant.transaction(async (tx) => numbers(await tx.query(NUMBERS, ["X"])));
    const results = await tenant.pool.query("select 1; select number from app.invoices");
    return numbers((results as unknown as pg.QueryResult[])[1]?.rows ?? []);
  };
  const asked = Array.from({ length: 60 }, (_, index) => read(index % 2 === 0 ? own : other, index));
  expect(await Promise.all(asked)).toEqual(asked.map((_, index) => [index % 2 === 0 ? "OWN" : "OTHER"]));
});

test("functions and operators are PostgreSQL's own, whatever the search path of the role is", async () => {
  const path = "select current_setting('search_path') as path";
  expect(await own.query(path)).toEqual([{ path: "pg_catalog, pg_temp" }]);
  expect(await own.transaction((tx) => tx.query(path))).toEqual([{ path: "pg_catalog, pg_temp" }]);
});

test.each([
  "set work_mem = '1MB'",
  "select set_config('tenantry.scope', 'x', false)",
  "discard all",
  "listen anything",
])("%j is refused, as it would reach others", async (text) => {
  await expect(own.query(text)).rejects.toMatchObject({ code: "CAPABILITY_MISSING" });
  await expect(own.transaction((tx) => tx.query(text))).rejects.toMatchObject({ code: "CAPABILITY_MISSING" });
  await own.transaction((tx) => tx.query("set local work_mem = '1MB'"));
  expect(numbers(await other.query(NUMBERS, ["X"]))).toEqual(["OTHER"]);
});

test("a name for a prepared statement does no harm", async () => {
  const named = { name: "mine", text: NUMBERS };
  for (const value of ["X", "Y"]) expect(numbers((await own.pool.query(named, [value])).rows)).toEqual(["OWN"]);
  const client = await own.pool.connect();
  await client.query("begin");
  expect(numbers((await client.query(named, ["X"])).rows)).toEqual(["OWN"]);
  await client.query("commit");
  client.release();
});
