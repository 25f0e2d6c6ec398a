/** What a server is and what the role that signs in may do there, found out by asking it. */
import type { DatabaseKind, Queryable } from "#postgres/database";

/** How subscriptions are made on the server; null: not at all. */
export type SubscriptionMethod = "SUPERUSER" | "PROVIDER_ROLE" | "PG_CREATE_SUBSCRIPTION";

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
  subscriptionMethod: SubscriptionMethod | null;
  /** Whether the extension that makes subscriptions for roles without the right is installed or available. */
  aivenExtras: boolean;
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
  can_create_databases: boolean;
  can_replicate: boolean;
  can_create_roles: boolean;
  create_subscription: boolean;
  provider_role: boolean;
  aiven_extras: boolean;
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

/** Probes over one connection, with one statement. Works for any role that may connect. */
export async function probeServer(connection: Queryable<DatabaseKind>): Promise<ServerProbe> {
  const [row] = await connection.query<ProbeRow>("probe", PROBE);
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
    subscriptionMethod: row.superuser
      ? "SUPERUSER"
      : row.provider_role
        ? "PROVIDER_ROLE"
        : row.create_subscription
          ? "PG_CREATE_SUBSCRIPTION"
          : null,
    aivenExtras: row.aiven_extras,
    headroom: [
      { setting: "max_replication_slots", limit: row.slots, used: row.slots_used },
      { setting: "max_wal_senders", limit: row.walsenders, used: row.walsenders_used },
      { setting: row.origins_setting, limit: row.origins, used: row.origins_used },
      { setting: "max_logical_replication_workers", limit: row.logical_workers, used: 0 },
      { setting: "max_worker_processes", limit: row.worker_processes, used: 0 },
    ],
  };
}

// Roles under which managed servers let their users make subscriptions: Amazon, Google, Azure.
const PROBE = `
  with s as (
    select name, setting from pg_settings
    where name in ('max_replication_slots', 'max_wal_senders', 'max_active_replication_origins',
                   'max_logical_replication_workers', 'max_worker_processes', 'wal_level')
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
    exists (select from pg_roles r where r.rolname = 'pg_create_subscription'
            and pg_has_role(me.oid, r.oid, 'usage')) as create_subscription,
    exists (select from pg_roles r where r.rolname in ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin')
            and pg_has_role(me.oid, r.oid, 'usage')) as provider_role,
    exists (select from pg_available_extensions where name = 'aiven_extras') as aiven_extras,
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
