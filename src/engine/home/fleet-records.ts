/** What home knows of the versions of the tenant databases, and of their migrations. */
import type { NumberRange } from "#engine/home/replicated-databases";
import type { HomeDatabase } from "#base/postgres/database";
import { STAYS, VERSION_COMING, VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";

/** Of the databases that are made and stay: how many are not at a version, and of how many the last migration failed. */
export type FleetCounts = { behind: number; failed: number };

export async function countVersions(
  { home }: { home: HomeDatabase },
  { engine, app }: SchemaVersion,
): Promise<FleetCounts> {
  const [row] = await home.query<FleetCounts>(
    "tenant_databases.count",
    `select count(*) filter (where (d.engine_version, d.app_version) <> ($1::int, $2::int))::int as behind,
       count(*) filter (where d.migration_failure is not null)::int as failed
     from tenantry.tenant_databases d
     where d.engine_version is not null
       and ${STAYS}`,
    [engine, app],
  );
  return row ?? { behind: 0, failed: 0 };
}

/** How many databases have which version; null: they are being made. */
export function countByVersion({
  home,
}: {
  home: HomeDatabase;
}): Promise<{ version: SchemaVersion | null; databases: number }[]> {
  return home.query(
    "tenant_databases.by_version",
    `select ${VERSION_OF_DATABASE} as version, count(*)::int as databases
     from tenantry.tenant_databases d where ${STAYS}
     group by d.engine_version, d.app_version order by d.engine_version nulls first, d.app_version`,
  );
}

/** Of how many databases a migration came to its end between two moments, and failed; `until` null: now. */
export async function countMigratedSince(
  { home }: { home: HomeDatabase },
  since: Date,
  until: Date | null,
): Promise<{ migrated: number; failed: number }> {
  const [row] = await home.query<{ migrated: number; failed: number }>(
    "tenant_databases.migrated_since",
    `select count(*) filter (where d.migrated_at between $1 and coalesce($2, now()))::int as migrated,
       count(*) filter (where d.migration_failed_at between $1 and coalesce($2, now()))::int as failed
     from tenantry.tenant_databases d where ${STAYS}`,
    [since, until],
  );
  return row ?? { migrated: 0, failed: 0 };
}

export type FleetDatabaseRecord = {
  id: number;
  database: string;
  regionId: string;
  version: SchemaVersion | null;
  migratingTo: SchemaVersion | null;
  migratedAt: Date | null;
  failure: string | null;
  failedAt: Date | null;
};

/** `behind`: only those at another version than the target. `failed`: only those whose last migration failed. */
export type FleetDatabaseFilter = { behind: boolean; failed: boolean };

/** Databases by number. */
export function listFleetDatabases(
  { home }: { home: HomeDatabase },
  { engine, app }: SchemaVersion,
  { behind, failed }: FleetDatabaseFilter,
  { after, before, last, limit }: NumberRange,
): Promise<FleetDatabaseRecord[]> {
  return home.query<FleetDatabaseRecord>(
    "tenant_databases.fleet",
    `select d.id, d.name as database, d.region_id as "regionId", ${VERSION_OF_DATABASE} as version,
            ${VERSION_COMING} as "migratingTo", d.migrated_at as "migratedAt", d.migration_failure as failure,
            d.migration_failed_at as "failedAt"
     from tenantry.tenant_databases d
     where d.id > $1 and ($7::int is null or d.id < $7) and ${STAYS}
       and (not $3 or (d.engine_version, d.app_version) is distinct from ($5::int, $6::int))
       and (not $4 or d.migration_failure is not null)
     order by d.id ${last === true ? "desc" : "asc"} limit $2`,
    [after, limit, behind, failed, engine, app, before ?? null],
  );
}
