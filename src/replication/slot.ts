/** Replication slots: what keeps a publisher's WAL until the subscriber has confirmed it. */
import type { Queryable, DatabaseKind } from "#postgres/database";
import { type Lsn, parseLsn } from "#postgres/lsn";
import { SQL_STATE, sqlState } from "#postgres/sql-state";
import type { Link } from "#replication/link";

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
export async function findSlot(link: Link): Promise<Slot | undefined> {
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
 * subscriber.
 */
export async function createSlot(link: Link): Promise<void> {
  await link.publisher.database.session(async (session) => {
    await session.query("slot.timeout", `set statement_timeout = ${CREATE_TIMEOUT_MS}`);
    try {
      await session.query("slot.create", "select pg_create_logical_replication_slot($1, 'pgoutput')", [link.name]);
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
    }
    await session.query("slot.timeout", "reset statement_timeout");
  });
}

/** Drops the slot when it is there, ending a walsender that still holds it. */
export async function dropSlot(link: Link): Promise<void> {
  await link.publisher.database.session(async (session) => {
    await session.query(
      "slot.release",
      `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots
       where slot_name = $1 and active_pid is not null`,
      [link.name],
    );
    await session.query(
      "slot.drop",
      "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
      [link.name],
    );
  });
}

/**
 * A position that every transaction committed before this call lies before. The flushed end where commits wait
 * for the flush: the inserted end can be up to a WAL writer's round ahead of what a walsender may send.
 */
export async function currentLsn(database: Queryable<DatabaseKind>): Promise<Lsn> {
  const [row] = await database.query<{ lsn: string }>(
    "wal.lsn",
    `select (case current_setting('synchronous_commit')
             when 'off' then pg_current_wal_insert_lsn() else pg_current_wal_flush_lsn() end)::text as lsn`,
  );
  return parseLsn(row?.lsn ?? "");
}
