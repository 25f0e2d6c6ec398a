/**
 * What keeps a database from being dropped, when PostgreSQL says that it is in use: somebody's slot, subscription or prepared
 * transaction, or sessions. `drop database … with (force)` ends sessions alone, and those of a superuser only for a superuser.
 */
import { TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { oneLine, wordsOf } from "#engine/failures/explain";

type Kind = "slot" | "subscription" | "prepared" | "session";
type Found = { kind: Kind; name: string; owner: string | null; program: string | null };

/** In words, for everybody who may know that the access is being taken away. */
const WHAT: Record<Kind, string> = {
  slot: "a replication slot that is being read",
  subscription: "a subscription",
  prepared: "a prepared transaction",
  session: "a session",
};

/** What ends it, for the operator. */
const REMEDY: Record<Kind, string> = {
  slot: "End the program that reads it, then drop it with pg_drop_replication_slot.",
  subscription:
    "Drop the subscription in that database, after SET default_transaction_read_only = off: writes are held there.",
  prepared: "End it in that database with ROLLBACK PREPARED or COMMIT PREPARED.",
  session: "End it with pg_terminate_backend.",
};

const MOST_NAMED = 5;

/** Runs what drops the database. CONFLICT, with what is in the way and whose it is, when something uses it. */
export async function namingWhatIsInTheWay<Result>(
  server: Queryable<"server">,
  database: string,
  drop: () => Promise<Result>,
): Promise<Result> {
  try {
    return await drop();
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.objectInUse) throw error;
    const found = await findUsers(server, database).catch(() => []);
    throw inTheWay(database, found, error);
  }
}

function inTheWay(database: string, found: readonly Found[], cause: unknown): TenantryError {
  const kinds = [...new Set(found.map(({ kind }) => kind))];
  const what = kinds.length === 0 ? "something else" : kinds.map((kind) => WHAT[kind]).join(" and ");
  const named = found.slice(0, MOST_NAMED).map(describe).join("; ");
  return new TenantryError("CONFLICT", `The database cannot be dropped while ${what} uses it; it is tried again.`, {
    cause,
    forOperator: [
      `Database ${database}: ${named === "" ? wordsOf(cause) : `${named}.`}`,
      ...kinds.map((kind) => REMEDY[kind]),
    ].join(" "),
  });
}

/** The names are those of others, on a server that may say anything. */
function describe({ kind, name, owner, program }: Found): string {
  const by = owner === null ? "" : ` of the role ${oneLine(owner)}`;
  const through = program === null || program === "" ? "" : `, program ${JSON.stringify(oneLine(program))}`;
  return `${WHAT[kind]}, ${JSON.stringify(oneLine(name))}${by}${through}`;
}

/** Of slots only those that are read: the others go with the database. */
async function findUsers(server: Queryable<"server">, database: string): Promise<Found[]> {
  const rows = await server.query<Found>(
    "databases.users",
    `select 'slot' as kind, s.slot_name::text as name, a.usename::text as owner, a.application_name as program
     from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid
     where s.database = $1 and s.active_pid is not null
     union all
     select 'subscription', s.subname::text, pg_get_userbyid(s.subowner)::text, null
     from pg_subscription s join pg_database d on d.oid = s.subdbid where d.datname = $1
     union all
     select 'prepared', gid, owner::text, null from pg_prepared_xacts where database = $1
     union all
     select 'session', pid::text, usename::text, application_name
     from pg_stat_activity where datname = $1 and backend_type = 'client backend' and pid <> pg_backend_pid()
     limit 100`,
    [database],
  );
  // Sessions are ended by force: one is in the way only where nothing else is.
  const others = rows.filter(({ kind }) => kind !== "session");
  return others.length > 0 ? others : rows;
}
