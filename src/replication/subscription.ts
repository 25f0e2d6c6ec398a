/** Subscriptions: what pulls a link's changes. The connection string they keep holds a password; it is never read back. */
import { formatConnectionString } from "#postgres/connection-url";
import { quoteIdentifier, quoteLiteral } from "#postgres/identifiers";
import type { DatabaseKind, Queryable, Session } from "#postgres/database";
import { SQL_STATE, sqlState } from "#postgres/sql-state";
import { TIMELINE_SQL } from "#postgres/server-history";
import type { Link } from "#replication/link";

/** CREATE SUBSCRIPTION connects to the publisher from the subscriber's server; beyond this it gives up. */
const CONNECT_TIMEOUT_MS = 10_000;

export type Subscription = { enabled: boolean; slotName: string | null };

/** The link's subscription, or undefined. */
export async function findSubscription(link: Link): Promise<Subscription | undefined> {
  const [row] = await link.subscriber.database.query<{ enabled: boolean; slot_name: string | null }>(
    "subscription.find",
    `select subenabled as enabled, subslotname as slot_name from pg_subscription
     where subname = $1 and subdbid = (select oid from pg_database where datname = current_database())`,
    [link.name],
  );
  return row === undefined ? undefined : { enabled: row.enabled, slotName: row.slot_name };
}

// With the default, `off`, what was applied counts as confirmed only when the subscriber's WAL writer has come round,
// some 200 ms later: every ticket would wait for that.
const SYNCHRONOUS_COMMIT = "synchronous_commit = 'local'";

/**
 * Makes the subscription, disabled and without a copy: the tables were seeded from a snapshot taken after the
 * slot was made. The slot is never made by CREATE SUBSCRIPTION, which hangs when both sides are one server.
 */
export async function createSubscription(link: Link): Promise<void> {
  const name = quoteIdentifier(link.name);
  const connection = quoteLiteral(formatConnectionString(link.publisher.address, link.publisher.name));
  await link.subscriber.database.session(async (session) => {
    await session.query("subscription.timeout", `set statement_timeout = ${CONNECT_TIMEOUT_MS}`);
    await keepOutOfServerLog(session);
    try {
      await session.query(
        "subscription.create",
        `create subscription ${name} connection ${connection} publication ${name}
         with (create_slot = false, slot_name = ${quoteLiteral(link.name)}, copy_data = false, enabled = false,
               ${SYNCHRONOUS_COMMIT})`,
      );
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
    }
    await session.query("subscription.timeout", "reset statement_timeout");
    await logStatementsAgain(session);
  });
}

/** Writes the publisher's current address and password into the subscription. */
export async function refreshConnection(link: Link): Promise<void> {
  const connection = quoteLiteral(formatConnectionString(link.publisher.address, link.publisher.name));
  await link.subscriber.database.session(async (session) => {
    await keepOutOfServerLog(session);
    await session.query(
      "subscription.connection",
      `alter subscription ${quoteIdentifier(link.name)} connection ${connection}`,
    );
    await session.query(
      "subscription.options",
      `alter subscription ${quoteIdentifier(link.name)} set (${SYNCHRONOUS_COMMIT})`,
    );
    await logStatementsAgain(session);
  });
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

/** The server logs a failing statement's text, here with a password in it. Only a superuser may turn that off. */
async function keepOutOfServerLog(session: Session<DatabaseKind>): Promise<void> {
  await session.query(
    "subscription.log",
    `select set_config('log_min_error_statement', 'panic', false)
     from pg_roles where rolname = current_user and rolsuper`,
  );
}

export async function enableSubscription(link: Link): Promise<void> {
  await link.subscriber.database.query(
    "subscription.enable",
    `alter subscription ${quoteIdentifier(link.name)} enable`,
  );
}

export async function disableSubscription(link: Link): Promise<void> {
  await link.subscriber.database.query(
    "subscription.disable",
    `alter subscription ${quoteIdentifier(link.name)} disable`,
  );
}

/**
 * Drops the subscription when it is there. Works without the publisher: taking the slot off first keeps DROP from
 * connecting to it. The slot stays, for dropSlot.
 */
export async function dropSubscription(link: Link): Promise<void> {
  if ((await findSubscription(link)) === undefined) return;
  await disableSubscription(link);
  await dropDisabled(link.subscriber.database, link.name);
}

/** Drops a disabled subscription of the database that is asked, and leaves its slot. */
export async function dropDisabled(database: Queryable<DatabaseKind>, name: string): Promise<void> {
  const quoted = quoteIdentifier(name);
  await database.query("subscription.detach", `alter subscription ${quoted} set (slot_name = none)`);
  await database.query("subscription.drop", `drop subscription if exists ${quoted}`);
}

// Not a plain reset, which a role that may not set it may not do either.
async function logStatementsAgain(session: Session<DatabaseKind>): Promise<void> {
  await session.query(
    "subscription.log",
    `select set_config(s.name, s.reset_val, false)
     from pg_settings s, pg_roles r
     where s.name = 'log_min_error_statement' and r.rolname = current_user and r.rolsuper`,
  );
}
