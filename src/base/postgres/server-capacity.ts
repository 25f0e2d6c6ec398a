/** What a server has room for, what of it is in use, and by whom. Slots and the like of all its databases are seen from any. */
import type { DatabaseKind, Queryable } from "#base/postgres/database";

/** Something that a server has only so much of. */
export type Usage = {
  /** The setting that bounds it; `databases` for what nothing bounds. */
  setting: string;
  /** What may be used, without what the server keeps for superusers; null: nothing bounds it. */
  limit: number | null;
  /** In use by this installation. */
  ours: number;
  /** In use by everybody else, another Tenantry included. */
  others: number;
};

export type ServerCapacity = {
  systemIdentifier: string;
  usage: Usage[];
  /** Of this installation's databases those with connections, most first. */
  connections: { database: string; connections: number }[];
};

/**
 * Reads it with one statement, for any role that may connect. What is ours is told by the `prefix` of its name; of
 * databases also by `home`, the name of home's database where it is on this server.
 */
export async function readCapacity(connection: Queryable<DatabaseKind>, whose: Whose): Promise<ServerCapacity> {
  const { text, values } = capacityStatement(whose);
  return capacityIn(await connection.query("capacity.read", text, values));
}

type Whose = { prefix: string; home: string | null };

/** The statement, to go in one message with others; {@link capacityIn} reads its rows. */
export function capacityStatement({ prefix, home }: Whose): { text: string; values: (string | null)[] } {
  return { text: CAPACITY, values: [prefix, home] };
}

export function capacityIn(rows: readonly object[]): ServerCapacity {
  const [row] = rows as readonly ServerCapacity[];
  if (row === undefined) throw new Error("the server returned no capacity");
  return row;
}

// The launcher of apply workers takes one of the worker processes.
const CAPACITY = `
  with slots as (
    select count(*) as used, count(*) filter (where starts_with(slot_name, $1)) as ours from pg_replication_slots
  ), senders as (
    select count(*) as used, count(*) filter (where starts_with(application_name, $1)) as ours from pg_stat_replication
  ), origins as (
    select count(*) as used, count(*) filter (where exists (
      select from pg_subscription s where o.roname = 'pg_' || s.oid and starts_with(s.subname, $1))) as ours
    from pg_replication_origin o
  ), workers as (
    select count(*) as used, count(*) filter (where starts_with(subname, $1)) as ours
    from pg_stat_subscription where pid is not null
  ), databases as (
    select datname, numbackends, coalesce(starts_with(datname, $1) or datname = $2, false) as is_ours
    from pg_stat_database where datname is not null
  ), usage (setting, "limit", used, ours) as (
    select 'max_replication_slots', current_setting('max_replication_slots')::int, used, ours from slots
    union all select 'max_wal_senders', current_setting('max_wal_senders')::int, used, ours from senders
    union all
    select case when current_setting('max_active_replication_origins', true) is null
             then 'max_replication_slots (origins)' else 'max_active_replication_origins' end,
           coalesce(current_setting('max_active_replication_origins', true),
                    current_setting('max_replication_slots'))::int, used, ours from origins
    union all
    select 'max_logical_replication_workers', current_setting('max_logical_replication_workers')::int, used, ours
    from workers
    union all
    select 'max_worker_processes', current_setting('max_worker_processes')::int, used + 1, ours from workers
    union all
    select 'max_connections',
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
             - coalesce(current_setting('reserved_connections', true)::int, 0),
           sum(numbackends), coalesce(sum(numbackends) filter (where is_ours), 0) from databases
    union all
    select 'databases', null, count(*), count(*) filter (where is_ours) from databases
  )
  select (select system_identifier::text from pg_control_system()) as "systemIdentifier",
    (select json_agg(json_build_object('setting', setting, 'limit', "limit", 'ours', ours, 'others', used - ours))
     from usage) as usage,
    (select coalesce(json_agg(json_build_object('database', datname, 'connections', numbackends)), '[]')
     from (select * from databases where is_ours and numbackends > 0
           order by numbackends desc, datname limit 100) busy) as connections`;
