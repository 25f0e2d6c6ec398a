/** Many tenant databases and few connections, on real servers, one of which is restarted beneath its callers. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { inCall } from "#base/kernel/call";
import { parseServerUrl } from "#base/postgres/connection-url";
import type { TenantDatabase } from "#base/postgres/database";
import { Pools } from "#base/postgres/pools";
import { sql } from "../support/app.ts";
import { eventually } from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const DATABASES = Array.from({ length: 40 }, (_, index) => `tenant_${index}`);
const BUDGET = { max: 8, maxPerServer: 8, maxConnecting: 3, maxWaitMs: 20_000 };

let own: OwnServer;
let pools: Pools;
const open = (name: string): TenantDatabase =>
  pools.open("tenant", parseServerUrl(own.url(), "url"), name, { budgeted: true });
const read = async (database: TenantDatabase, seconds = 0) => {
  const [row] = await database.query<{ name: string }>(
    "test.read",
    "select current_database() as name, pg_sleep($1) is null as slept",
    [seconds],
  );
  return row?.name;
};
const connections = async () =>
  (
    await sql<{ name: string }>(
      own.url("postgres"),
      "select datname as name from pg_stat_activity where application_name = 'tenantry tenant'",
    )
  ).map(({ name }) => name);

beforeAll(async () => {
  own = await startServer({ databases: DATABASES });
});
afterAll(() => own[Symbol.asyncDispose]());
beforeEach(() => {
  pools = new Pools(() => undefined, {}, BUDGET);
  return () => pools.close();
});

test("forty databases are read at random with eight connections, each by itself", async () => {
  let most = 0;
  let done = false;
  const watching = (async () => {
    while (!done) most = Math.max(most, (await connections()).length);
  })();
  const caller = async (seed: number) => {
    for (let index = 0; index < 25; index += 1) {
      const name = DATABASES[(seed * 7_919 + index * 104_729) % DATABASES.length] ?? "";
      expect(await read(open(name))).toBe(name);
    }
  };
  await Promise.all(Array.from({ length: 40 }, (_, seed) => caller(seed)));
  done = true;
  await watching;
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(BUDGET.max);
  expect(pools.mostBudgeted).toBeLessThanOrEqual(BUDGET.max);
});

test("busy databases keep nobody out", async () => {
  let served = 0;
  let stop = false;
  const busy = (name: string) => async () => {
    while (!stop) {
      await read(open(name), 0.002);
      served += 1;
    }
  };
  // Three of them, each with more callers than it may have connections, want twelve of the eight there are.
  const running = Promise.all(DATABASES.slice(0, 3).flatMap((name) => Array.from({ length: 12 }, busy(name))));
  await eventually(async () => served > 200);
  for (const name of DATABASES.slice(3, 13)) expect(await read(open(name))).toBe(name);
  stop = true;
  await running;
  expect(pools.mostBudgeted).toBe(BUDGET.max);
});

test("whoever has gone leaves the line, and whoever waits where nothing moves is told that", async () => {
  await pools.close();
  pools = new Pools(() => undefined, {}, { ...BUDGET, max: 1, maxWaitMs: 200 });
  const gone = new AbortController();
  const [first, second, third] = DATABASES.slice(0, 3).map(open) as [TenantDatabase, TenantDatabase, TenantDatabase];
  const holding = read(first, 1.5);
  await eventually(async () => (await connections()).length === 1);
  const leaving = inCall({ signal: gone.signal }, () => read(second));
  gone.abort(new Error("gone"));
  await expect(leaving).rejects.toThrow("gone");
  await expect(read(third)).rejects.toThrow("timeout exceeded when trying to connect");
  expect(await holding).toBe(DATABASES[0]);
  expect(await read(third)).toBe(DATABASES[2]);
});

test("a server that comes back is not overrun by those who waited, and has lost no permit", async () => {
  await Promise.all(DATABASES.slice(0, 8).map((name) => read(open(name))));
  await own.server.kill();
  const away = await Promise.allSettled(DATABASES.map((name) => read(open(name))));
  expect(away.every(({ status }) => status === "rejected")).toBe(true);
  await own.server.start();
  // The breaker lets one caller try at first.
  await eventually(async () => (await read(open("tenant_0")).catch(() => undefined)) === "tenant_0");
  let most = 0;
  let done = false;
  const watching = (async () => {
    while (!done) most = Math.max(most, (await connections()).length);
  })();
  const names = Array.from({ length: 200 }, (_, index) => DATABASES[index % DATABASES.length] ?? "");
  expect(await Promise.all(names.map((name) => read(open(name))))).toEqual(names);
  done = true;
  await watching;
  expect(most).toBeLessThanOrEqual(BUDGET.max);
  expect(pools.mostBudgeted).toBe(BUDGET.max);
});
