/**
 * The metrics of the whole installation: its servers, links, jobs and placements, as the readings have them. Every process
 * gives the same ones, so that any of them can be asked. Their number goes by regions and kinds, not by tenant databases: of those
 * only the worst that are unwell are named.
 */
import { OPERATOR } from "#engine/auth/actor";
import type { Metrics } from "#base/observability/metrics";
import type { Readings } from "#engine/readings/reading";
import { jobGauges } from "#metrics/jobs";
import { linkGauges } from "#metrics/links";
import { placementGauges } from "#metrics/placements";
import { serverGauges } from "#metrics/servers";

/** Registers them; with readings, whoever scrapes gets what these say. Without, the metrics are only described. */
export function exposeInstallation(metrics: Metrics, readings?: Readings): void {
  const success = metrics.gauge(
    "tenantry_reading_success",
    "Whether the last reading of servers, links, jobs or placements succeeded: 1. At 0 the metrics made of it are left out.",
    ["reading"],
  );
  const servers = serverGauges(metrics);
  const links = linkGauges(metrics);
  const jobs = jobGauges(metrics);
  const placements = placementGauges(metrics);
  if (readings === undefined) return;
  metrics.onScrape(async () => {
    const read = await Promise.all([
      fill(
        async () => servers(await readings.servers(OPERATOR)),
        () => servers([]),
      ),
      fill(
        async () => links((await readings.links(OPERATOR)).links),
        () => links([]),
      ),
      fill(
        async () => jobs((await readings.jobs(OPERATOR)).jobs),
        () => jobs(undefined),
      ),
      fill(
        async () => placements(await readings.placements(OPERATOR)),
        () => placements({ placements: [], ready: [] }),
      ),
    ]);
    const names = ["servers", "links", "jobs", "placements"];
    success.set(names.map((reading, index) => ({ labels: { reading }, value: read[index] === true ? 1 : 0 })));
  });
}

/** Old figures would pass for new ones: where nothing could be read there are none. */
async function fill(read: () => Promise<void>, empty: () => void): Promise<boolean> {
  try {
    await read();
    return true;
  } catch {
    empty();
    return false;
  }
}
