/** Counts what home knows: jobs and placements. One statement each, which gives one row for each kind of thing. */
import type { HomeDatabase } from "#base/postgres/database";
import { VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import { isSameVersion, type SchemaVersion } from "#engine/migrations/schema-version";
import type { JobsOfKind, PlacementsOfRegion } from "#engine/readings/reading";

/** Jobs that are not done. Those that are done or taken back stay in the record for good: nobody counts them again and again. */
export function countJobs(home: HomeDatabase): Promise<JobsOfKind[]> {
  return home.query<JobsOfKind>(
    "readings.jobs",
    `select kind, state, count(*)::int as jobs,
            count(*) filter (where attempts > 0 and last_error is not null)::int as failing,
            max(attempts) as "mostAttempts",
            coalesce(extract(epoch from now() - min(due_at) filter (where state = 'WAITING' and due_at <= now())), 0)::float8
              as "oldestDueSeconds"
     from tenantry.jobs where state in ('WAITING', 'RUNNING') group by kind, state
     union all
     select kind, state, count(*)::int, count(*)::int, max(attempts), 0 from tenantry.jobs
     where state = 'FAILED' group by kind, state
     order by kind, state`,
  );
}

/** Placements by region, state and the version of their database's schema. `latest`: what this program migrates to. */
export async function countPlacements(home: HomeDatabase, latest: SchemaVersion): Promise<PlacementsOfRegion[]> {
  const rows = await home.query<Omit<PlacementsOfRegion, "isLatest">>(
    "readings.placements",
    `select p.region_id as "regionId", r.key as region, p.state, ${VERSION_OF_DATABASE} as "schemaVersion",
            count(*)::int as placements
     from tenantry.placements p
     join tenantry.tenant_databases d on d.id = p.database_id join tenantry.regions r on r.id = p.region_id
     group by p.region_id, r.key, p.state, d.engine_version, d.app_version
     order by r.key, p.state, d.engine_version, d.app_version`,
  );
  return rows.map((row) =>
    Object.assign(row, { isLatest: row.schemaVersion !== null && isSameVersion(row.schemaVersion, latest) }),
  );
}
