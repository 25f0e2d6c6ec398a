/** The tenant databases as home knows them: what a fleet migration reads and records. */
import type { HomeDatabase } from "#base/postgres/database";
import type { SchemaVersion } from "#engine/migrations/schema-version";

/** A tenant database that is there, or being made; not one that is being taken away. */
export type TenantDatabaseRecord = {
  readonly id: number;
  readonly name: string;
  readonly regionId: string;
  readonly regionKey: string;
  readonly version: SchemaVersion | null;
  readonly migratingTo: SchemaVersion | null;
  /** Of its schema, by the last look and the migrations since; null: as it was made from the template. */
  readonly fingerprint: string | null;
  /** Whether a placement is being moved from or to it. */
  readonly isInMove: boolean;
};

/** Of tenant databases `d` those that stay: with a placement, or with a move that comes from or goes to them. */
export const STAYS = `(
  exists (select from tenantry.placements p where p.database_id = d.id and p.state <> 'REVOKING')
  or exists (select from tenantry.moves m where m.other_database_id = d.id))`;

/** The version of tenant database `d` as JSON; null until it is made. */
export const VERSION_OF_DATABASE = `case when d.engine_version is not null
  then json_build_object('engine', d.engine_version, 'app', d.app_version) end`;

/** The version that a migration is bringing tenant database `d` to, while what flows changes; else null. */
export const VERSION_COMING = `case when d.migrating_to_engine is not null
  then json_build_object('engine', d.migrating_to_engine, 'app', d.migrating_to_app) end`;

/** All of them, or one. */
export function listTenantDatabases(
  { home }: { home: HomeDatabase },
  only: { id?: number } = {},
): Promise<TenantDatabaseRecord[]> {
  return home.query<TenantDatabaseRecord>(
    "tenant_databases.list",
    `select d.id, d.name, d.region_id as "regionId", r.key as "regionKey", ${VERSION_OF_DATABASE} as version,
            ${VERSION_COMING} as "migratingTo", d.schema_fingerprint as fingerprint,
            exists (select from tenantry.moves m where d.id in (m.from_database_id, m.to_database_id)) as "isInMove"
     from tenantry.tenant_databases d join tenantry.regions r on r.id = d.region_id
     where ($1::int is null or d.id = $1) and ${STAYS}
     order by d.id`,
    [only.id ?? null],
  );
}

/** What a database has become. */
export type RecordedSchema = { readonly id: number; readonly version: SchemaVersion; readonly fingerprint: string };

/** Records what these databases have become, in one statement. */
export async function recordSchemas({ home }: { home: HomeDatabase }, seen: readonly RecordedSchema[]): Promise<void> {
  await home.query(
    "tenant_databases.migrated",
    `update tenantry.tenant_databases d
     set engine_version = s.engine, app_version = s.app, schema_fingerprint = s.fingerprint, migration_failure = null,
         migration_failed_at = null,
         migrated_at = case when (d.engine_version, d.app_version) is distinct from (s.engine, s.app) then now() else d.migrated_at end
     from unnest($1::int[], $2::int[], $3::int[], $4::text[]) as s (id, engine, app, fingerprint)
     where d.id = s.id`,
    [
      seen.map(({ id }) => id),
      seen.map(({ version }) => version.engine),
      seen.map(({ version }) => version.app),
      seen.map(({ fingerprint }) => fingerprint),
    ],
  );
}

/** Records why databases could not be migrated, in one sentence each without secrets. */
export async function recordMigrationFailures(
  { home }: { home: HomeDatabase },
  failures: readonly { id: number; reason: string }[],
): Promise<void> {
  await home.query(
    "tenant_databases.failed",
    `update tenantry.tenant_databases d set migration_failure = f.reason, migration_failed_at = now()
     from unnest($1::int[], $2::text[]) as f (id, reason) where d.id = f.id`,
    [failures.map(({ id }) => id), failures.map(({ reason }) => reason)],
  );
}

/** A migration begins to change what flows to and from a database; null: it has done so. */
export async function setMigratingTo(
  { home }: { home: HomeDatabase },
  id: number,
  version: SchemaVersion | null,
): Promise<void> {
  await home.query(
    "tenant_databases.migrating",
    "update tenantry.tenant_databases set migrating_to_engine = $2, migrating_to_app = $3 where id = $1",
    [id, version?.engine ?? null, version?.app ?? null],
  );
}
