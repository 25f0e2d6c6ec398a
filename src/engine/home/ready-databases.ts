/**
 * Databases that are made ahead of grants, as home records them. Each has its number and name from the beginning, and no placement:
 * a grant that takes one says whose it is.
 */
import type { ReplicatedDatabase } from "#engine/home/replicated-databases";
import { VERSION_COMING, VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import type { HomeDatabase, Queryable } from "#base/postgres/database";

/** `MAKING`: it is made, or looked into again. `LEAVING`: it is being dropped, and nothing takes it any more. */
export type ReadyDatabase = ReplicatedDatabase & { state: "MAKING" | "READY" | "LEAVING" };

/** Those of a region that no grant has taken, oldest first. */
export function listReadyDatabases({ home }: { home: HomeDatabase }, regionId: string): Promise<ReadyDatabase[]> {
  return home.query<ReadyDatabase>(
    "ready_databases.list",
    `select d.id as "databaseId", d.region_id as "regionId", d.name as database, d.ready_state as state,
            ${VERSION_OF_DATABASE} as "schemaVersion", ${VERSION_COMING} as "migratingTo"
     from tenantry.tenant_databases d where d.region_id = $1 and d.ready_state is not null order by d.id`,
    [regionId],
  );
}

/** Records one that is to be made. Undefined where the region is being retired. `namePrefix` and its id make its name. */
export async function recordReadyDatabase(
  { home }: { home: HomeDatabase },
  regionId: string,
  namePrefix: string,
): Promise<ReadyDatabase | undefined> {
  const [row] = await home.query<{ databaseId: number; database: string }>(
    "ready_databases.record",
    `with region as materialized (
       select id from tenantry.regions where id = $1 and retired_at is null for share
     ), reserved as (
       select nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as id from region
     )
     insert into tenantry.tenant_databases (id, region_id, isolation, name, ready_state) overriding system value
     select id, $1, 'DEDICATED', $2 || id, 'MAKING' from reserved
     returning id as "databaseId", name as database`,
    [regionId, namePrefix],
  );
  return row && { ...row, regionId, schemaVersion: null, migratingTo: null, state: "MAKING" };
}

/** From now on a grant can take it. */
export async function keepReady(
  { home }: { home: HomeDatabase },
  databaseId: number,
  { engine, app }: SchemaVersion,
): Promise<void> {
  await home.query(
    "ready_databases.keep",
    `update tenantry.tenant_databases
     set ready_state = 'READY', engine_version = $2, app_version = $3, made_at = coalesce(made_at, clock_timestamp())
     where id = $1 and ready_state = 'MAKING'`,
    [databaseId, engine, app],
  );
}

/** Has no grant take it any more. False when one has, or it is gone. */
export async function beginLeaving({ home }: { home: HomeDatabase }, databaseId: number): Promise<boolean> {
  const rows = await home.query(
    "ready_databases.leave",
    "update tenantry.tenant_databases set ready_state = 'LEAVING' where id = $1 and ready_state is not null returning id",
    [databaseId],
  );
  return rows.length > 0;
}

/** Removes the record of one that is LEAVING. */
export async function forgetReadyDatabase({ home }: { home: HomeDatabase }, databaseId: number): Promise<void> {
  await home.query(
    "ready_databases.forget",
    `with gone as (
       delete from tenantry.tenant_databases where id = $1 and ready_state = 'LEAVING' returning id
     )
     delete from tenantry.directory_changes c using gone where c.database_id = gone.id`,
    [databaseId],
  );
}

/** Home may have forgotten that it gave them away: each is looked into before a grant can take it again. */
export async function doubtReadyDatabases(home: Queryable<"home">): Promise<void> {
  await home.query(
    "ready_databases.doubt",
    "update tenantry.tenant_databases set ready_state = 'MAKING' where ready_state = 'READY'",
  );
}

/** How many a grant could take now, by region; regions without one too. `latest`: the version that grants make. */
export function countReadyDatabases(
  { home }: { home: Queryable<"home"> },
  { engine, app }: SchemaVersion,
): Promise<{ regionId: string; region: string; ready: number; others: number }[]> {
  return home.query(
    "ready_databases.count",
    `select r.id as "regionId", r.key as region,
            count(d.id) filter (where ${isTakeable("$1", "$2")})::int as ready,
            count(d.id) filter (where not (${isTakeable("$1", "$2")}))::int as others
     from tenantry.regions r left join tenantry.tenant_databases d on d.region_id = r.id and d.ready_state is not null
     where r.retired_at is null group by r.id, r.key order by r.key`,
    [engine, app],
  );
}

/** Whether a grant may take database `d`: it has the schema that a new one would have. */
export function isTakeable(engine: string, app: string): string {
  return `(d.ready_state = 'READY' and d.engine_version = ${engine}::int and d.app_version = ${app}::int)`;
}
