/**
 * The state of the whole installation in a few statements at home, however many placements there are, and one look at each server,
 * which others share. A region that is away costs no time and names itself.
 */
import { type Attention, findAttention, type RegionOverview } from "#engine/doctor/attention";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { countJobs, type JobCounts } from "#engine/jobs/list-jobs";
import { countLinks, type LinkCounts } from "#engine/links/list-links";
import type { ServerReading } from "#engine/readings/reading";
import { listRegions } from "#engine/regions/regions";
import type { Services } from "#engine/services";

export type { Attention, RegionOverview } from "#engine/doctor/attention";

export type Overview = {
  at: Date;
  organizations: number;
  users: number;
  home: ServerReading;
  regions: RegionOverview[];
  placements: number;
  jobs: JobCounts;
  links: LinkCounts;
  attention: Attention[];
  moreAttention: number;
};

const MAX_ATTENTION = 50;
const NO_LINKS: LinkCounts = { awake: 0, parked: 0, late: 0, broken: 0, worstLagSeconds: 0 };

/** For the operator. */
export async function readOverview(
  services: Pick<Services, "home" | "readings" | "tenantSchema">,
  actor: Actor,
): Promise<Overview> {
  authorizeOperator(actor);
  const [counts, [home, ...servers], jobs] = await Promise.all([
    readCounts(services),
    services.readings.servers(actor),
    countJobs(services),
  ]);
  if (home === undefined) throw new Error("home is in no reading");
  const found = await readRegions(services, actor, servers);
  const regions = found.map((region) =>
    Object.assign(region, { failingJobs: jobs.find(({ regionId }) => regionId === region.region.id)?.failing ?? 0 }),
  );
  const attention = await findAttention(services, { home, regions });
  return {
    ...counts,
    home,
    regions,
    placements: sum(regions.map(({ placements }) => placements)),
    jobs: {
      waiting: sum(jobs.map(({ waiting }) => waiting)),
      running: sum(jobs.map(({ running }) => running)),
      failing: sum(jobs.map(({ failing }) => failing)),
    },
    links: regions.map(({ links }) => links).reduce(together, NO_LINKS),
    attention: attention.slice(0, MAX_ATTENTION),
    moreAttention: Math.max(0, attention.length - MAX_ATTENTION),
  };
}

async function readCounts({
  home,
}: Pick<Services, "home">): Promise<{ at: Date; organizations: number; users: number }> {
  const [row] = await home.query<{ at: Date; organizations: number; users: number }>(
    "overview.counts",
    `select now() as at, (select count(*)::int from tenantry.organizations) as organizations,
       (select count(*)::int from tenantry.users where erased_at is null) as users`,
  );
  if (row === undefined) throw new Error("the select returned no row");
  return row;
}

async function readRegions(
  services: Pick<Services, "home" | "readings">,
  actor: Actor,
  servers: readonly ServerReading[],
): Promise<Omit<RegionOverview, "failingJobs">[]> {
  const [regions, { placements, ready }, links] = await Promise.all([
    listRegions(services),
    services.readings.placements(actor),
    countLinks(services),
  ]);
  return regions.map((region) => {
    const byState = Map.groupBy(
      placements.filter(({ regionId }) => regionId === region.id),
      ({ state }) => state,
    );
    const states = [...byState].map(([state, of]) => ({ state, placements: sum(of.map((one) => one.placements)) }));
    const here = sum(states.map((one) => one.placements));
    const server = servers.find(({ regionId }) => regionId === region.id) ?? null;
    return {
      region,
      server,
      isCarried: here === 0 ? null : (server?.isCarried ?? null),
      placements: here,
      readyDatabases: ready.find(({ regionId }) => regionId === region.id)?.ready ?? 0,
      states,
      links: links.find(({ regionId }) => regionId === region.id) ?? NO_LINKS,
    };
  });
}

function together(one: LinkCounts, other: LinkCounts): LinkCounts {
  return {
    awake: one.awake + other.awake,
    parked: one.parked + other.parked,
    late: one.late + other.late,
    broken: one.broken + other.broken,
    worstLagSeconds: Math.max(one.worstLagSeconds, other.worstLagSeconds),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
