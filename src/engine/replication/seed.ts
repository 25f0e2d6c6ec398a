/**
 * Makes a subscriber's copy equal to the publisher's rows: missing rows are added, changed ones updated, extra
 * ones removed. Done between making the slot and making the subscription, so that the stream replays everything
 * since before the snapshot; replaying what the copy already has changes nothing in the end.
 *
 * The rows come in the order of their keys, a batch at a time. Each batch is compared with the copy's rows between the batch's
 * first and last key, in one statement that is a transaction of its own. So a seed takes the same memory and the same short
 * locks however many rows there are, and one that is cut off leaves rows that the next one finds equal.
 *
 * Rows of a region go the way that the stream's rows go: into home's inbox, where the guard looks at each row. Only
 * rows that differ are written, as each passes the guard.
 */
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Session } from "#base/postgres/database";
import { sqlState } from "#base/postgres/sql-state";
import type { Link, PublishedTable } from "#engine/replication/link";
import { type Range, type SeedStatement, seedStatement } from "#engine/replication/seed-statement";
import {
  type Batch,
  inTime,
  readBatches,
  SEED_BOUNDS,
  type SeedBounds,
  type SeedCount,
  type TextRow,
} from "#engine/replication/seed-rows";

/** Of a session, at home: the tenant database that the inbox's rows are of (engine/schema/home/0001_home.sql). */
export const CATALOG_SENDER_SETTING = "tenantry.catalog_sender";

/** Values travel as text, so both sides must read and write them in the same way. */
const VALUE_SETTINGS = {
  datestyle: "'ISO'",
  timezone: "'UTC'",
  intervalstyle: "'postgres'",
  extra_float_digits: "1",
  bytea_output: "'hex'",
};
/**
 * A batch is read and compared by way of the key's index, whatever the planner believes of a table that was filled a moment
 * ago. Of the joins of one batch, the nested loop is the one whose cost is not linear.
 */
const PLAN_SETTINGS = {
  enable_seqscan: "off",
  enable_sort: "off",
  enable_nestloop: "off",
  jit: "off",
};
const SETTINGS = Object.entries({ ...VALUE_SETTINGS, ...PLAN_SETTINGS });
const SNAPSHOT = [
  "begin isolation level repeatable read",
  ...SETTINGS.map(([name, value]) => `set local ${name} = ${value}`),
].join("; ");
const SET = SETTINGS.map(([name, value]) => `set ${name} = ${value}`).join("; ");
const RESET = [...SETTINGS.map(([name]) => name), CATALOG_SENDER_SETTING].map((name) => `reset ${name}`).join("; ");

/**
 * Seeds every table of the link. Blocks no writer of the publisher. Throws LIMIT_EXCEEDED for more than `bounds` allow, and
 * REGION_UNAVAILABLE for answers that are no rows or take too long; what was taken in by then stays.
 */
export async function seed(link: Link, bounds: SeedBounds = SEED_BOUNDS): Promise<void> {
  // Sessions that fail are hung up on: a server that has stopped answering does not answer a rollback either.
  await link.publisher.database.session((source) =>
    link.subscriber.database.session(async (target) => {
      await inTime(source.script("seed.begin", SNAPSHOT), bounds.answerMs);
      await inTime(target.script("seed.settings", SET), bounds.answerMs);
      if (link.direction === "catalog")
        await target.query("seed.sender", "select set_config($1, $2, false)", [
          CATALOG_SENDER_SETTING,
          String(link.databaseId),
        ]);
      const count: SeedCount = { rows: 0, bytes: 0, startedAt: performance.now() };
      for (const table of link.tables) await seedTable({ link, source, target, bounds }, table, count);
      await inTime(target.script("seed.reset", RESET), bounds.answerMs);
      await inTime(source.script("seed.end", "commit"), bounds.answerMs);
    }),
  );
}

type Seeding = {
  link: Link;
  source: Session<DatabaseKind>;
  target: Session<DatabaseKind>;
  bounds: SeedBounds;
};

async function seedTable({ link, source, target, bounds }: Seeding, table: PublishedTable, count: SeedCount) {
  const { databaseId, direction } = link;
  const write = async (kind: SeedStatement, range: Range, json: string) => {
    const { text, values } = seedStatement(table, kind, range);
    await inTime(target.query("seed.write", text, [databaseId, json, ...values]), bounds.answerMs);
  };
  let after: readonly string[] | undefined;
  let told = { ...count };
  for await (const batch of readBatches(source, table, databaseId, count, bounds)) {
    // What was read has crossed the border, whatever becomes of the seed.
    link.ledger.seeded(table.table, count.rows - told.rows, count.bytes - told.bytes);
    told = { ...count };
    const { rows, last } = inOrder(table, batch, after);
    const range = { after, upTo: batch.isLast ? undefined : last };
    const json = JSON.stringify(rows.map((row) => toObject(table, databaseId, row)));
    if (direction === "directory") await write("trusted", range, json);
    else
      await write("guarded", range, json).catch((error: unknown) => {
        // A value that is none of its column's type: each is read by itself, and what cannot be read is null.
        if (sqlState(error)?.startsWith("22") !== true) throw error;
        return write("guarded-as-text", range, json);
      });
    after = last;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The rows whose key is a later one than that of the row before, and the last key. A region's server says what it likes: a row
 * without a key is none, and one that does not come in its turn was there before. Throws REGION_UNAVAILABLE when there is no
 * other, as a publisher that sends the same rows again and again would keep the seed from ending.
 */
function inOrder(
  table: PublishedTable,
  batch: Batch,
  after: readonly string[] | undefined,
): { rows: TextRow[]; last: readonly string[] | undefined } {
  const places = table.key.filter((column) => column !== "database_id").map((column) => table.columns.indexOf(column));
  let last = after;
  const rows = batch.rows.filter((row) => {
    const key = places.map((place) => row[place] ?? "");
    if (!key.every((part) => UUID.test(part)) || (last !== undefined && !isBefore(last, key))) return false;
    last = key;
    return true;
  });
  if (rows.length === 0 && !batch.isLast)
    throw new TenantryError("REGION_UNAVAILABLE", "the publisher's server sent no row that it had not sent before");
  return { rows, last };
}

/** Texts of ids of one length in lower case have the order of the ids. */
function isBefore(one: readonly string[], other: readonly string[]): boolean {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at !== -1 && (one[at] ?? "") < (other[at] ?? "");
}

/** As a row of this link's database, whatever it says. */
function toObject(table: PublishedTable, databaseId: number, row: TextRow): Record<string, string | number | null> {
  return Object.fromEntries(
    table.columns.map((column, at) => [column, column === "database_id" ? databaseId : (row[at] ?? null)]),
  );
}
