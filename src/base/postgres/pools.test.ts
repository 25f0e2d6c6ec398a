import { expect, test } from "vitest";
import { parseServerUrl } from "#base/postgres/connection-url";
import { Pools } from "#base/postgres/pools";

const address = parseServerUrl("postgres://u:p@127.0.0.1:1", "url");

test("a database has one handle while it is open", () => {
  const pools = new Pools(() => undefined);
  expect(pools.open("tenant", address, "a")).toBe(pools.open("tenant", address, "a"));
  expect(pools.open("tenant", address, "a")).not.toBe(pools.open("tenant", address, "b"));
});

test("a handle whose pool was closed to make room goes on working", async () => {
  const pools = new Pools(() => undefined, { maxDatabases: 2 });
  const first = pools.open("tenant", address, "a");
  const before = first.pool;
  for (const name of ["b", "c", "d"]) pools.open("tenant", address, name);
  expect(before.ending).toBe(true);
  // It tries to connect, which nothing answers here, instead of saying that it was closed.
  await expect(first.query("test", "select 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await pools.close();
  // Past the breaker, which has just seen that nothing answers.
  await expect(first.pool.query("select 1")).rejects.toThrow("after calling end");
});
