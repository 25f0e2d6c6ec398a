import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { countReadyDatabases } from "#engine/home/ready-databases";
import { latestOf } from "#engine/migrations/schema-version";
import { countJobs, countPlacements } from "#engine/readings/read-counts";
import { LinkReadings } from "#engine/readings/read-links";
import { ServerReadings } from "#engine/readings/read-servers";
import type { JobsReading, PlacementsReading, Readings } from "#engine/readings/reading";
import { SharedReading } from "#engine/readings/shared-reading";
import type { Services } from "#engine/services";

const COUNTS = { freshMs: 1_500, deadlineMs: 2_000 };

/** Makes what reads for everybody in this process. `services`: as the program signs in, not as the API does. */
export function openReadings(services: Services): Readings {
  const { home, tenantSchema } = services;
  const servers = new ServerReadings(services);
  const links = new LinkReadings(services);
  const jobs = new SharedReading<JobsReading>(
    async () => ({ readAt: new Date(), jobs: await countJobs(home) }),
    COUNTS,
  );
  const placements = new SharedReading<PlacementsReading>(async () => {
    const latest = latestOf(tenantSchema);
    const [counted, ready] = await Promise.all([countPlacements(home, latest), countReadyDatabases({ home }, latest)]);
    return { readAt: new Date(), placements: counted, ready };
  }, COUNTS);
  const forOperator =
    <Reading>(read: () => Promise<Reading>) =>
    async (actor: Actor) => {
      authorizeOperator(actor);
      return read();
    };
  return {
    servers: forOperator(() => servers.read()),
    links: forOperator(() => links.read()),
    jobs: forOperator(() => jobs.get()),
    placements: forOperator(() => placements.get()),
  };
}
