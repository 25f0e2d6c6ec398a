/** The library's pool under Drizzle and Kysely, as a team uses them: each sees its own organization, in a transaction too. */
import { eq, sql as raw } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgSchema, text, uuid } from "drizzle-orm/pg-core";
import { type Generated, Kysely, PostgresDialect } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tenant, Tenantry } from "../../src/library/index.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { registerRegion } from "../support/journey.ts";
import { INVOICES, openLibrary } from "../support/library.ts";

let app: TestApp;
let tenantry: Tenantry;
let own: Tenant;
let other: Tenant;

beforeAll(async () => {
  app = await startApp({ tenantSchema: INVOICES });
  await registerRegion(app, "eu", serverUrl("eu"));
  // Two connections for two organizations that share a database: each connection serves both in turn.
  tenantry = await openLibrary(app, { connections: { max: 2, maxPerServer: 2 } });
  const place = async (name: string) => {
    const { id } = await tenantry.organizations.create({ name });
    await tenantry.grant({ organizationId: id, regionKey: "eu", isolation: "SHARED" });
    return tenantry.tenant({ organizationId: id });
  };
  own = await place("Own");
  other = await place("Other");
});
afterAll(async () => {
  await tenantry.close();
  await app.stop();
});

/** What home lists, which each write has reached when it returns. */
const catalog = async () =>
  (await sql<{ number: string }>(app.databaseUrl, "select number from catalog.invoices order by number")).map(
    ({ number }) => number,
  );

test("Drizzle writes, reads, nests transactions and rolls them back", async () => {
  const invoices = pgSchema("app").table("invoices", {
    id: uuid("id").notNull(),
    number: text("number").notNull(),
    totalCents: integer("total_cents").notNull(),
  });
  const [db, theirs] = [drizzle(own.pool), drizzle(other.pool)];
  await db.execute(raw`insert into app.invoices (number) values ('D-0')`);
  const [added] = await db.insert(invoices).values({ id: own.newId(), number: "D-1", totalCents: 5 }).returning();
  expect(added).toMatchObject({ number: "D-1" });
  expect(await catalog()).toEqual(["D-0", "D-1"]);
  await db.transaction(
    async (tx) => {
      await tx.update(invoices).set({ number: "D-2" }).where(eq(invoices.number, "D-1"));
      const nested = tx.transaction(async (inner) => {
        await inner.insert(invoices).values({ id: own.newId(), number: "D-9", totalCents: 5 });
        throw new Error("the savepoint is rolled back");
      });
      await expect(nested).rejects.toThrow("rolled back");
    },
    { isolationLevel: "serializable" },
  );
  const undone = db.transaction(async (tx) => {
    await tx.delete(invoices);
    tx.rollback();
  });
  await expect(undone).rejects.toThrow("Rollback");
  const rows = await db.select().from(invoices).orderBy(invoices.number);
  expect(rows.map(({ number }) => number)).toEqual(["D-0", "D-2"]);
  expect(await catalog()).toEqual(["D-0", "D-2"]);
  expect(await theirs.select().from(invoices)).toEqual([]);
  const byNumber = db
    .select()
    .from(invoices)
    .where(eq(invoices.number, raw.placeholder("number")))
    .prepare("by_number");
  for (const number of ["D-0", "D-2"]) expect(await byNumber.execute({ number })).toHaveLength(1);
  await db.delete(invoices);
  expect(await catalog()).toEqual([]);
});

test("Kysely writes, reads and uses savepoints", async () => {
  type Database = { invoices: { id: Generated<string>; number: string; total_cents: Generated<number> } };
  const open = (tenant: Tenant) =>
    new Kysely<Database>({ dialect: new PostgresDialect({ pool: tenant.pool }) }).withSchema("app");
  const [db, theirs] = [open(own), open(other)];
  await db.insertInto("invoices").values({ number: "K-1" }).execute();
  expect(await catalog()).toEqual(["K-1"]);
  const { numUpdatedRows } = await db.updateTable("invoices").set({ total_cents: 7 }).executeTakeFirstOrThrow();
  expect(numUpdatedRows).toBe(1n);
  await db.transaction().execute((trx) => trx.insertInto("invoices").values({ number: "K-2" }).execute());
  const failing = db
    .transaction()
    .setIsolationLevel("serializable")
    .execute(async (trx) => {
      await trx.insertInto("invoices").values({ number: "K-3" }).execute();
      throw new Error("nothing of it stays");
    });
  await expect(failing).rejects.toThrow("nothing of it stays");
  expect(await catalog()).toEqual(["K-1", "K-2"]);
  const begun = await db.startTransaction().execute();
  await begun.insertInto("invoices").values({ number: "K-4" }).execute();
  const saved = await begun.savepoint("before").execute();
  await saved.deleteFrom("invoices").execute();
  await saved.rollbackToSavepoint("before").execute();
  await begun.commit().execute();
  const rows = await db.selectFrom("invoices").select("number").orderBy("number").execute();
  expect(rows.map(({ number }) => number)).toEqual(["K-1", "K-2", "K-4"]);
  expect(await theirs.selectFrom("invoices").selectAll().execute()).toEqual([]);
});
