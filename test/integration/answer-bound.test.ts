/** What a server that is not trusted may send in answer to one statement. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseServerUrl } from "../../src/postgres/connection-url.ts";
import { MAX_ANSWER_BYTES } from "../../src/postgres/answer-bound.ts";
import { Pools } from "../../src/postgres/pools.ts";
import { isConnectionFailure } from "../../src/postgres/sql-state.ts";
import { serverUrl } from "../support/app.ts";

let pools: Pools;
beforeAll(() => {
  pools = new Pools(() => undefined);
});
afterAll(() => pools.close());

const open = () => pools.open("server", parseServerUrl(serverUrl("eu"), "eu"), "postgres");
const MEGABYTES = MAX_ANSWER_BYTES / 1024 / 1024;
/** So many rows of a megabyte. */
const ROWS = "select repeat('x', 1024 * 1024) as text from generate_series(1, $1::int)";

test("an answer that is larger ends the connection, which counts as lost, and the next statement has another one", async () => {
  const before = process.memoryUsage().rss;
  const error: unknown = await open()
    .query("test", ROWS, [20 * MEGABYTES])
    .catch((reason: unknown) => reason);
  expect(isConnectionFailure(error)).toBe(true);
  expect(String(error)).toContain(`more than ${MEGABYTES} MB`);
  expect(process.memoryUsage().rss - before).toBeLessThan(6 * MAX_ANSWER_BYTES);
  expect(await open().query("test", "select 1 as one")).toEqual([{ one: 1 }]);
});

test("also where it is one value, and where it is notices", async () => {
  await expect(open().query("test", `select repeat('x', ${MAX_ANSWER_BYTES + 1}) as text`)).rejects.toThrow(
    "more than",
  );
  const flood = `do $$ begin for n in 1..200000 loop raise notice '%', repeat('x', 1000); end loop; end $$`;
  await expect(open().query("test", flood)).rejects.toThrow("more than");
});

test("answers add up to nothing: each statement may send as much", async () => {
  for (let n = 0; n < 4; n += 1) expect(await open().query("test", ROWS, [MEGABYTES / 2])).toHaveLength(MEGABYTES / 2);
});
