/** What the operator has to look at, each with the command that comes next. Read at home, and from what servers said a moment ago. */
import { findStuckPlacements } from "#engine/doctor/find-orphans";
import { countVersions, type FleetCounts } from "#engine/home/fleet-records";
import { listFailingJobs } from "#engine/jobs/list-jobs";
import { type LinkCounts, listUnwellLinks } from "#engine/links/list-links";
import { latestOf, totalOf } from "#engine/migrations/schema-version";
import type { PlacementState } from "#engine/home/placements";
import type { ServerReading } from "#engine/readings/reading";
import type { Region } from "#engine/regions/regions";
import type { Services } from "#engine/services";

export const SEVERITIES = ["ERROR", "WARNING", "NOTICE"] as const;
export type Severity = (typeof SEVERITIES)[number];

export type Attention = {
  severity: Severity;
  sentence: string;
  /** What to type next; null: nothing of the program helps. */
  command: string | null;
  since: Date | null;
  regionId: string | null;
  placementId: string | null;
  organizationId: string | null;
  jobId: string | null;
};

/** What is known of a region and its server. */
export type RegionOverview = {
  region: Region;
  /** What its server said a moment ago; null: the region is newer. */
  server: ServerReading | null;
  /** Whether a worker carries its replication; null: it has no tenant database. */
  isCarried: boolean | null;
  placements: number;
  /** Databases that were made ahead and that a grant would find now. */
  readyDatabases: number;
  states: { state: PlacementState; placements: number }[];
  links: LinkCounts;
  failingJobs: number;
};

/** Of each kind; what is more is the same trouble. */
const MAX_OF_A_KIND = 100;

const ABOUT_NOTHING = { since: null, regionId: null, placementId: null, organizationId: null, jobId: null };

/** The worst first. What waits only because its region is away is said once, with the region. */
export async function findAttention(
  services: Pick<Services, "home" | "tenantSchema">,
  { home, regions }: { home: ServerReading; regions: readonly RegionOverview[] },
): Promise<Attention[]> {
  const away = new Set(regions.filter(({ server }) => server?.isUp === false).map(({ region }) => region.id));
  const [jobs, links, stuck, versions] = await Promise.all([
    listFailingJobs(services, MAX_OF_A_KIND),
    listUnwellLinks(services, MAX_OF_A_KIND),
    findStuckPlacements(services),
    countVersions(services, latestOf(services.tenantSchema)),
  ]);
  const isElsewhere = ({ regionId }: { regionId: string | null }) => regionId === null || !away.has(regionId);
  const withJob = new Set(jobs.map(({ placementId }) => placementId));
  const found = [
    ...aboutHome(home),
    ...regions.flatMap(aboutRegion),
    ...jobs.filter(isElsewhere).map(aboutJob),
    ...links.filter(isElsewhere).map(aboutLink),
    ...stuck.filter(({ id, isWaiting }) => !isWaiting && !withJob.has(id)).map(aboutPlacement),
    ...aboutFleet(versions, totalOf(latestOf(services.tenantSchema))),
  ];
  return found.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

function aboutHome({ problem }: ServerReading): Attention[] {
  if (problem === null) return [];
  return [{ ...ABOUT_NOTHING, severity: "WARNING", sentence: `home: ${problem}`, command: "tenantry doctor" }];
}

function aboutRegion({ region, server, isCarried, links, failingJobs }: RegionOverview): Attention[] {
  const about = { ...ABOUT_NOTHING, regionId: region.id };
  const found: Attention[] = [];
  if (server?.isUp === false)
    found.push({
      ...about,
      severity: "ERROR",
      sentence: `${sentenceOf(region.key, server.problem)}${whatWaits(links.late + links.broken, failingJobs)}`,
      command: `tenantry region check ${region.key}`,
    });
  else if (server?.problem != null)
    found.push({
      ...about,
      severity: "WARNING",
      sentence: `${region.key}: ${server.problem}`,
      command: `tenantry region check ${region.key}`,
    });
  if (isCarried === false)
    found.push({
      ...about,
      severity: "ERROR",
      sentence: `No worker carries the replication of region ${region.key}. Start Tenantry, or a process with the role worker.`,
      command: "tenantry start",
    });
  return found;
}

function sentenceOf(key: string, problem: string | null): string {
  const sentence = problem ?? `the server of region ${key} cannot be reached`;
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}${sentence.endsWith(".") ? "" : "."}`;
}

function whatWaits(links: number, jobs: number): string {
  const what = [
    ...(links === 0 ? [] : [links === 1 ? "1 link" : `${links} links`]),
    ...(jobs === 0 ? [] : [jobs === 1 ? "1 job" : `${jobs} jobs`]),
  ];
  if (what.length === 0) return "";
  return ` ${what.join(" and ")} ${links + jobs === 1 ? "waits" : "wait"} for it.`;
}

function aboutJob(job: Awaited<ReturnType<typeof listFailingJobs>>[number]): Attention {
  const { id, kind, step, state, lastError, placementId, organizationId, regionId } = job;
  const where = step === null ? "" : `, at ${step}`;
  return {
    severity: state === "FAILED" ? "ERROR" : "WARNING",
    sentence: `The job ${kind} ${state === "FAILED" ? "has failed" : "fails and is tried again"}${where}: ${lastError ?? "nobody knows why"}`,
    command: "tenantry jobs --state " + state,
    since: job.startedAt,
    jobId: id,
    placementId,
    organizationId,
    regionId,
  };
}

function aboutLink(link: Awaited<ReturnType<typeof listUnwellLinks>>[number]): Attention {
  const { database, direction, state, failure, regionId, waitingSince } = link;
  const what = `${database} ${direction}`;
  const sentence =
    state === "BROKEN"
      ? `${what}: ${failure ?? "its slot or its subscription is gone."}`
      : `${what}: something has been waiting for ${Math.round(link.lagSeconds)} s.`;
  return {
    ...ABOUT_NOTHING,
    severity: state === "BROKEN" ? "ERROR" : "WARNING",
    sentence,
    command: "tenantry doctor",
    since: waitingSince,
    regionId,
  };
}

function aboutPlacement(stuck: Awaited<ReturnType<typeof findStuckPlacements>>[number]): Attention {
  const { id, state, failure, organizationId, regionId } = stuck;
  return {
    ...ABOUT_NOTHING,
    severity: "ERROR",
    sentence: `A placement is ${state}, and nobody works on it${failure === null ? "." : `: ${failure}`}`,
    command: "tenantry doctor --repair",
    placementId: id,
    organizationId,
    regionId,
  };
}

function aboutFleet({ behind, failed }: FleetCounts, target: number): Attention[] {
  const about = { ...ABOUT_NOTHING, command: "tenantry migrate --plan" };
  const are = (count: number) => (count === 1 ? "1 tenant database" : `${count} tenant databases`);
  return [
    ...(failed === 0
      ? []
      : [{ ...about, severity: "ERROR" as const, sentence: `The last migration of ${are(failed)} has failed.` }]),
    ...(behind === 0
      ? []
      : [
          {
            ...about,
            severity: "NOTICE" as const,
            sentence: `${are(behind)} ${behind === 1 ? "has" : "have"} another schema version than ${target}.`,
          },
        ]),
  ];
}
