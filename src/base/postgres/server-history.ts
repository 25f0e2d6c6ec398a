/**
 * Which history a server is in. Promoting a standby and recovering to a point in time begin a new timeline: what the old one
 * held beyond the fork is gone, however far the new one's WAL has come.
 */
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { type Lsn, parseLsn } from "#base/postgres/lsn";

/** SQL for the timeline that is written now, as eight hexadecimal digits. Not the control file's, which a promotion changes late. */
export const TIMELINE_SQL = "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

export type ServerHistory = {
  /** The server's system identifier and its timeline, such as `7563411283765421234/00000001`. */
  history: string;
  /** Its timeline alone. */
  timeline: string;
  /** Up to here its WAL survives a crash. */
  flushed: Lsn;
};

/** What the SQL below makes: a bigint and eight digits. Home has check constraints with the same pattern. */
const HISTORY = /^-?\d{1,19}\/[0-9A-F]{8}$/;

/**
 * Reads it, for any role that may connect. A standby refuses: it writes no timeline. REGION_UNAVAILABLE for an answer of another
 * form: a region's server can answer anything, and what it answers is stored at home.
 */
export async function readServerHistory(connection: Queryable<DatabaseKind>): Promise<ServerHistory> {
  const [row] = await connection.query<{ history: string; timeline: string; flushed: string }>(
    "server_history.read",
    `select (select system_identifier::text from pg_control_system()) || '/' || ${TIMELINE_SQL} as history,
            ${TIMELINE_SQL} as timeline, pg_current_wal_flush_lsn()::text as flushed`,
  );
  if (row === undefined) throw new Error("the server returned no history");
  const { history, timeline, flushed } = row;
  const isHistory = isText(history) && HISTORY.test(history) && history.split("/")[1] === timeline;
  if (!isHistory || !isText(flushed) || !/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(flushed))
    throw new TenantryError("REGION_UNAVAILABLE", "the server answered with something else than its history");
  return { history, timeline, flushed: parseLsn(flushed) };
}

/** The type says so already, and a server need not keep to it. */
function isText(value: unknown): value is string {
  return typeof value === "string";
}
