/**
 * What a server's administrator sets for a database or a role does not change which functions our statements call: on direct
 * connections and through a pooler, alone, in a scope, in a transaction and in a session.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePoolUrl, parseServerUrl } from "#base/postgres/connection-url";
import type { Queryable, TenantDatabase } from "#base/postgres/database";
import { Pools } from "#base/postgres/pools";
import { serverUrl, sql } from "../support/app.ts";
import type { Pooler } from "../support/pgbouncer.ts";
import { startPooler } from "../support/pooler.ts";

const DATABASE = "pinned_settings";
const EMPTY = "pinned_settings_empty";
const ROLE = "pinned_settings_user";
const PASSWORD = "of-the-user";
const SCOPE = { setting: "tenantry.test", value: "mine", setter: "tenantry.sets_test" };
const SETTERS = `create schema tenantry;
  grant usage on schema tenantry to public;
  create domain tenantry.sets_test as text check (pg_catalog.set_config('tenantry.test', value, true) is not null);
  create domain tenantry.sets_search_path as text check (pg_catalog.set_config('search_path', value, true) is not null)`;

let pooler: Pooler;
const pools = new Pools(() => undefined, { maxPerDatabase: 1 });
const databases: Record<string, TenantDatabase> = {};
const url = (database: string) => `${serverUrl("eu")}/${database}`;

beforeAll(async () => {
  pooler = await startPooler(serverUrl("eu"));
  await sql(url("postgres"), `create role ${ROLE} login password '${PASSWORD}'`);
  await pooler.letIn({ [ROLE]: PASSWORD });
  for (const database of [DATABASE, EMPTY]) await makeForged(database);
  await sql(url(DATABASE), SETTERS);
  const address = { ...parseServerUrl(serverUrl("eu"), "url"), user: ROLE, password: PASSWORD };
  databases["direct"] = pools.open("tenant", address, DATABASE);
  databases["despite a fence"] = pools.open("tenant", address, DATABASE, { despiteFence: true });
  databases["through a pooler"] = pools.open("tenant", address, DATABASE, {
    pooler: parsePoolUrl(pooler.url, "pool"),
  });
  databases["through a pooler, prepared"] = pools.open("tenant", address, DATABASE, {
    pooler: parsePoolUrl(`${pooler.url}?prepared_statements=true`, "pool"),
  });
  databases["through a pooler to a database that was not migrated"] = pools.open("tenant", address, EMPTY, {
    pooler: parsePoolUrl(pooler.url, "pool"),
  });
});

/** A database with a function that stands in for PostgreSQL's where nobody pins the search path. */
async function makeForged(database: string): Promise<void> {
  await sql(url("postgres"), `create database ${database} owner ${ROLE}`);
  await sql(url(database), "create schema evil");
  await sql(url(database), `grant usage on schema evil to ${ROLE}`);
  await sql(url(database), "create function evil.upper(text) returns text language sql return 'forged'");
  // Found first even by a session that sets its path with this very function.
  await sql(
    url(database),
    "create function evil.set_config(text, text, boolean) returns text language sql return 'forged'",
  );
  const path = "set search_path = evil, pg_catalog";
  await sql(url("postgres"), `alter database ${database} ${path}`);
  await sql(url("postgres"), `alter role ${ROLE} in database ${database} ${path}`);
}
afterAll(async () => {
  await pools.close();
  await pooler[Symbol.asyncDispose]();
  for (const database of [DATABASE, EMPTY]) await sql(url("postgres"), `drop database ${database} with (force)`);
  await sql(url("postgres"), `drop role ${ROLE}`);
});

const upper = async (database: Queryable<"tenant">, value: string): Promise<string | undefined> => {
  const [row] = await database.query<{ value: string }>("test.upper", "select upper($1::text) as value", [value]);
  return row?.value;
};

test("a session that pins nothing calls the administrator's function", async () => {
  const [row] = await sql(
    `${serverUrl("eu").replace(/\/\/[^@]*@/, `//${ROLE}:${PASSWORD}@`)}/${DATABASE}`,
    "select upper('a') as value",
  );
  expect(row).toEqual({ value: "forged" });
});

describe.each([
  "direct",
  "despite a fence",
  "through a pooler",
  "through a pooler, prepared",
  "through a pooler to a database that was not migrated",
])("%s", (way) => {
  const database = () => {
    const found = databases[way];
    if (found === undefined) throw new Error("there is no such way");
    return found;
  };

  test("a statement, also one that has been prepared", async () => {
    for (let index = 0; index < 5; index += 1) expect(await upper(database(), "a")).toBe("A");
    expect(await database().query("test.upper", "select upper('a') as value")).toEqual([{ value: "A" }]);
  });

  test("a statement in a scope, which has its setting too", async () => {
    const scoped = database().scoped(SCOPE);
    for (let index = 0; index < 5; index += 1) expect(await upper(scoped, "a")).toBe("A");
    expect(await scoped.query("test.scope", "select upper(current_setting('tenantry.test')) as value")).toEqual([
      { value: "MINE" },
    ]);
  });

  test("a transaction, and what comes after one that failed", async () => {
    const failing = database().transaction(async (transaction) => {
      expect(await upper(transaction, "a")).toBe("A");
      await transaction.query("test.fail", "select 1 / 0");
    });
    await expect(failing).rejects.toThrow(/division by zero/);
    expect(await database().transaction((transaction) => upper(transaction, "a"), "repeatable read")).toBe("A");
  });

  test("a session, and a connection that somebody keeps", async () => {
    expect(await database().session((session) => upper(session, "a"))).toBe("A");
    const client = await database().pool.connect();
    try {
      expect((await client.query("select upper('a') as value")).rows).toEqual([{ value: "A" }]);
    } finally {
      client.release();
    }
  });

  test("a temporary table does not stand in for one of PostgreSQL's", async () => {
    await database().transaction(async (transaction) => {
      await transaction.query("test.temporary", "create temp table pg_class (relname text) on commit drop");
      const [row] = await transaction.query<{ count: number }>(
        "test.count",
        "select count(*)::int as count from pg_class",
      );
      expect(row?.count).toBeGreaterThan(0);
    });
  });
});
