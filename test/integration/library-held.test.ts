/** A team's statements while their placement is closed in its database for a moment, and when it is in another one afterwards. */
import { drizzle } from "drizzle-orm/node-postgres";
import { sql as raw } from "drizzle-orm";
import { type Generated, Kysely, PostgresDialect } from "kysely";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import type { TenantDatabase } from "../../src/base/postgres/database.ts";
import { closeForGood, closeForMoment, drain, reopen } from "../../src/engine/moves/hold.ts";
import type { Tenant, Tenantry } from "../../src/library/index.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { registerRegion } from "../support/journey.ts";
import { grantActive, INVOICES, openLibrary } from "../support/library.ts";

let app: TestApp;
let tenantry: Tenantry;
beforeAll(async () => {
  app = await startApp({ tenantSchema: INVOICES });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  tenantry = await openLibrary(app);
});
afterAll(async () => {
  await tenantry.close();
  await app.stop();
});

type Placed = {
  id: string;
  organizationId: string;
  number: number;
  url: string;
  databaseId: number;
  database: TenantDatabase;
};

async function place(regionKey: "eu" | "us"): Promise<Placed> {
  const { id: organizationId } = await tenantry.organizations.create({ name: "Held" });
  const { id, number, database } = await grantActive(tenantry, { organizationId, regionKey, isolation: "SHARED" });
  const server = serverUrl(regionKey);
  const url = `${server}/${database}`;
  const [identity] = await sql<{ id: number }>(url, "select database_id as id from tenantry.identity");
  const open = app.services.pools.open("tenant", parseServerUrl(server, "url"), database);
  return { id, organizationId, number, url, databaseId: identity?.id ?? 0, database: open };
}

let placed: Placed;
let eu: Tenant;
beforeEach(async () => {
  placed = await place("eu");
  eu = await tenantry.tenant({ organizationId: placed.organizationId });
});

const INSERT = "insert into app.invoices (number) values ($1)";
const numbers = async ({ url }: Pick<Placed, "url"> = placed) =>
  (
    await sql<{ number: string }>(url, "select number from app.invoices where organization_id = $1 order by number", [
      placed.organizationId,
    ])
  ).map(({ number }) => number);

const hold = (ms = 60_000) => closeForMoment(placed.database, placed.number, ms);

/** Begins all of it while the placement is held, and lets it go on when a read has been answered. */
async function duringHold(...works: (() => Promise<unknown>)[]): Promise<void> {
  await hold();
  let done = 0;
  const all = Promise.all(works.map((work) => work().then(() => (done += 1))));
  await eu.query("select number from app.invoices");
  expect(done).toBe(0);
  await reopen(placed.database, placed.number);
  await all;
}

test("single statements wait, through query, the pool, its clients, Drizzle and Kysely", async () => {
  type Database = { invoices: { id: Generated<string>; number: string } };
  const kysely = new Kysely<Database>({ dialect: new PostgresDialect({ pool: eu.pool }) }).withSchema("app");
  const client = await eu.pool.connect();
  try {
    await duringHold(
      () => eu.query(INSERT, ["1"]),
      () => eu.query("insert into app.invoices (number) values ('2'); insert into app.invoices (number) values ('3')"),
      () => eu.pool.query(INSERT, ["4"]),
      () => client.query(INSERT, ["5"]),
      () => drizzle(eu.pool).execute(raw`insert into app.invoices (number) values ('6')`),
      () => kysely.insertInto("invoices").values({ number: "7" }).execute(),
    );
    // The client goes on, on another connection.
    await client.query("delete from app.invoices where number = $1", ["1"]);
  } finally {
    client.release();
  }
  expect(await numbers()).toEqual(["2", "3", "4", "5", "6", "7"]);
  const entries = await sql(
    placed.url,
    "select from tenantry.audit_log where organization_id = $1 and via = 'LIBRARY'",
    [placed.organizationId],
  );
  expect(entries).toHaveLength(8);
});

test("updating and deleting wait too", async () => {
  await eu.query("insert into app.invoices (number) values ('1'), ('2')");
  await duringHold(
    () => eu.query("update app.invoices set number = '3' where number = '1'"),
    () => eu.query("delete from app.invoices where number = '2'"),
  );
  expect(await numbers()).toEqual(["3"]);
});

test("a transaction that is a function is run again, from its beginning", async () => {
  let runs = 0;
  await eu.transaction(async (tx) => {
    runs += 1;
    await tx.query("select from app.invoices");
    if (runs === 1) await hold(400);
    await tx.query(INSERT, ["1"]);
    await tx.query(INSERT, ["2"]);
  });
  expect([runs, await numbers()]).toEqual([2, ["1", "2"]]);
  // What was written before it was closed is not there twice.
  await eu.transaction(async (tx) => {
    runs += 1;
    await tx.query(INSERT, ["3"]);
    if (runs === 3) await hold(400);
    await tx.query(INSERT, ["4"]);
  });
  expect([runs, await numbers()]).toEqual([4, ["1", "2", "3", "4"]]);
});

test("a transaction of a pool's client waits with its first statement, and is told to begin again later", async () => {
  const db = drizzle(eu.pool);
  await duringHold(() => db.transaction((tx) => tx.execute(raw`insert into app.invoices (number) values ('1')`)));
  const late = db.transaction(async (tx) => {
    await tx.execute(raw`insert into app.invoices (number) values ('2')`);
    await hold();
    await tx.execute(raw`insert into app.invoices (number) values ('3')`);
  });
  await expect(late).rejects.toMatchObject({
    cause: {
      code: "LIMIT_EXCEEDED",
      retryAfterSeconds: 1,
      message:
        "The organization's data in region eu is being moved and takes no writes for a moment. The transaction cannot go on: run it again from its beginning.",
    },
  });
  await drain(placed.database, placed.number, 2_000);
  await reopen(placed.database, placed.number);
  expect(await numbers()).toEqual(["1"]);
});

test("whoever gives up while waiting has written nothing, and the next statement of the client works", async () => {
  await hold();
  await expect(eu.query(INSERT, ["1"], { signal: AbortSignal.timeout(200) })).rejects.toThrow("timeout");
  const hasty = await tenantry.tenant({ organizationId: placed.organizationId, signal: AbortSignal.timeout(400) });
  const client = await hasty.pool.connect();
  await client.query("begin");
  await expect(client.query(INSERT, ["2"])).rejects.toThrow("timeout");
  // The connection may be gone with the statement that was given up.
  await expect(client.query("select 1")).rejects.toThrow(/timeout|cannot be reached now/);
  expect((await client.query("rollback")).command).toBe("ROLLBACK");
  client.release();
  await reopen(placed.database, placed.number);
  await eu.query(INSERT, ["3"]);
  expect(await numbers()).toEqual(["3"]);
});

test("writers go on in another database when the placement was switched to it, and their handle with them", async () => {
  const to = await place("us");
  await closeForMoment(to.database, placed.number, 60_000);
  const written: string[] = [];
  let isOver = false;
  const writer = async (name: string, write: (number: string) => Promise<unknown>) => {
    for (let count = 0; !isOver; count += 1) {
      await write(`${name}-${count}`);
      written.push(`${name}-${count}`);
    }
  };
  const writers = Promise.all([
    writer("Q", (number) => eu.query(INSERT, [number])),
    writer("P", (number) => eu.pool.query(INSERT, [number])),
    writer("T", (number) =>
      eu.transaction(async (tx) => {
        const [row] = await tx.query<{ id: string }>(`${INSERT} returning id`, [number]);
        await tx.query("insert into app.lines (invoice_id, text, cents) values ($1, 'Line', 1)", [row?.id]);
      }),
    ),
  ]);
  await expect.poll(() => written.length).toBeGreaterThan(10);
  await hold(3_000);
  await drain(placed.database, placed.number, 2_000);
  for (const table of ["app.invoices", "app.lines"]) {
    const rows = await sql<{ row: object }>(
      placed.url,
      `select to_jsonb(r) as row from ${table} r where organization_id = $1`,
      [placed.organizationId],
    );
    await sql(
      to.url,
      `insert into ${table} select (jsonb_populate_record(null::${table}, one || jsonb_build_object('database_id', $2::int))).*
       from jsonb_array_elements($1::jsonb) one`,
      [JSON.stringify(rows.map(({ row }) => row)), to.databaseId],
    );
  }
  const left = await numbers();
  expect(await closeForGood(placed.database, placed.number)).toBe(true);
  await reopen(to.database, placed.number);
  await sql(
    app.databaseUrl,
    `update tenantry.placements set database_id = $2, region_id = (select id from tenantry.regions where key = 'us') where id = $1`,
    [placed.id, to.databaseId],
  );
  const before = written.length;
  await expect.poll(() => written.length, { timeout: 10_000 }).toBeGreaterThan(before + 10);
  isOver = true;
  await writers;
  expect(await numbers(to)).toEqual(written.toSorted());
  expect(await numbers()).toEqual(left);
  const lines = await sql(to.url, "select from app.lines where organization_id = $1", [placed.organizationId]);
  expect(lines).toHaveLength(written.filter((number) => number.startsWith("T")).length);
});
