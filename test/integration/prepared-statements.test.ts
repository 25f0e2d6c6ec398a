/**
 * Statements that are prepared on connections, on a real server: that they are, what a migration beneath them does, and what is
 * announced after them.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseServerUrl } from "#base/postgres/connection-url";
import type { TenantDatabase } from "#base/postgres/database";
import { Listeners } from "#base/postgres/listener";
import { Pools } from "#base/postgres/pools";
import { serverUrl, sql } from "../support/app.ts";

const DATABASE = "prepared_statements";
const SCOPE = { setting: "tenantry.test", value: "mine", setter: "public.sets_test" };
const READ = "select id, name, current_setting('tenantry.test', true) as scope from public.things where id = $1";
let pools: Pools;
let database: TenantDatabase;
const url = () => `${serverUrl("eu")}/${DATABASE}`;

beforeAll(async () => {
  await sql(`${serverUrl("eu")}/postgres`, `create database ${DATABASE}`);
  await sql(
    url(),
    "create domain public.sets_test as text check (set_config('tenantry.test', value, true) is not null)",
  );
});
beforeEach(async () => {
  await sql(url(), "drop table if exists public.things");
  await sql(url(), "create table public.things (id int primary key, name text)");
  await sql(url(), "insert into public.things values (1, 'one')");
  pools = new Pools(() => undefined, { maxPerDatabase: 1 });
  database = pools.open("tenant", parseServerUrl(serverUrl("eu"), "url"), DATABASE);
  return () => pools.close();
});
afterAll(() => sql(`${serverUrl("eu")}/postgres`, `drop database ${DATABASE} with (force)`));

/** What the only connection holds. */
const prepared = async () =>
  (
    await database.query<{ statement: string }>(
      "test.prepared",
      "select statement from pg_prepared_statements order by 1",
    )
  ).map(({ statement }) => statement);

describe.each([
  ["plain", () => database],
  ["in a scope", () => database.scoped(SCOPE)],
])("%s", (kind, target) => {
  const read = () => target().query<{ name: string; scope: string | null }>("things.read", READ, [1]);
  const scope = kind === "plain" ? expect.toSatisfy((value) => value === null || value === "") : "mine";

  test("what comes again is prepared once", async () => {
    for (let index = 0; index < 5; index += 1) expect(await read()).toEqual([{ id: 1, name: "one", scope }]);
    const held = await prepared();
    expect(held.filter((statement) => statement.includes("things.read"))).toHaveLength(1);
    expect(held).toHaveLength(1);
  });

  test("the setting is gone for whoever comes next", async () => {
    for (let index = 0; index < 5; index += 1) {
      await read();
      const [row] = await database.query<{ value: string | null }>(
        "test.setting",
        "select current_setting('tenantry.test', true) as value",
      );
      expect(row?.value ?? "").toBe("");
    }
  });

  test("a column whose type a migration changed is read, then and afterwards", async () => {
    for (let index = 0; index < 5; index += 1) await read();
    await sql(url(), "alter table public.things alter column id type bigint");
    for (let index = 0; index < 5; index += 1) expect(await read()).toEqual([{ id: "1", name: "one", scope }]);
    expect((await prepared()).some((statement) => statement.includes("things.read"))).toBe(true);
  });

  test("a statement that the server refused to parse works once it can", async () => {
    await sql(url(), "alter table public.things rename to others");
    for (let index = 0; index < 5; index += 1) await expect(read()).rejects.toMatchObject({ code: "42P01" });
    await sql(url(), "alter table others rename to things");
    for (let index = 0; index < 5; index += 1) expect(await read()).toHaveLength(1);
  });

  test("a statement that failed for its values is still prepared", async () => {
    const divide = (by: number) =>
      target().query<{ result: number }>("things.divide", "select 6 / $1::int as result", [by]);
    for (let index = 0; index < 4; index += 1) expect(await divide(2)).toEqual([{ result: 3 }]);
    await expect(divide(0)).rejects.toMatchObject({ code: "22012" });
    for (let index = 0; index < 4; index += 1) expect(await divide(3)).toEqual([{ result: 2 }]);
    expect((await prepared()).filter((statement) => statement.includes("things.divide"))).toHaveLength(1);
  });
});

describe("a notice", () => {
  const CHANNEL = "things";
  let heard: string[];
  beforeEach(async () => {
    heard = [];
    const own = new Pools(() => undefined, { maxPerDatabase: 1 });
    const listeners = new Listeners((error) => {
      throw error;
    });
    const listening = own.open("tenant", parseServerUrl(serverUrl("eu"), "url"), DATABASE);
    await listeners.on(listening, CHANNEL, (payload) => heard.push(payload));
    return async () => {
      await listeners.close();
      await own.close();
    };
  });
  const announce = (text: string, values: readonly unknown[], payload: string) =>
    database.scoped(SCOPE).query("things.announce", text, values, { channel: CHANNEL, payload });
  const ADD = "insert into public.things values ($1, 'added')";

  test("is heard after what was written, with others' statements on the connection at once", async () => {
    for (let id = 10; id < 20; id += 1) {
      await announce(ADD, [id], `it's ${id}`);
      expect(await database.scoped(SCOPE).query("things.read", READ, [id])).toEqual([
        { id, name: "added", scope: "mine" },
      ]);
    }
    await expect.poll(() => heard).toEqual(Array.from({ length: 10 }, (_, index) => `it's ${10 + index}`));
  });

  test("is no part of the statement's transaction, and a refused statement leaves the connection as it was", async () => {
    for (let index = 0; index < 5; index += 1) {
      await expect(announce(ADD, [1], `refused ${index}`)).rejects.toMatchObject({ code: "23505" });
      await announce(ADD, [100 + index], `done ${index}`);
    }
    await expect
      .poll(() => heard)
      .toEqual(Array.from({ length: 5 }, (_, index) => [`refused ${index}`, `done ${index}`]).flat());
    expect(await sql(url(), "select id from public.things where id >= 100")).toHaveLength(5);
  });

  test("of many statements at once goes with those of others, the same words only once, and none is lost", async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        announce(ADD, [300 + index], index % 2 === 0 ? `one ${index}` : "the same"),
      ),
    );
    await expect.poll(() => new Set(heard).size, { timeout: 5_000 }).toBe(31);
    expect(heard.filter((payload) => payload === "the same").length).toBeLessThan(30);
  });

  test("is announced when the database is closed right after the statement", async () => {
    await announce(ADD, [400], "first");
    await announce(ADD, [401], "last");
    await database.close();
    await expect.poll(() => heard).toEqual(["first", "last"]);
  });

  test("that was not announced fails nothing", async () => {
    // Longer than the server takes.
    const payload = "x".repeat(8_000);
    await announce(ADD, [200], payload);
    await announce(ADD, [201], "after");
    await expect.poll(() => heard).toEqual(["after"]);
    expect(await sql(url(), "select id from public.things where id >= 200")).toHaveLength(2);
  });
});
