/**
 * The state of the whole installation in a few statements at home, however many placements there are, and one look at each server,
 * which others share. A region that is away costs no time and names itself.
 */
import { type Attention, findAttention, type RegionOverview } from "#engine/doctor/attention";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { countPlacements } from "#engine/home/placements";
import { countJobs, type JobCounts } from "#engine/jobs/list-jobs";
import { countLinks, type LinkCounts } from "#engine/links/list-links";
import { readCarriedRegions } from "#engine/links/read-carried";
import { lookAtHome, lookAtRegion, type ServerLook } from "#engine/regions/look-at-servers";
import { listRegions } from "#engine/regions/regions";
import type { Services } from "#engine/services";

export type { Attention, RegionOverview } from "#engine/doctor/attention";

export type Overview = {
  at: Date;
  organizations: number;
  users: number;
  home: ServerLook;
  regions: RegionOverview[];
  placements: number;
  jobs: JobCounts;
  links: LinkCounts;
  attention: Attention[];
  moreAttention: number;
};

/** Many pages may be open: what a server said this long ago will do. */
const MAX_LOOK_AGE_MS = 2_000;
const MAX_ATTENTION = 50;
const NO_LINKS: LinkCounts = { awake: 0, parked: 0, late: 0, broken: 0, worstLagSeconds: 0 };

/** For the operator. */
export async function readOverview(services: Services, actor: Actor): Promise<Overview> {
  authorizeOperator(actor);
  const [counts, found, home, jobs] = await Promise.all([
    readCounts(services),
    readRegions(services),
    lookAtHome(services, MAX_LOOK_AGE_MS),
    countJobs(services),
  ]);
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

async function readCounts({ home }: Services): Promise<{ at: Date; organizations: number; users: number }> {
  const [row] = await home.query<{ at: Date; organizations: number; users: number }>(
    "overview.counts",
    `select now() as at, (select count(*)::int from tenantry.organizations) as organizations,
       (select count(*)::int from tenantry.users where erased_at is null) as users`,
  );
  if (row === undefined) throw new Error("the select returned no row");
  return row;
}

async function readRegions(services: Services): Promise<Omit<RegionOverview, "failingJobs">[]> {
  const [regions, placements, links, carried] = await Promise.all([
    listRegions(services),
    countPlacements(services),
    countLinks(services),
    readCarriedRegions(services),
  ]);
  return Promise.all(
    regions.map(async (region) => {
      const states = placements.filter(({ regionId }) => regionId === region.id);
      const here = sum(states.map((one) => one.placements));
      return {
        region,
        look: await lookAtRegion(services, region, MAX_LOOK_AGE_MS),
        isCarried: here === 0 ? null : carried.has(region.id),
        placements: here,
        states: states.map((one) => ({ state: one.state, placements: one.placements })),
        links: links.find(({ regionId }) => regionId === region.id) ?? NO_LINKS,
      };
    }),
  );
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
