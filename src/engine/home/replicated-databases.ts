import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { VERSION_COMING, VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";

/** A tenant database that should be replicating: made, and not being taken away. */
export type ReplicatedDatabase = {
  databaseId: number;
  regionId: string;
  database: string;
  schemaVersion: SchemaVersion | null;
  /** Set while a migration changes which columns flow. */
  migratingTo: SchemaVersion | null;
};

const REPLICATES = `(
  exists (select from tenantry.placements p
          where p.database_id = d.id and (p.state in ('ACTIVE', 'MOVING', 'SUSPENDED')
            -- It was made ahead: its members are on their way while the grant is looked at.
            or (p.isolation = 'DEDICATED' and p.state = 'PROVISIONING' and d.engine_version is not null)))
  -- Those that leave a shared one go on telling it so until the last of them takes it along.
  or (d.isolation = 'SHARED' and d.engine_version is not null and d.closing_at is null)
  or d.ready_state = 'READY')`;

/** Which databases a page has, by their numbers: those between two, `limit` at most, the `last` of them in reverse order. */
export type NumberRange = { after: number; before?: number; last?: boolean; limit: number };

/** All of them, those of a region, or one; `after` and `limit` page by id. */
export function listReplicatedDatabases(
  { home }: { home: HomeDatabase },
  only: { regionId?: string; databaseId?: number } & Partial<NumberRange>,
): Promise<ReplicatedDatabase[]> {
  return home.query<ReplicatedDatabase>(
    "replicated_databases.list",
    `select d.id as "databaseId", d.region_id as "regionId", d.name as database,
            ${VERSION_OF_DATABASE} as "schemaVersion", ${VERSION_COMING} as "migratingTo"
     from tenantry.tenant_databases d
     where ($1::uuid is null or d.region_id = $1) and ($2::int is null or d.id = $2)
       and ${REPLICATES}
       and d.id > $3 and ($4::int is null or d.id < $4)
     order by d.id ${only.last === true ? "desc" : "asc"} limit $5`,
    [only.regionId ?? null, only.databaseId ?? null, only.after ?? 0, only.before ?? null, only.limit ?? null],
  );
}

/** A tenant database whose links may be carried, also while it is being made. Undefined where no database has this number. */
export async function findLinkedDatabase(
  { home }: { home: HomeDatabase },
  databaseId: number,
): Promise<(ReplicatedDatabase & { regionKey: string }) | undefined> {
  const [row] = await home.query<ReplicatedDatabase & { regionKey: string }>(
    "replicated_databases.linked",
    `select d.id as "databaseId", d.region_id as "regionId", r.key as "regionKey", d.name as database,
            ${VERSION_OF_DATABASE} as "schemaVersion", ${VERSION_COMING} as "migratingTo"
     from tenantry.tenant_databases d join tenantry.regions r on r.id = d.region_id
     where d.id = $1
       and (exists (select from tenantry.placements p where p.database_id = d.id and p.state <> 'REVOKING')
            or (d.isolation = 'SHARED' and d.closing_at is null)
            or d.ready_state in ('MAKING', 'READY'))`,
    [databaseId],
  );
  return row;
}

/** How many of them are at which version. */
export function countReplicatedVersions({
  home,
}: {
  home: Queryable<"home">;
}): Promise<(Pick<ReplicatedDatabase, "schemaVersion" | "migratingTo"> & { databases: number })[]> {
  return home.query(
    "replicated_databases.versions",
    `select ${VERSION_OF_DATABASE} as "schemaVersion", ${VERSION_COMING} as "migratingTo", count(*)::int as databases
     from tenantry.tenant_databases d where ${REPLICATES}
     group by d.engine_version, d.app_version, d.migrating_to_engine, d.migrating_to_app order by d.engine_version, d.app_version`,
  );
}

/** The ids of all regions: each has a carrier, also before its first tenant database. */
export async function listCarriedRegions({ home }: { home: Queryable<"home"> }): Promise<string[]> {
  const rows = await home.query<{ id: string }>(
    "regions.carried",
    "select id from tenantry.regions where retired_at is null order by id",
  );
  return rows.map(({ id }) => id);
}

/** The databases that hold an organization's directory. */
export async function databasesOfOrganization(
  { home }: { home: HomeDatabase },
  organizationId: string,
): Promise<number[]> {
  const rows = await home.query<{ id: number }>(
    "replicated_databases.of_organization",
    "select database_id as id from tenantry.placements where organization_id = $1 and state = 'ACTIVE'",
    [organizationId],
  );
  return rows.map(({ id }) => id);
}

/** The databases that know a user's name. */
export async function databasesOfUser({ home }: { home: HomeDatabase }, userId: string): Promise<number[]> {
  const rows = await home.query<{ id: number }>(
    "replicated_databases.of_user",
    "select distinct database_id as id from tenantry.directory_members where user_id = $1",
    [userId],
  );
  return rows.map(({ id }) => id);
}

/** A flow that is known not to have arrived: which, and since when. */
export type WaitingLink = { database: string; direction: "directory" | "catalog"; waitingSeconds: number };

/** The flows known to be late, of databases with an organization of the viewer; of all for null. */
export function listWaiting({ home }: { home: HomeDatabase }, viewer: string | null): Promise<WaitingLink[]> {
  return home.query<WaitingLink>(
    "links.list_waiting",
    `select d.name as database, l.direction, extract(epoch from now() - l.waiting_since)::float8 as "waitingSeconds"
     from tenantry.links l join tenantry.tenant_databases d on d.id = l.database_id
     where l.waiting_since is not null
       and ($1::uuid is null or exists (
         select from tenantry.roles s join tenantry.directory_organizations d using (organization_id)
         where d.database_id = l.database_id and s.holder_id = $1))
     order by l.waiting_since limit 100`,
    [viewer],
  );
}
