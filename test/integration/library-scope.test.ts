/**
 * Whatever a team's code does with a connection, the next one on it sees its own organization. Two organizations share a
 * database and its one connection, so that each test's second half is on the connection of the first, if that is used again.
 */
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from "vitest";
import type { Tenant, Tenantry } from "../../src/library/index.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { registerRegion } from "../support/journey.ts";
import { grantActive, INVOICES, openLibrary } from "../support/library.ts";
import { PageReader } from "../support/page-reader.ts";

let app: TestApp;
let tenantry: Tenantry;
let own: Tenant;
let other: Tenant;

beforeAll(async () => {
  app = await startApp({ tenantSchema: INVOICES });
  await registerRegion(app, "eu", serverUrl("eu"));
  tenantry = await openLibrary(app, { connections: { max: 1, maxPerServer: 1 } });
  const handles: Tenant[] = [];
  for (const name of ["Own", "Other"]) {
    const { id } = await tenantry.organizations.create({ name });
    await grantActive(tenantry, { organizationId: id, regionKey: "eu", isolation: "SHARED" });
    const handle = await tenantry.tenant({ organizationId: id });
    await handle.query("insert into app.invoices (number) values ($1)", [name.toUpperCase()]);
    handles.push(handle);
  }
  [own, other] = handles as [Tenant, Tenant];
});
afterAll(async () => {
  await tenantry.close();
  await app.stop();
});

const NUMBERS = "select number from app.invoices order by number";
const numbersOf = async (tenant: Pick<Tenant, "query">) =>
  (await tenant.query<{ number: string }>(NUMBERS)).map(({ number }) => number);
const numbers = ({ rows }: pg.QueryResult<{ number: string }>) => rows.map(({ number }) => number);
const pidOf = async (tenant: Tenant) => (await tenant.query<{ pid: number }>("select pg_backend_pid() as pid"))[0]?.pid;

/** Both see their own and nothing else, in every way; and whoever names nobody sees nothing. */
async function expectApart(): Promise<void> {
  for (const [tenant, theirs] of [
    [other, ["OTHER"]],
    [own, ["OWN"]],
  ] as const) {
    expect(await numbersOf(tenant)).toEqual(theirs);
    expect(numbers(await tenant.pool.query(NUMBERS))).toEqual(theirs);
    expect(numbers(await tenant.pool.query(`${NUMBERS} limit $1`, [10]))).toEqual(theirs);
    expect(await tenant.transaction(numbersOf)).toEqual(theirs);
    const client = await lent(tenant);
    expect(numbers(await client.query(NUMBERS))).toEqual(theirs);
    client.release();
  }
  const [route] = await app.services.router.routesOf(own.organizationId ?? "");
  expect(await route?.openUnscoped().query("test.nobody", NUMBERS)).toEqual([]);
}

/** Given back at the test's end, where the test has not done so: there is no other one. */
async function lent(tenant = own): Promise<pg.PoolClient> {
  const client = await tenant.pool.connect();
  onTestFinished(() => {
    try {
      client.release();
    } catch {
      // It was.
    }
  });
  return client;
}

let before: number | undefined;
beforeEach(async () => {
  before = await pidOf(own);
});

/** Whether the connection is used again. */
const isKept = async () => (await pidOf(other)) === before;

describe("a connection is used again", () => {
  test("after a statement, and after one that failed", async () => {
    expect(await isKept()).toBe(true);
    await expect(own.query("select 1 / 0")).rejects.toThrow("division by zero");
    await expect(own.query("select nothing from app.invoices where number = $1", ["A"])).rejects.toThrow("nothing");
    await expect(own.pool.query("select 1; select 1 / 0")).rejects.toThrow("division by zero");
    expect(await isKept()).toBe(true);
    await expectApart();
  });

  test("after a transaction that was committed, rolled back or failed", async () => {
    await own.transaction(numbersOf);
    await expect(own.transaction((tx) => tx.query("select 1 / 0"))).rejects.toThrow("division by zero");
    const client = await lent();
    await client.query("begin");
    await client.query("savepoint one");
    await expect(client.query("select 1 / 0")).rejects.toThrow("division by zero");
    await client.query("rollback to savepoint one");
    expect(numbers(await client.query(NUMBERS))).toEqual(["OWN"]);
    await client.query("rollback");
    client.release();
    expect(await isKept()).toBe(true);
    await expectApart();
  });

  test("after settings that end with their transaction, also a scope", async () => {
    await own.transaction(async (tx) => {
      await tx.query("set local work_mem = '1MB'");
      await tx.query(`set local tenantry.scope = '${other.organizationId}/1'`);
    });
    expect(await isKept()).toBe(true);
    await expectApart();
  });
});

/** What may outlast a transaction. */
const SUSPICIOUS = [
  "set tenantry.scope = '$other/1/operator'",
  "set session tenantry.viewer = 'operator'",
  "select set_config('tenantry.scope', '$other/1', false)",
  "do $$ begin perform set_config('tenantry.' || 'scope', '$other/1', false); end $$",
  "reset tenantry.scope",
  "reset all",
  "set role none",
  "set session authorization default",
  "set search_path = app",
  "discard all",
  "deallocate all",
  "prepare mine as select 1",
  "listen anything",
  "select pg_advisory_lock(1)",
  "declare kept cursor with hold for select * from app.invoices",
  "declare kept cursor with /* x */ hold for select * from app.invoices",
  "--\rset tenantry.scope = '$other/1'",
  "update pg_catalog.pg_settings set setting = 'public' where name = 'search_path'",
  "select 1; set tenantry.scope = '$other/1'",
  "begin; set tenantry.scope = '$other/1'; commit",
];

/** Behind a pooler it is refused what would be the reason: library-pooler.test.ts. */
const isPooled = Object.keys(inject("poolUrls")).length > 0;

describe.skipIf(isPooled)("a connection is closed rather than used again", () => {
  const others = (text: string) => text.replaceAll("$other", other.organizationId ?? "");

  test.each(SUSPICIOUS)("after %j on a client", async (text) => {
    const client = await lent();
    // DISCARD is refused, as the scope's message is a transaction.
    await client.query(others(text)).catch(() => undefined);
    client.release();
    expect(await isKept()).toBe(false);
    await expectApart();
  });

  test.each(SUSPICIOUS)("after %j from the pool, or as a statement", async (text) => {
    await own.pool.query(others(text)).catch(() => undefined);
    expect(await isKept()).toBe(false);
    await own.query(others(text)).catch(() => undefined);
    await expectApart();
  });

  test.each([true, false])("after a cursor was left open on a client that was released (%s)", async (isBroken) => {
    const client = await lent();
    const cursor = client.query(new PageReader("select number, n from app.invoices, generate_series(1, 1000) n"));
    expect(await cursor.read(2)).toHaveLength(2);
    client.release(isBroken);
    expect(await isKept()).toBe(false);
    await expectApart();
  });

  test("after a client was released in the middle of a transaction, which is rolled back", async () => {
    const client = await lent();
    await client.query("begin");
    await client.query("insert into app.invoices (number) values ('LOST')");
    client.release();
    expect(await isKept()).toBe(false);
    await expectApart();
  });

  test("after a client was released in a transaction that has failed", async () => {
    const client = await lent();
    await client.query("begin");
    await expect(client.query("select 1 / 0")).rejects.toThrow("division by zero");
    client.release();
    expect(await isKept()).toBe(false);
    await expectApart();
  });

  test("after its release with an error", async () => {
    (await own.pool.connect()).release(new Error("broken"));
    expect(await isKept()).toBe(false);
  });

  test.each([
    "begin",
    "START TRANSACTION read write",
    "/* a comment */ begin; insert into app.invoices (number) values ('LOST')",
  ])("after %j from the pool, which is refused and rolled back", async (text) => {
    await expect(own.pool.query(text)).rejects.toThrow("rolled back");
    expect(await isKept()).toBe(false);
    await expectApart();
  });

  test("after its server process has ended while a forgotten client held it, and its place is free", async () => {
    const client = await lent();
    await client.query("begin");
    await sql(`${serverUrl("eu")}/postgres`, "select pg_terminate_backend($1)", [before]);
    await expect.poll(isKept).toBe(false);
    await expect(client.query(NUMBERS)).rejects.toMatchObject({ code: "REGION_UNAVAILABLE" });
    client.release();
    await expectApart();
  });

  test("after its call was aborted in the middle of a transaction", async () => {
    const stop = new AbortController();
    const work = own.transaction(
      async (tx) => {
        await tx.query("insert into app.invoices (number) values ('LOST')");
        stop.abort(new Error("gone"));
        await tx.query("select 1");
      },
      { signal: stop.signal },
    );
    await expect(work).rejects.toThrow("gone");
    await expectApart();
  });
});

describe("within a connection", () => {
  test("several statements in one text are for the organization, up to a commit in it; behind that they are for nobody", async () => {
    const client = await lent();
    const several = (await client.query(`${NUMBERS}; ${NUMBERS}`)) as unknown as pg.QueryResult[];
    expect(several.map(numbers)).toEqual([["OWN"], ["OWN"]]);
    await client.query("begin");
    const ended = (await client.query(`${NUMBERS}; commit; ${NUMBERS}`)) as unknown as pg.QueryResult[];
    expect(ended.map(({ command }) => command)).toEqual(["SELECT", "COMMIT", "SELECT"]);
    expect([ended[0], ended[2]].map((result) => result?.rows.length)).toEqual([1, 0]);
    expect(numbers(await client.query(NUMBERS))).toEqual(["OWN"]);
    await client.query("begin");
    await client.query("commit and chain");
    expect(numbers(await client.query(NUMBERS))).toEqual(["OWN"]);
    await client.query("commit; begin");
    expect(numbers(await client.query(NUMBERS))).toEqual(["OWN"]);
    await client.query("rollback");
    client.release();
    await expectApart();
  });

  test("a transaction has the isolation that its BEGIN asks for", async () => {
    const client = await lent();
    for (const text of [
      "begin isolation level serializable, read only",
      "start transaction isolation level serializable read only; -- a comment",
      "BEGIN;\nset transaction isolation level serializable, read only",
    ]) {
      await client.query(text);
      const { rows } = await client.query(
        `select current_setting('transaction_isolation') as isolation, current_setting('transaction_read_only') as "readOnly"`,
      );
      expect(rows).toEqual([{ isolation: "serializable", readOnly: "on" }]);
      expect(numbers(await client.query(NUMBERS))).toEqual(["OWN"]);
      await client.query("commit");
    }
    client.release();
    expect(await isKept()).toBe(true);
  });

  test("a query of the pool within a transaction takes another connection, or is told in time that there is none", async () => {
    const wide = await openLibrary(app, { connections: { max: 2, maxPerServer: 2 } });
    const mine = await wide.tenant({ organizationId: own.organizationId });
    const theirs = await wide.tenant({ organizationId: other.organizationId });
    await mine.transaction(async (tx) => {
      await tx.query("update app.invoices set number = 'UNSEEN'");
      expect(numbers(await mine.pool.query(NUMBERS))).toEqual(["OWN"]);
      expect(await numbersOf(theirs)).toEqual(["OTHER"]);
      expect(await numbersOf(tx)).toEqual(["UNSEEN"]);
      await tx.query("update app.invoices set number = 'OWN'");
    });
    await wide.close();
    await own.transaction(async (tx) => {
      await expect(own.query("select 1")).rejects.toMatchObject({
        code: expect.stringMatching(/LIMIT_EXCEEDED|REGION_UNAVAILABLE/),
      });
      expect(await numbersOf(tx)).toEqual(["OWN"]);
    });
    await expectApart();
  });

  test("statements that are not waited for run one after the other, and the connection goes back after them", async () => {
    const client = await lent();
    const asked = [client.query("begin"), client.query(NUMBERS), client.query("commit"), client.query(NUMBERS)];
    client.release();
    const [, first, , second] = await Promise.all(asked);
    expect([first, second].map((result) => numbers(result as pg.QueryResult))).toEqual([["OWN"], ["OWN"]]);
    expect(await isKept()).toBe(true);
    await expectApart();
  });
});

describe("after its end", () => {
  test("a transaction takes no more statements", async () => {
    let kept: Pick<Tenant, "query"> | undefined;
    await own.transaction(async (tx) => {
      kept = tx;
    });
    await expect(kept?.query(NUMBERS)).rejects.toThrow("has ended");
    const failed = own.transaction(async (tx) => {
      kept = tx;
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    await expect(kept?.query(NUMBERS)).rejects.toThrow("has ended");
  });

  test("a client takes no more statements, and is released once", async () => {
    const client = await lent();
    client.release();
    await expect(client.query(NUMBERS)).rejects.toThrow("given back");
    expect(() => client.release()).toThrow("already been released");
  });

  test("a pool takes no more, and its connections stay for others", async () => {
    const handle = await tenantry.tenant({ organizationId: own.organizationId });
    await handle.pool.end();
    await expect(handle.pool.query(NUMBERS)).rejects.toThrow("after calling end");
    await expect(handle.pool.connect()).rejects.toThrow("after calling end");
    expect(await numbersOf(handle)).toEqual(["OWN"]);
  });
});

describe.skipIf(isPooled)("as the driver's pool", () => {
  test("it gives what the driver gives: fields, counts, commands, arrays, own parsers, prepared names, callbacks", async () => {
    const { pool } = own;
    const result = await pool.query("select number, total_cents from app.invoices where number = $1", ["OWN"]);
    expect(result).toMatchObject({ command: "SELECT", rowCount: 1, rows: [{ number: "OWN", total_cents: 0 }] });
    expect(result.fields.map(({ name }) => name)).toEqual(["number", "total_cents"]);
    expect(await pool.query("update app.invoices set total_cents = 0")).toMatchObject({
      command: "UPDATE",
      rowCount: 1,
    });
    for (const values of [[], [1]]) {
      const asArrays = {
        text: `select 7 as n${values.length === 0 ? "" : ", $1::int as m"}`,
        rowMode: "array" as const,
      };
      expect((await pool.query(asArrays, values)).rows).toEqual([[7, ...values]]);
      const types = { getTypeParser: () => (text: string) => `<${text}>` } as unknown as pg.CustomTypesConfig;
      expect((await pool.query({ ...asArrays, types }, values)).rows).toEqual([
        ["<7>", ...values.map((n) => `<${n}>`)],
      ]);
    }
    const named = { name: "mine", text: "select $1::text as said" };
    for (const said of ["a", "b"]) expect((await pool.query(named, [said])).rows).toEqual([{ said }]);
    expect(
      await own.transaction((tx) => tx.query("select name from pg_prepared_statements where name = 'mine'")),
    ).toEqual([{ name: "mine" }]);
    await expect(pool.query({ name: "mine", text: "select 1 as other" })).rejects.toThrow("must be unique");
    expect(await isKept()).toBe(false);
    await expectApart();

    const answers = await new Promise((resolve) => {
      pool.query(NUMBERS, (_error: Error, first: pg.QueryResult) =>
        pool.query("select $1::int as n", [1], (_failure: Error, second: pg.QueryResult) =>
          resolve([first.rows, second.rows]),
        ),
      );
    });
    expect(answers).toEqual([[{ number: "OWN" }], [{ n: 1 }]]);
    const failure = await new Promise((resolve) => {
      pool.connect((_error, client, release) =>
        client?.query("select 1 / 0", (error: Error) => {
          release();
          resolve(error.message);
        }),
      );
    });
    expect(failure).toBe("division by zero");
  });

  test("a cursor reads on a client, in a transaction and outside of one", async () => {
    const client = await lent();
    for (const inTransaction of [false, true]) {
      if (inTransaction) await client.query("begin");
      const cursor = client.query(new PageReader("select number, n from app.invoices, generate_series(1, 5) n"));
      const read = [await cursor.read(2), await cursor.read(2), await cursor.read(2)];
      expect(read.map((rows) => rows.length)).toEqual([2, 2, 1]);
      expect(new Set(read.flat().map(([number]) => number))).toEqual(new Set(["OWN"]));
      await cursor.done;
      if (inTransaction) await client.query("commit");
    }
    const failing = client.query(new PageReader("select nothing"));
    await expect(failing.read(1)).rejects.toThrow("nothing");
    expect(numbers(await client.query(NUMBERS))).toEqual(["OWN"]);
    client.release();
    expect(await isKept()).toBe(true);
    await expectApart();
  });

  test("a client hears notices, and sets no parsers that would stay", async () => {
    const client = await lent();
    const heard: string[] = [];
    client.on("notice", ({ message }) => heard.push(message ?? ""));
    await client.query("do $$ begin raise notice 'heard'; end $$");
    expect(heard).toEqual(["heard"]);
    expect(() => client.setTypeParser(pg.types.builtins.INT8, String)).toThrow("as types");
    expect([client.escapeIdentifier('a"b'), client.escapeLiteral("a'b")]).toEqual(['"a""b"', "'a''b'"]);
    expect(client).toHaveProperty("processID", before);
    client.release();
  });
});
