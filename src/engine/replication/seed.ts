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
import { LOCK_CLASS, releaseSql, seizeSql } from "#base/postgres/session-lock";
import { sqlState } from "#base/postgres/sql-state";
import type { Link, PublishedTable } from "#engine/replication/link";
import {
  type Batch,
  inTime,
  type Place,
  restOfKey,
  SEED_BOUNDS,
  type SeedBounds,
  type SeedCount,
  SeedReader,
  type TextRow,
} from "#engine/replication/seed-rows";
import {
  compareStatement,
  type Range,
  type SeedAnswer,
  type SeedStatement,
  seedStatement,
} from "#engine/replication/seed-statement";

/** Of a session, at home: the tenant database that the inbox's rows are of (engine/schema/home/0001_home.sql). */
const CATALOG_SENDER_SETTING = "tenantry.catalog_sender";

/**
 * Values travel as text, which both sides read and write in the same way, as every connection does (base/postgres/pinned-settings).
 * A batch is read and compared by way of the key's index, whatever the planner believes of a table that was filled a moment
 * ago. Of the joins of one batch, the nested loop is the one whose cost is not linear.
 */
const PLAN_SETTINGS = {
  enable_seqscan: "off",
  enable_sort: "off",
  enable_nestloop: "off",
  jit: "off",
};
const SNAPSHOT = [
  "begin isolation level repeatable read",
  ...Object.entries(PLAN_SETTINGS).map(([name, value]) => `set local ${name} = ${value}`),
].join("; ");

/**
 * Seeds every table of the link. Blocks no writer of the publisher. Throws LIMIT_EXCEEDED for more than `bounds` allow, and
 * REGION_UNAVAILABLE for answers that are no rows or take too long; what was taken in by then stays.
 */
export async function seed(link: Link, bounds: SeedBounds = SEED_BOUNDS): Promise<void> {
  // Sessions that fail are hung up on: a server that has stopped answering does not answer a rollback either.
  await link.publisher.database.session((source) =>
    link.subscriber.database.session(async (target) => {
      const timeout = `set local statement_timeout = ${timeoutOf(bounds)}`;
      const [, answers] = await Promise.all([
        inTime(source.script("seed.begin", `${SNAPSHOT}; ${timeout}`), bounds.answerMs),
        inTime(target.script("seed.lock", seizeSql(LOCK_CLASS.seed, link.name)), bounds.answerMs),
      ]);
      requireTaken(answers.at(-1));
      const count: SeedCount = { rows: 0, bytes: 0, startedAt: performance.now() };
      for (const table of link.tables) await seedTable({ link, source, target, bounds }, table, count);
      await Promise.all([
        inTime(target.script("seed.unlock", releaseSql(LOCK_CLASS.seed, link.name)), bounds.answerMs),
        inTime(source.script("seed.end", "commit"), bounds.answerMs),
      ]);
    }),
  );
}

/** A server that is told no more must not go on: what it did late would be of another seed's time. */
function timeoutOf({ answerMs }: SeedBounds): number {
  return Math.ceil(answerMs * 0.9);
}

/**
 * One seed writes at a time, whatever was left behind: the rows of an earlier one would be older than what the stream has brought
 * since. The lock is where the copy is, so it is held for as long as a statement of that seed can act there.
 */
function requireTaken(rows: readonly object[] = []): void {
  const [row] = rows as readonly { taken?: unknown }[];
  if (row?.taken !== true)
    throw new TenantryError("NOT_SYNCED", "An earlier seed of this link has not ended yet: it is tried again.");
}

type Seeding = {
  link: Link;
  source: Session<DatabaseKind>;
  target: Session<DatabaseKind>;
  bounds: SeedBounds;
};

/** A key without the database's id, of ids as PostgreSQL writes them. */
type Key = readonly string[];

async function seedTable(seeding: Seeding, table: PublishedTable, count: SeedCount): Promise<void> {
  const { link, source, bounds } = seeding;
  const reader = new SeedReader(source, table, link.databaseId, count, bounds);
  let after: Key | undefined;
  let wasEqual = false;
  let reading = ahead(reader.rows([]));
  for (;;) {
    const before = count.bytes;
    const batch = await reading;
    const { next } = batch;
    // What was read has crossed the border, whatever becomes of the seed.
    link.ledger.seeded(table.table, batch.rows.length, count.bytes - before);
    const isAhead = next !== undefined && !wasEqual;
    if (isAhead) reading = ahead(reader.rows(next));
    const { rows, last } = inOrder(table, batch, after);
    wasEqual = !(await write(seeding, table, { after, upTo: next && last }, rows));
    if (next === undefined || last === undefined) return;
    after = last;
    if (isAhead) continue;
    let place: Place = next;
    if (wasEqual) {
      ({ after, place } = await passEqual(seeding, table, reader, { after, place }));
      wasEqual = false;
    }
    reading = ahead(reader.rows(place));
  }
}

/** Begins to read before what was read last is used up. When that cannot be used, nobody waits for this. */
function ahead<Read>(reading: Promise<Read>): Promise<Read> {
  reading.catch(() => undefined);
  return reading;
}

/**
 * Passes over rows that the copy has, by their digests: two batches were equal, so most are. Each server makes its own, and no
 * row crosses the border. A region that sends a digest of what it does not have keeps its own rows as they are, and no others.
 */
async function passEqual(
  seeding: Seeding,
  table: PublishedTable,
  reader: SeedReader,
  from: { after: Key; place: Place },
): Promise<{ after: Key; place: Place }> {
  const { link, bounds } = seeding;
  let { after, place } = from;
  let reading = ahead(reader.digest(place));
  for (;;) {
    const { rows, digest, last, next } = await reading;
    const upTo = last.map((part) => part ?? "");
    // The last rows are read: behind them there may be some that are too many.
    if (next === undefined || !isKey(upTo) || !isBefore(after, upTo)) return { after, place };
    reading = ahead(reader.digest(next));
    const { text, values } = compareStatement(table, { after, upTo }, bounds.batchRows);
    const parameters = [link.databaseId, rows, digest, ...values];
    const compared = await askCopy<{ isEqual: boolean }>(seeding, "seed.compare", text, parameters);
    if (compared?.isEqual !== true) return { after, place };
    after = upTo;
    place = next;
  }
}

/**
 * Makes the copy's rows of the range equal to these, and returns whether it had others. Where it has very many more, as when the
 * publisher was restored from an old backup, it goes through them in pieces.
 */
async function write(
  seeding: Seeding,
  table: PublishedTable,
  range: Range,
  rows: readonly TextRow[],
): Promise<boolean> {
  let changed = false;
  let { after, upTo } = range;
  for (;;) {
    const [from, to] = [after, upTo];
    const inside = rows.filter((row) => {
      const key = keyOf(table, row);
      return (from === undefined || isBefore(from, key)) && (to === undefined || !isBefore(to, key));
    });
    const answer = await send(seeding, table, { after, upTo }, inside);
    if (answer.changed) changed = true;
    if (answer.cut !== null) upTo = answer.cut;
    else if (upTo === range.upTo) return changed;
    else {
      after = upTo;
      ({ upTo } = range);
    }
  }
}

async function send(
  seeding: Seeding,
  table: PublishedTable,
  range: Range,
  rows: readonly TextRow[],
): Promise<SeedAnswer> {
  const { link, bounds } = seeding;
  const json = JSON.stringify(rows.map((row) => toObject(table, link.databaseId, row)));
  const sendAs = async (kind: SeedStatement) => {
    const { text, values } = seedStatement(table, kind, range, bounds.batchRows);
    const parameters = [link.databaseId, json, ...values];
    const answer = await askCopy<SeedAnswer>(seeding, "seed.write", text, parameters);
    if (answer === undefined) throw new Error("the seed's statement gave no row");
    return answer;
  };
  if (link.direction === "directory") return sendAs("trusted");
  try {
    return await sendAs("guarded");
  } catch (error) {
    // A value that is none of its column's type: each is read by itself, and what cannot be read is null.
    if (sqlState(error)?.startsWith("22") !== true) throw error;
    return sendAs("guarded-as-text");
  }
}

/** The settings go with the statement and end with it: no message of their own, as the copy may be far away. */
async function askCopy<Row extends object>(
  { link, target, bounds }: Seeding,
  name: string,
  text: string,
  values: readonly (string | number)[],
): Promise<Row | undefined> {
  const settings = Object.entries({
    ...PLAN_SETTINGS,
    statement_timeout: String(timeoutOf(bounds)),
    ...(link.direction === "catalog" && { [CATALOG_SENDER_SETTING]: String(link.databaseId) }),
  });
  const set = settings.map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, true)`).join(", ");
  const answers = await inTime(
    target.batch(name, [
      { text: `select ${set}`, values: settings.flat() },
      { text, values },
    ]),
    bounds.answerMs,
  );
  return answers.at(-1)?.[0] as Row | undefined;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const isKey = (key: Key) => key.every((part) => UUID.test(part));

/**
 * The rows whose key is a later one than that of the row before, and the last key. A region's server says what it likes: a row
 * without a key is none, and one that does not come in its turn was there before. Throws REGION_UNAVAILABLE when there is no
 * other, as a publisher that sends the same rows again and again would keep the seed from ending.
 */
function inOrder(
  table: PublishedTable,
  batch: Batch,
  after: Key | undefined,
): { rows: TextRow[]; last: Key | undefined } {
  let last = after;
  const rows = batch.rows.filter((row) => {
    const key = keyOf(table, row);
    if (!isKey(key) || (last !== undefined && !isBefore(last, key))) return false;
    last = key;
    return true;
  });
  if (rows.length === 0 && batch.next !== undefined)
    throw new TenantryError("REGION_UNAVAILABLE", "the publisher's server sent no row that it had not sent before");
  return { rows, last };
}

function keyOf(table: PublishedTable, row: TextRow): Key {
  return restOfKey(table).map((column) => row[table.columns.indexOf(column)] ?? "");
}

/** Texts of ids of one length in lower case have the order of the ids. */
function isBefore(one: Key, other: Key): boolean {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at !== -1 && (one[at] ?? "") < (other[at] ?? "");
}

/** As a row of this link's database, whatever it says. */
function toObject(table: PublishedTable, databaseId: number, row: TextRow): Record<string, string | number | null> {
  return Object.fromEntries(
    table.columns.map((column, at) => [column, column === "database_id" ? databaseId : (row[at] ?? null)]),
  );
}
