/** COPY of one server into COPY of another, on real ones; the driver's own part in it is none. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inCall } from "#base/kernel/call";
import { copyBetween, type Copied, type CopyOptions } from "#base/postgres/copy-between";
import { parseServerUrl } from "#base/postgres/connection-url";
import type { TenantDatabase } from "#base/postgres/database";
import { Pools } from "#base/postgres/pools";
import { serverUrl, sql } from "../support/app.ts";
import { startForwarder, viaPort } from "../support/forwarder.ts";

const name = `copied_${randomBytes(5).toString("hex")}`;
// An answer may have this much. What is copied is no answer.
const pools = new Pools(() => undefined, { maxPerDatabase: 2, maxResultBytes: 1_000_000 });
const open = (url: string): TenantDatabase => pools.open("tenant", parseServerUrl(url, "url"), name);
const from = open(serverUrl("home"));
const to = open(serverUrl("eu"));

beforeAll(async () => {
  for (const server of ["home", "eu"] as const) await sql(`${serverUrl(server)}/postgres`, `create database ${name}`);
  await to.query("test.table", "create table public.rows (n int primary key, body text)");
});
afterAll(async () => {
  await pools.close();
  for (const server of ["home", "eu"] as const)
    await sql(`${serverUrl(server)}/postgres`, `drop database ${name} with (force)`);
});

/** One transaction of the target: what is thrown in it is as if it had never been. */
function copy(
  select: string,
  options: CopyOptions & { source?: TenantDatabase; target?: TenantDatabase } = {},
): Promise<Copied> {
  const { source = from, target = to, ...rest } = options;
  return source.session((a) =>
    target.session(async (b) => {
      await b.script("test.begin", "begin; delete from public.rows");
      const copied = await copyBetween(
        "test.copy",
        { session: a, out: `copy (${select}) to stdout` },
        { session: b, into: "copy public.rows from stdin" },
        rest,
      );
      await b.script("test.commit", "commit");
      return copied;
    }),
  );
}

const sum = async (database: TenantDatabase, of: string) =>
  database.query<{ rows: string; digest: string }>(
    "test.sum",
    `select count(*)::text as rows, md5(string_agg(md5(n || coalesce(body, '-')), '' order by n)) as digest from (${of}) one`,
  );

test.each([
  ["no row", "select 1, null where false", 0],
  ["one row", "select 1, 'x'", 1],
  [
    "empty rows and nulls",
    "select n, case n % 3 when 0 then '' when 1 then E'\\\\.\\n\\t' end from generate_series(1, 5000) n",
    5_000,
  ],
  ["rows of every length", "select n, repeat('é', n) from generate_series(1, 4000) n", 4_000],
  ["rows that are larger than any piece", "select n, repeat(md5(n::text), 40000) from generate_series(1, 12) n", 12],
  ["very many rows", "select n, 'x' from generate_series(1, 300000) n", 300_000],
])("%s arrive as they are", async (_, select, rows) => {
  const named = select.replace(/^select (\S+), (.*?)( from | where |$)/, "select $1 as n, $2 as body$3");
  const copied = await copy(select);
  expect(copied.rows).toBe(rows);
  expect(await sum(to, "select n, body from public.rows")).toEqual(await sum(from, named));
  // The connections are as they were, and know the bound again.
  expect(await from.query("test.one", "select 1 as one")).toEqual([{ one: 1 }]);
  await expect(from.query("test.much", "select repeat('x', 2000000)")).rejects.toThrow("the server sent more than");
});

test("progress is told, and what was copied at last", async () => {
  const told: Copied[] = [];
  const copied = await copy("select n, pg_sleep(0.3)::text from generate_series(1, 8) n", {
    onProgress: (now) => told.push(now),
  });
  expect(copied.rows).toBe(8);
  expect(told.length).toBeGreaterThan(0);
  expect(told.map(({ rows }) => rows)).toEqual(told.map(({ rows }) => rows).toSorted((a, b) => a - b));
});

test.each([
  ["the source", "select n, (1 / (200000 - n))::text from generate_series(1, 300000) n", "division by zero"],
  ["the target", "select n % 200000, 'x' from generate_series(1, 300000) n", "duplicate key value"],
  ["the source at once", "select nothing", 'column "nothing" does not exist'],
])("what %s refuses is thrown, and nothing of it stays", async (_, select, message) => {
  await copy("select 1, 'kept'");
  await expect(copy(select)).rejects.toThrow(message);
  await expect.poll(() => to.query("test.rows", "select * from public.rows")).toEqual([{ n: 1, body: "kept" }]);
  expect(await copy("select 1, 'kept'")).toMatchObject({ rows: 1 });
});

test("who no longer waits ends it on both servers", async () => {
  const statements = async () => {
    const found = await Promise.all(
      (["home", "eu"] as const).map((server) =>
        sql(
          `${serverUrl(server)}/postgres`,
          "select pid from pg_stat_activity where datname = $1 and state = 'active'",
          [name],
        ),
      ),
    );
    return found.flat().length;
  };
  const forever = "select n, pg_sleep(0.01)::text from generate_series(1, 1000000) n";
  for (const asCall of [false, true]) {
    const abort = new AbortController();
    const work = asCall
      ? inCall({ signal: abort.signal }, () => copy(forever))
      : copy(forever, { signal: abort.signal });
    const ended = work.catch((error: unknown) => error);
    await expect.poll(statements).toBe(2);
    abort.abort(new Error("no more"));
    expect(await ended).toMatchObject({ message: "no more" });
    await expect.poll(statements, { timeout: 15_000 }).toBe(0);
  }
});

test.each(["source", "target"] as const)("a %s that falls silent in the middle is given up", async (side) => {
  const server = serverUrl(side === "source" ? "home" : "eu");
  await using forwarder = await startForwarder(server);
  const far = open(viaPort(server, forwarder.port));
  await copy("select 1, 'kept'");
  let hole: Disposable | undefined;
  const work = copy("select n, repeat(md5(n::text), 1000) || pg_sleep(0.001) from generate_series(1, 3000) n", {
    [side]: far,
    silentMs: 1_500,
    onProgress: () => {
      hole ??= forwarder.swallow();
    },
  });
  await expect(work).rejects.toThrow(/^Connection terminated/);
  hole?.[Symbol.dispose]();
  await expect.poll(() => to.query("test.rows", "select n from public.rows"), { timeout: 10_000 }).toEqual([{ n: 1 }]);
});
