/** A server that sends more than it may, on a real one. */
import { afterAll, expect, test } from "vitest";
import { parseServerUrl } from "#base/postgres/connection-url";
import { Listeners } from "#base/postgres/listener";
import { Pools } from "#base/postgres/pools";
import { isConnectionFailure } from "#base/postgres/sql-state";
import { serverUrl, sql } from "../support/app.ts";

const pools = new Pools(() => undefined, { maxPerDatabase: 2, maxResultBytes: 1_000_000 });
const address = parseServerUrl(serverUrl("eu"), "url");
const database = pools.open("tenant", address, "postgres");
afterAll(() => pools.close());

const repeat = (length: number) =>
  database.query<{ text: string }>("test.repeat", "select repeat('x', $1) as text", [length]);

test.each([
  ["one large row", "select repeat('x', 5000000)"],
  ["many rows", "select repeat('x', 1000) from generate_series(1, 5000)"],
  ["many short rows, of which the driver keeps more than it receives", "select null from generate_series(1, 20000)"],
  ["notices", "do $$ begin for n in 1..5000 loop raise notice '%', repeat('x', 1000); end loop; end $$"],
])("%s ends the connection, and the next statement has another one", async (_, text) => {
  const failure: unknown = await database.query("test.much", text).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    message: "Connection terminated: the server sent more than 1000000 bytes in one answer",
  });
  expect(isConnectionFailure(failure)).toBe(true);
  expect(await repeat(1)).toEqual([{ text: "x" }]);
});

test("each answer is counted for itself", async () => {
  const before = await database.query("test.pid", "select pg_backend_pid() as pid");
  for (let index = 0; index < 5; index += 1) expect((await repeat(900_000))[0]?.text).toHaveLength(900_000);
  expect(await database.query("test.pid", "select pg_backend_pid() as pid")).toEqual(before);
});

test("who listens hears on and on", async () => {
  const listeners = new Listeners(() => undefined);
  let heard = 0;
  const payload = "x".repeat(7_000);
  await listeners.on(database, "test_result_bytes", (text) => {
    heard += text === payload ? 1 : 0;
  });
  for (let index = 0; index < 200; index += 1)
    await sql(`${serverUrl("eu")}/postgres`, "select pg_notify('test_result_bytes', $1)", [payload]);
  await expect.poll(() => heard).toBe(200);
  await listeners.close();
});

test("home is trusted", async () => {
  const home = pools.open("home", address, "postgres");
  const [row] = await home.query<{ length: number }>("test.much", "select repeat('x', 5000000) as length");
  expect(row?.length).toHaveLength(5_000_000);
});
