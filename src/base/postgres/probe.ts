/** What a server is and what the role that signs in may do there, found out by asking it. */
import { clockMs } from "#base/kernel/clock";
import type { DatabaseKind, Queryable } from "#base/postgres/database";

/** How subscriptions are made on the server; null: not at all. */
export type SubscriptionMethod = "SUPERUSER" | "PROVIDER_ROLE" | "PG_CREATE_SUBSCRIPTION" | "AIVEN_EXTRAS";

/** Who runs the server, as the roles that they leave on it tell; null: nobody that is known. */
export type Provider = "AMAZON" | "GOOGLE" | "AZURE" | "AIVEN" | "DIGITALOCEAN" | "UPCLOUD";

export type Headroom = { setting: string; limit: number; used: number };

export type ServerProbe = {
  /** Such as 180004 for 18.4. */
  versionNumber: number;
  version: string;
  systemIdentifier: string;
  walLevel: string;
  /** A standby takes no writes. */
  inRecovery: boolean;
  role: string;
  canCreateDatabases: boolean;
  canReplicate: boolean;
  canCreateRoles: boolean;
  /** Whether it may make schemas in the database that was asked. */
  canCreateSchemas: boolean;
  /** Of the database that was asked, such as UTF8. */
  encoding: string;
  /** Whether sessions of the role are replicas, in which no trigger and no foreign key holds. */
  isReplica: boolean;
  subscriptionMethod: SubscriptionMethod | null;
  provider: Provider | null;
  /** The least time between two starts of workers: on 15 of any two on the server. */
  workerStartIntervalMs: number;
  /** How much WAL one slot may keep from being removed; null: any amount, until the disk is full. */
  slotWalLimitMb: number | null;
  /** How long a slot may rest before the server ends it, in milliseconds; null: for ever. From PostgreSQL 18 on. */
  slotIdleLimitMs: number | null;
  /** How far its clock is ahead of home's at least, in milliseconds; negative: behind. */
  clockAheadMs: number;
  headroom: Headroom[];
};

/** The oldest and newest major versions that Tenantry is made for. */
export const SUPPORTED_MAJORS = { min: 15, max: 18 } as const;

type ProbeRow = {
  version_number: number;
  version: string;
  system_identifier: string;
  wal_level: string;
  in_recovery: boolean;
  role: string;
  superuser: boolean;
  method: SubscriptionMethod | null;
  provider: Provider | null;
  worker_start_interval: number;
  slot_wal_limit: number;
  slot_idle_limit: number;
  clock_ms: number;
  can_create_databases: boolean;
  can_replicate: boolean;
  can_create_roles: boolean;
  can_create_schemas: boolean;
  encoding: string;
  is_replica: boolean;
  provider_role: boolean;
  slots: number;
  slots_used: number;
  walsenders: number;
  walsenders_used: number;
  origins: number;
  origins_setting: string;
  origins_used: number;
  logical_workers: number;
  worker_processes: number;
};

/** What is slow to start: a worker waits for this long, and on 15 for those of all other subscriptions too. */
const SLOW_START_MS = 1_000;

/**
 * Whether waking a subscription can take seconds. The launcher of 15 starts workers at most once in
 * `wal_retrieve_retry_interval`, whichever subscription they are for; from 16 on each has a time of its own.
 */
export function startsWorkersSlowly(probe: Pick<ServerProbe, "versionNumber" | "workerStartIntervalMs">): boolean {
  return probe.versionNumber < 160_000 && probe.workerStartIntervalMs > SLOW_START_MS;
}

/** Probes over one connection, with one statement. Works for any role that may connect. */
export async function probeServer(connection: Queryable<DatabaseKind>): Promise<ServerProbe> {
  const asked = clockMs();
  const [row] = await connection.query<ProbeRow>("probe", PROBE);
  const answered = clockMs();
  if (row === undefined) throw new Error("the probe returned no row");
  return {
    versionNumber: row.version_number,
    version: row.version,
    systemIdentifier: row.system_identifier,
    walLevel: row.wal_level,
    inRecovery: row.in_recovery,
    role: row.role,
    canCreateDatabases: row.superuser || row.can_create_databases,
    canReplicate: row.superuser || row.can_replicate || row.provider_role,
    canCreateRoles: row.superuser || row.can_create_roles,
    canCreateSchemas: row.can_create_schemas,
    encoding: row.encoding,
    isReplica: row.is_replica,
    subscriptionMethod: row.method,
    provider: row.provider,
    workerStartIntervalMs: row.worker_start_interval,
    slotWalLimitMb: row.slot_wal_limit === -1 ? null : row.slot_wal_limit,
    slotIdleLimitMs: row.slot_idle_limit === 0 ? null : row.slot_idle_limit,
    clockAheadMs: Math.round(Math.max(row.clock_ms - answered, 0) + Math.min(row.clock_ms - asked, 0)),
    headroom: [
      { setting: "max_replication_slots", limit: row.slots, used: row.slots_used },
      { setting: "max_wal_senders", limit: row.walsenders, used: row.walsenders_used },
      { setting: row.origins_setting, limit: row.origins, used: row.origins_used },
      { setting: "max_logical_replication_workers", limit: row.logical_workers, used: 0 },
      { setting: "max_worker_processes", limit: row.worker_processes, used: 0 },
    ],
  };
}

/** Roles under which managed servers let their users make subscriptions: Amazon, Google, Azure. */
const PROVIDER_ROLES = "'rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin'";

// In the order of preference: only the extension leaves options of a subscription out. What is further down is not looked
// at when something before it holds, and looking through the extensions on disk is slow.
const METHOD = `case
    when me.rolsuper then 'SUPERUSER'
    when exists (select from pg_roles r where r.rolname in (${PROVIDER_ROLES}) and pg_has_role(me.oid, r.oid, 'usage'))
      then 'PROVIDER_ROLE'
    when exists (select from pg_roles r where r.rolname = 'pg_create_subscription'
                 and pg_has_role(me.oid, r.oid, 'usage')) then 'PG_CREATE_SUBSCRIPTION'
    when exists (select from pg_extension where extname = 'aiven_extras')
      or exists (select from pg_available_extensions where name = 'aiven_extras') then 'AIVEN_EXTRAS'
  end`;

/** How whoever is signed in makes subscriptions in this database. */
export async function readSubscriptionMethod(database: Queryable<DatabaseKind>): Promise<SubscriptionMethod | null> {
  const [row] = await database.query<{ method: SubscriptionMethod | null }>(
    "probe.method",
    `select ${METHOD} as method from pg_roles me where me.rolname = current_user`,
  );
  return row?.method ?? null;
}

const PROBE = `
  with s as (
    select name, setting from pg_settings
    where name in ('max_replication_slots', 'max_wal_senders', 'max_active_replication_origins',
                   'max_logical_replication_workers', 'max_worker_processes', 'wal_level',
                   'wal_retrieve_retry_interval', 'max_slot_wal_keep_size')
    union all
    select name, (setting::float8 * case unit when 'min' then 60000 when 's' then 1000 else 1 end)::text from pg_settings
    where name = 'idle_replication_slot_timeout'
  ), me as (select * from pg_roles where rolname = current_user)
  select
    current_setting('server_version_num')::int as version_number,
    split_part(current_setting('server_version'), ' ', 1) as version,
    (select system_identifier::text from pg_control_system()) as system_identifier,
    (select setting from s where name = 'wal_level') as wal_level,
    pg_is_in_recovery() as in_recovery,
    me.rolname as role,
    me.rolsuper as superuser,
    me.rolcreatedb as can_create_databases,
    me.rolreplication as can_replicate,
    me.rolcreaterole as can_create_roles,
    has_database_privilege(current_database(), 'create') as can_create_schemas,
    getdatabaseencoding()::text as encoding,
    current_setting('session_replication_role') <> 'origin' as is_replica,
    exists (select from pg_roles r where r.rolname in (${PROVIDER_ROLES})
            and pg_has_role(me.oid, r.oid, 'usage')) as provider_role,
    ${METHOD} as method,
    (select setting::int from s where name = 'wal_retrieve_retry_interval') as worker_start_interval,
    (select setting::int from s where name = 'max_slot_wal_keep_size') as slot_wal_limit,
    coalesce((select setting::float8 from s where name = 'idle_replication_slot_timeout'), 0) as slot_idle_limit,
    extract(epoch from clock_timestamp())::float8 * 1000 as clock_ms,
    (select case min(rolname::text collate "C")
       when 'azure_pg_admin' then 'AZURE' when 'avnadmin' then 'AIVEN' when 'cloudsqlsuperuser' then 'GOOGLE'
       when 'doadmin' then 'DIGITALOCEAN' when 'rds_superuser' then 'AMAZON' when 'upadmin' then 'UPCLOUD' end
     from pg_roles where rolname in (${PROVIDER_ROLES}, 'avnadmin', 'doadmin', 'upadmin')) as provider,
    (select setting::int from s where name = 'max_replication_slots') as slots,
    (select count(*)::int from pg_replication_slots) as slots_used,
    (select setting::int from s where name = 'max_wal_senders') as walsenders,
    (select count(*)::int from pg_stat_replication) as walsenders_used,
    coalesce((select setting::int from s where name = 'max_active_replication_origins'),
             (select setting::int from s where name = 'max_replication_slots')) as origins,
    coalesce((select name from s where name = 'max_active_replication_origins'),
             'max_replication_slots') as origins_setting,
    (select count(*)::int from pg_replication_origin) as origins_used,
    (select setting::int from s where name = 'max_logical_replication_workers') as logical_workers,
    (select setting::int from s where name = 'max_worker_processes') as worker_processes
  from me`;
