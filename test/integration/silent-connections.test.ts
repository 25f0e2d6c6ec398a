/**
 * Connections from which nothing comes although something was asked: a router forgets one of them while new ones pass, or a
 * region's server is gone behind a way that swallows everything. What waits ends within seconds, at both ends, and what only takes long does not.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import type { DatabaseKind } from "../../src/base/postgres/database.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import type { Reach } from "../../src/base/postgres/reach.ts";
import { isConnectionFailure } from "../../src/base/postgres/sql-state.ts";
import { serverUrl, sql } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { eventually } from "../support/journey.ts";

/** A statement that is held up for no longer has not been ended by its own bound, or by a system's. */
const NOTICED_MS = 15_000;

let via: Forwarder;
let pools: Pools;
let forgotten: unknown[];
let reach: Reach[];

beforeEach(async () => {
  via = await startForwarder(serverUrl("eu"));
  pools = new Pools(() => undefined, { closeTimeoutMs: 500, pulseMs: 500 });
  forgotten = [];
  reach = [];
  pools.onForgotten((news) => forgotten.push(news));
  pools.onReach((news) => reach.push(news));
});
afterEach(async () => {
  await pools.close();
  await via[Symbol.asyncDispose]();
});

const open = <Kind extends DatabaseKind>(kind: Kind) =>
  pools.open(kind, { ...parseServerUrl(viaPort(serverUrl("eu"), via.port), "url"), region: "eu" }, "postgres");

/** Sessions at the server that run, or have left open, what is called so. */
const sessions = (name: string) =>
  sql(
    serverUrl("eu"),
    `select from pg_stat_activity where query like '/* tenantry: ' || $1 || ' */%' and (state <> 'idle' or xact_start is not null)`,
    [name],
  );

/** How the statement ended, within the time in which it is noticed that nothing comes. */
async function endOf(statement: Promise<unknown>): Promise<string> {
  const outcome = statement.then(
    () => "answered",
    (error: unknown) => (isConnectionFailure(error) ? "the connection is gone" : String(error)),
  );
  let end = "nothing came";
  void outcome.then((said) => (end = said));
  await eventually(async () => end !== "nothing came", NOTICED_MS);
  return end;
}

describe("a connection that was forgotten on its way", () => {
  test.each(["home", "server", "tenant"] as const)(
    "is noticed when a statement is not heard by the server (%s)",
    async (kind) => {
      const database = open(kind);
      await database.query("test.first", "select");
      expect(via.forget()).toBe(1);
      expect(await endOf(database.query("test.second", "select"))).toBe("the connection is gone");
      expect(forgotten).toEqual([{ region: "eu", isHome: kind === "home", connections: 1 }]);
      // New ones pass.
      expect(await endOf(database.query("test.third", "select"))).toBe("answered");
      expect(reach).toEqual([]);
    },
  );

  test("is noticed when the answer to a statement is lost, and not before the statement has ended", async () => {
    const database = open("server");
    const asked = database.query("test.long", "select pg_sleep(5)");
    expect(await eventually(async () => (await sessions("test.long")).length === 1)).toBe(true);
    const begun = performance.now();
    via.forget();
    expect(await endOf(asked)).toBe("the connection is gone");
    expect(performance.now() - begun).toBeGreaterThan(4_500);
  });

  test("leaves no transaction behind at the server", async () => {
    const database = open("home");
    const work = database.transaction(async (transaction) => {
      await transaction.query("test.open", "select pg_advisory_xact_lock(1)");
      via.forget();
      await transaction.query("test.more", "select");
    });
    expect(await endOf(work)).toBe("the connection is gone");
    expect(await eventually(async () => (await sessions("test.open")).length === 0)).toBe(true);
  });
});

test("a statement that takes long is not ended, while others on forgotten connections are", async () => {
  const [long, short] = [open("server"), open("tenant")];
  const asked = long.query("test.long", "select pg_sleep(7)");
  await short.query("test.first", "select");
  const [row] = await sql<{ port: number }>(
    serverUrl("eu"),
    "select client_port as port from pg_stat_activity where query like '/* tenantry: test.first */%'",
  );
  expect(via.forget([row?.port ?? 0])).toBe(1);
  expect(await endOf(short.query("test.second", "select"))).toBe("the connection is gone");
  expect(await endOf(asked)).toBe("answered");
  expect(reach).toEqual([]);
});

test("a region's server that is gone is noticed under what waits for it, told once, and told when it is back", async () => {
  const database = open("server");
  await database.query("test.first", "select");
  {
    using _ = via.swallow();
    expect(await endOf(database.query("test.second", "select"))).toBe("the connection is gone");
    expect(reach).toMatchObject([{ region: "eu", isThere: false }]);
  }
  expect(await eventually(async () => (await endOf(database.query("test.third", "select"))) === "answered")).toBe(true);
  expect(reach).toMatchObject([{ isThere: false }, { region: "eu", isThere: true }]);
  expect(forgotten).toEqual([]);
});

test("a region's server that goes away and comes back is noticed while nobody asks for it", async () => {
  await open("server").query("test.first", "select");
  await via.shut();
  expect(await eventually(async () => reach.length === 1)).toBe(true);
  expect(reach).toMatchObject([{ region: "eu", isThere: false, code: "ECONNREFUSED" }]);
  await via.open();
  expect(await eventually(async () => reach.length === 2)).toBe(true);
  expect(reach).toMatchObject([{ isThere: false }, { region: "eu", isThere: true }]);
});

test("a connection that is given back with a transaction open is ended at the server", async () => {
  const database = open("home");
  const lease = await database.lend([]);
  await lease.begin("");
  await lease.query({ text: "/* tenantry: test.lent */ select pg_advisory_xact_lock(2)" });
  via.forget();
  lease.giveBack();
  expect(await eventually(async () => (await sessions("test.lent")).length === 0, NOTICED_MS)).toBe(true);
});
