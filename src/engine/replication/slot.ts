/** Replication slots: what keeps a publisher's WAL until the subscriber has confirmed it. */
import { waitFor } from "#base/kernel/wait";
import type { DatabaseKind, Queryable, Session } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral } from "#base/postgres/identifiers";
import { type Lsn, parseLsn } from "#base/postgres/lsn";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import type { Publishing } from "#engine/replication/link";

/** Creating a slot waits for every open transaction of that server that has written; beyond this it gives up. */
const CREATE_TIMEOUT_MS = 10_000;

export type Slot = {
  /** Whether a walsender uses it now. */
  active: boolean;
  /** `reserved`, `extended`, `unreserved` or `lost`; null before first use. */
  walStatus: string | null;
  /** Up to here the subscriber has confirmed. */
  confirmed: Lsn | null;
  /** Bytes of WAL that the server keeps for it. */
  retainedBytes: number;
};

/** The link's slot, or undefined. */
export async function findSlot(link: Publishing): Promise<Slot | undefined> {
  const [row] = await link.publisher.database.query<{
    active: boolean;
    wal_status: string | null;
    confirmed: string | null;
    retained: string | null;
  }>(
    "slot.find",
    `select active, wal_status, confirmed_flush_lsn::text as confirmed,
            pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::text as retained
     from pg_replication_slots where slot_name = $1 and database = current_database()`,
    [link.name],
  );
  if (row === undefined) return undefined;
  return {
    active: row.active,
    walStatus: row.wal_status,
    confirmed: row.confirmed === null ? null : parseLsn(row.confirmed),
    retainedBytes: Number(row.retained ?? 0),
  };
}

/**
 * Makes the slot. The publication must exist before: changes written in between would be lost or halt the
 * subscriber. `before`: what makes it, and commits that: a transaction that has written makes no slot.
 */
export async function createSlot(link: Publishing, { before }: { before?: string } = {}): Promise<void> {
  await link.publisher.database.session(async (session) => {
    try {
      // One message, as the publisher may be far away. Each of its statements has the time for itself.
      await session.script(
        "slot.create",
        `${before === undefined ? "" : `${before};`}
         set statement_timeout = ${CREATE_TIMEOUT_MS};
         select pg_create_logical_replication_slot(${quoteLiteral(link.name)}, 'pgoutput');
         reset statement_timeout`,
      );
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
    }
  });
}

/** Drops the slot when it is there, ending a walsender that still holds it; then also the link's publication. */
export async function dropSlot(link: Publishing, options: { withPublication?: boolean } = {}): Promise<void> {
  await link.publisher.database.query("slot.drop", droppingSlot(link, options));
}

/** What does it, for one message, as the server may be far away. */
export function droppingSlot(
  link: Publishing,
  { withPublication = false }: { withPublication?: boolean } = {},
): string {
  const name = quoteLiteral(link.name);
  return `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots
       where slot_name = ${name} and active_pid is not null;
     select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = ${name} and not active
     ${withPublication ? `; drop publication if exists ${quoteIdentifier(link.name)}` : ""}`;
}

/** The server's process that streams from the slot, if there is one. From any database of the server. */
export async function findSlotUser(server: Queryable<DatabaseKind>, name: string): Promise<number | undefined> {
  const [row] = await server.query<{ pid: number }>(
    "slot.user",
    "select active_pid as pid from pg_replication_slots where slot_name = $1 and active_pid is not null",
    [name],
  );
  return row?.pid;
}

/** Ends that process, if it streams from the slot still. Returns whether it did. */
export async function endSlotUser(server: Queryable<DatabaseKind>, name: string, pid: number): Promise<boolean> {
  const rows = await server.query(
    "slot.end_user",
    "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = $1 and active_pid = $2",
    [name, pid],
  );
  return rows.length > 0;
}

/** How long open transactions may keep a scout from being made. */
const SCOUT_TIMEOUT_MS = 250;

/**
 * Makes a scout: a slot that goes with the session and stands where the WAL ends, and such that whatever was committed
 * before its position is seen by every statement that begins from now on. Returns false when the transactions that are
 * open do not end in time, or no slot is free; the session is then of no more use.
 *
 * A commit is written to the WAL a moment before others see it, and with a synchronous standby that can be long: a
 * change log read in between would miss a change that lies before the scout. So every transaction that has an id once the
 * scout stands must have ended.
 */
export async function makeScout(session: Session<DatabaseKind>, name: string): Promise<boolean> {
  await session.query("scout.timeout", `set statement_timeout = ${SCOUT_TIMEOUT_MS}`);
  try {
    await session.query("scout.create", "select pg_create_logical_replication_slot($1, 'pgoutput', true)", [name]);
  } catch (error) {
    const state = sqlState(error);
    if (state === SQL_STATE.queryCanceled || state === SQL_STATE.configurationLimitExceeded) return false;
    throw error;
  }
  await session.query("scout.timeout", "reset statement_timeout");
  // The snapshot's own end would not do: it is one behind the last that ended, not the last that began.
  const [begun] = await session.query<{ last: string }>("scout.last", "select pg_current_xact_id()::text as last");
  const haveEnded = async () => {
    const [row] = await session.query<{ ended: boolean }>(
      "scout.ended",
      "select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as ended",
      [begun?.last],
    );
    return row?.ended === true ? true : undefined;
  };
  return (await waitFor(haveEnded, { timeoutMs: SCOUT_TIMEOUT_MS })) === true;
}

/** Drops a scout whose session goes on. */
export async function dropScout(session: Session<DatabaseKind>, name: string): Promise<void> {
  await session.query("scout.drop", "select pg_drop_replication_slot($1)", [name]);
}

/**
 * Moves an unused slot to where the scout stands, by making it anew as a copy; false when it is in use or gone. Must run in
 * the slot's database. `pg_replication_slot_advance` would decode all the WAL in between, once for each slot (31 ms of
 * CPU for 32 MB against 1.2 ms), and leave `restart_lsn` far behind. A crash between the two halves leaves no slot: the
 * link is then reseeded, which loses nothing.
 */
export async function moveToScout(database: Queryable<DatabaseKind>, name: string, scout: string): Promise<boolean> {
  try {
    const rows = await database.query(
      "slot.move",
      `select pg_drop_replication_slot(slot_name), pg_copy_logical_replication_slot($2, slot_name, false)
       from pg_replication_slots where slot_name = $1 and not active and database = current_database()`,
      [name, scout],
    );
    return rows.length > 0;
  } catch (error) {
    // A walsender took it meanwhile: it is being carried.
    if (sqlState(error) === SQL_STATE.objectInUse) return false;
    throw error;
  }
}
