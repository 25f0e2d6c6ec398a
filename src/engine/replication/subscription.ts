/**
 * Subscriptions: what pulls a link's changes. The connection string they keep holds the link's password for the gateway; it
 * is never read back.
 */
import type { Database, DatabaseKind, Queryable } from "#base/postgres/database";
import { TIMELINE_SQL } from "#base/postgres/server-history";
import { TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";
import { sqlState } from "#base/postgres/sql-state";
import { type Connection, explainSubscribing } from "#engine/replication/subscribe-failure";
import type { Subscribing } from "#engine/replication/link";
import { withStrategy } from "#engine/replication/choose-subscription-strategy";
import { requireTables, type SubscriptionSpec, WrongTables } from "#engine/replication/subscription-strategy";

type Named = Pick<Subscribing, "name" | "subscriber">;

export type Subscription = { enabled: boolean; slotName: string | null };

/** The subscription of this name in the database, or undefined. */
export async function findSubscription(
  database: Queryable<DatabaseKind>,
  name: string,
): Promise<Subscription | undefined> {
  const [row] = await database.query<{ enabled: boolean; slot_name: string | null }>(
    "subscription.find",
    `select subenabled as enabled, subslotname as slot_name from pg_subscription
     where subname = $1 and subdbid = (select oid from pg_database where datname = current_database())`,
    [name],
  );
  return row === undefined ? undefined : { enabled: row.enabled, slotName: row.slot_name };
}

/** Makes what making subscriptions takes in a database, ahead of it. */
export function prepareToSubscribe(database: Database<DatabaseKind>): Promise<void> {
  return withStrategy(database, (strategy) => strategy.prepare(database));
}

/**
 * Makes the subscription, disabled and without a copy: the tables were seeded from a snapshot taken after the slot was
 * made. REGION_UNAVAILABLE when the subscriber's server cannot connect to the gateway.
 */
export function createSubscription(link: Subscribing): Promise<void> {
  const { database } = link.subscriber;
  return noteWrongTables(link, () =>
    explainSubscribing(link, () => withStrategy(database, (strategy) => strategy.create(database, specOf(link)))),
  );
}

/** What came of having a subscriber's server connect to the gateway. */
export type Trial =
  | { kind: "connects" }
  /** In one sentence. */
  | { kind: "obstacle"; sentence: string }
  /** The role may not make a subscription in this database, or what it makes them with is not there. */
  | { kind: "may-not-try"; cause: unknown };

/** Has the subscriber's server connect to the gateway now, as it will for a link, and leaves nothing behind. */
export async function trySubscribing(link: Connection): Promise<Trial> {
  const { database } = link.subscriber;
  const spec = { ...specOf({ ...link, tables: [] }), owner: undefined };
  try {
    await explainSubscribing(link, () => withStrategy(database, (strategy) => strategy.attempt(database, spec)));
    return { kind: "connects" };
  } catch (error) {
    if (error instanceof TenantryError && error.code === "REGION_UNAVAILABLE")
      return { kind: "obstacle", sentence: error.message };
    if (error instanceof TenantryError || sqlState(error) !== undefined) return { kind: "may-not-try", cause: error };
    throw error;
  }
}

/** Writes the gateway's address and the link's password into the subscription, as they are now. */
export function refreshConnection(link: Subscribing): Promise<void> {
  const { database } = link.subscriber;
  return noteWrongTables(link, () =>
    explainSubscribing(link, () =>
      withStrategy(database, (strategy) => strategy.setConnection(database, specOf(link))),
    ),
  );
}

/** It is an attempt: only another side that answers for itself has a subscription take other tables. */
async function noteWrongTables({ ledger }: Pick<Subscribing, "ledger">, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof WrongTables) ledger.wrongTables();
    throw error;
  }
}

function specOf({
  name,
  told,
  tables,
  owner,
}: Pick<Subscribing, "name" | "told" | "tables"> & { owner?: string | undefined }): SubscriptionSpec {
  return { name, connection: told.connection, tables: tables.map(({ into }) => into), owner };
}

/** Throws {@link WrongTables}, and enables nothing, where a catalog's subscription takes other tables than its link lists. */
export async function enableSubscription(link: Subscribing): Promise<void> {
  const { name, direction, subscriber } = link;
  const { database } = subscriber;
  // A region's own catalogs are the region's to say.
  if (direction === "catalog") await noteWrongTables(link, () => requireTables(database, specOf(link)));
  await withStrategy(database, (strategy) => strategy.enable(database, name));
}

export function disableSubscription({ name, subscriber: { database } }: Named): Promise<void> {
  return withStrategy(database, (strategy) => strategy.disable(database, name));
}

/** A worker that waits for its publisher looks once a second. One that applies much may take longer, and is not waited for. */
const WORKER_ENDS_MS = 5_000;

/**
 * Waits until a subscription that was disabled has no worker any more. One that is enabled again before its worker has looked goes
 * on with the connection that it has, and that may be a dead one.
 */
export async function untilNoWorker({ name, subscriber: { database } }: Named): Promise<void> {
  const hasEnded = async () => {
    const rows = await database.query(
      "subscription.worker",
      "select from pg_stat_subscription where subname = $1 and pid is not null limit 1",
      [name],
    );
    return rows.length === 0 ? true : undefined;
  };
  await waitFor(hasEnded, { timeoutMs: WORKER_ENDS_MS });
}

/**
 * Drops the subscription when it is there. Works without the publisher. The slot stays, for dropSlot. What is to run `before` goes
 * in the same message where the strategy lets it.
 */
export async function dropSubscription({ name, subscriber: { database } }: Named, before?: string): Promise<void> {
  try {
    await withStrategy(database, (strategy) => strategy.drop(database, name, before));
  } catch (error) {
    // Whoever may make none can have none there. Asked beforehand it would be one more round trip, each time.
    if ((await findSubscription(database, name)) !== undefined) throw error;
    if (before !== undefined) await database.query("subscription.before", before);
  }
}

/** Drops one of the database that is asked, and leaves its slot. */
export function dropSubscriptionNamed(database: Database<DatabaseKind>, name: string): Promise<void> {
  return withStrategy(database, (strategy) => strategy.drop(database, name));
}

/**
 * How often applying has failed since the subscription was made, 0 when there is none; and the timeline that the subscriber's
 * server writes. `server` is any database of it: one that is open already need not be connected to.
 */
export async function applyErrors(
  server: Queryable<DatabaseKind>,
  name: string,
): Promise<{ errors: number; timeline: string }> {
  const [row] = await server.query<{ errors: string; timeline: string }>(
    "subscription.errors",
    `select ${TIMELINE_SQL} as timeline, coalesce((
       select apply_error_count from pg_stat_subscription_stats where subname = $1 limit 1), 0)::text as errors`,
    [name],
  );
  if (row === undefined) throw new Error("the server returned no row");
  return { errors: Number(row.errors), timeline: row.timeline };
}

/**
 * How far each subscription of a server has come, as the server itself remembers it: publisher's positions by the
 * subscription's oid. Empty where the role may not read it.
 */
export async function readOrigins(server: Queryable<DatabaseKind>): Promise<Map<number, string>> {
  const [right] = await server.query<{ granted: boolean }>(
    "origins.right",
    "select has_function_privilege('pg_show_replication_origin_status()', 'execute') as granted",
  );
  if (right?.granted !== true) return new Map();
  const rows = await server.query<{ oid: number; origin: string }>(
    "origins.read",
    `select s.oid, o.remote_lsn::text as origin
     from pg_subscription s join pg_show_replication_origin_status() o on o.external_id = 'pg_' || s.oid
     where o.remote_lsn is not null`,
  );
  return new Map(rows.map(({ oid, origin }) => [oid, origin]));
}

/** Where one subscription stands: its oid and the publisher's position; undefined when there is none or it is hidden. */
export async function findOrigin(
  server: Queryable<DatabaseKind>,
  name: string,
): Promise<{ oid: number; position: string } | undefined> {
  const [row] = await server.query<{ oid: number }>(
    "origins.subscription",
    "select oid from pg_subscription where subname = $1",
    [name],
  );
  const position = row === undefined ? undefined : (await readOrigins(server)).get(row.oid);
  return row === undefined || position === undefined ? undefined : { oid: row.oid, position };
}
