/** Several statements with parameters in one message, on a real server: what each gives, and what becomes of them when one fails. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseServerUrl } from "#base/postgres/connection-url";
import type { TenantDatabase } from "#base/postgres/database";
import { readInPieces } from "#base/postgres/pieces";
import { Pools } from "#base/postgres/pools";
import { serverUrl, sql } from "../support/app.ts";

const DATABASE = "batches";
const url = () => `${serverUrl("eu")}/${DATABASE}`;
const rows = () => sql(url(), "select id, name from public.things order by id");
let pools: Pools;
let database: TenantDatabase;

beforeAll(async () => {
  await sql(`${serverUrl("eu")}/postgres`, `create database ${DATABASE}`);
  await sql(url(), "create table public.things (id int primary key, name text)");
  pools = new Pools(() => undefined, { maxPerDatabase: 1 });
  database = pools.open("tenant", parseServerUrl(serverUrl("eu"), "url"), DATABASE);
});
afterAll(async () => {
  await pools.close();
  await sql(`${serverUrl("eu")}/postgres`, `drop database ${DATABASE} with (force)`);
});

test("each gives its rows, and a setting holds for those behind it and no longer", async () => {
  const results = await database.session((session) =>
    session.batch("test.batch", [
      { text: "select set_config($1, $2, true)", values: ["tenantry.test", "it's mine"] },
      { text: "insert into public.things values ($1, $2), ($3, null)", values: [1, "one", 2] },
      { text: "do $$ begin end $$" },
      {
        text: "select id, current_setting('tenantry.test') as value from public.things where name is not distinct from $1",
        values: [null],
      },
      { text: "select id from public.things where id > 10" },
    ]),
  );
  expect(results).toEqual([[{ set_config: "it's mine" }], [], [], [{ id: 2, value: "it's mine" }], []]);
  expect(await database.query("test.after", "select current_setting('tenantry.test', true) as value")).toEqual([
    { value: "" },
  ]);
});

test("where one fails, nothing of them is done, and the connection is not used again", async () => {
  const before = await rows();
  const failing = database.session((session) =>
    session.batch("test.batch", [
      { text: "insert into public.things values ($1, 'three')", values: [3] },
      { text: "select 1 / $1::int", values: [0] },
      { text: "insert into public.things values (4, 'four')" },
    ]),
  );
  await expect(failing).rejects.toMatchObject({ code: "22012" });
  expect(await rows()).toEqual(before);
  expect(await database.query("test.alive", "select 1 as one")).toEqual([{ one: 1 }]);
});

test("readings share their first message, and each goes on until it has all", async () => {
  await sql(url(), "truncate public.things");
  await sql(url(), "insert into public.things select i, 'Name ' || i from generate_series(1, 7) i");
  const read: Record<string, string[]> = { long: [], short: [] };
  let asked = 0;
  const reading = (name: string, most: number) => ({
    ask: (after: string | null) => {
      asked += 1;
      return {
        text: "select id::text as id from public.things where id > $1 and id <= $2 order by id limit 3",
        values: [after ?? 0, most],
      };
    },
    take: (found: readonly object[]) => {
      const ids = (found as { id: string }[]).map(({ id }) => id);
      read[name]?.push(...ids);
      return ids.length < 3 ? null : (ids.at(-1) ?? null);
    },
  });
  await readInPieces(database, "test.pieces", [reading("long", 7), reading("short", 2)], AbortSignal.timeout(10_000));
  expect(read).toEqual({ long: ["1", "2", "3", "4", "5", "6", "7"], short: ["1", "2"] });
  expect(asked).toBe(4);
});
