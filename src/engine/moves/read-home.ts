/** What home knows of a move before it begins. */
import { VERSION_COMING, VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { PlacementState } from "#engine/home/placements";
import type { JobKind } from "#engine/jobs/job";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import type { Queryable } from "#base/postgres/database";

export type HomeFacts = {
  /** The database that the target region's organizations share; null: there is none. */
  shared: { database: string; version: SchemaVersion | null; migratingTo: SchemaVersion | null } | null;
  /** The state of the organization's other placement, in the target region; null: it has none. */
  other: PlacementState | null;
  /** What is being done to the placement, or will be soon. */
  jobs: JobKind[];
  /** Whether tenant databases are being migrated. */
  isMigrating: boolean;
  /** Whether one that is being retired is the region it goes to. */
  isRetired: boolean;
};

/** Reads it with one statement. */
export async function readHomeFacts(
  home: Queryable<"home">,
  { placementId, organizationId, toRegionId }: { placementId: string; organizationId: string; toRegionId: string },
): Promise<HomeFacts> {
  const [row] = await home.query<HomeFacts>(
    "moves.home_facts",
    `select
       (select json_build_object('database', d.name, 'version', ${VERSION_OF_DATABASE}, 'migratingTo', ${VERSION_COMING})
        from tenantry.tenant_databases d
        where d.region_id = $3 and d.isolation = 'SHARED' and d.closing_at is null) as shared,
       (select p.state from tenantry.placements p
        where p.organization_id = $2 and p.region_id = $3 and p.id <> $1) as other,
       (select coalesce(array_agg(distinct j.kind), '{}') from tenantry.jobs j
        where j.placement_id = $1 and j.state in ('WAITING', 'RUNNING')) as jobs,
       exists (select from tenantry.jobs j where j.kind = 'migrate-databases' and j.state = 'RUNNING') as "isMigrating",
       exists (select from tenantry.regions r where r.id = $3 and r.retired_at is not null) as "isRetired"`,
    [placementId, organizationId, toRegionId],
  );
  if (row === undefined) throw new Error("home returned no row");
  return row;
}
