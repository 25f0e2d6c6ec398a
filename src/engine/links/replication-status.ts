import type { Placement } from "#engine/home/placements";
import { type FlowHealth, surveyDatabases } from "#engine/links/replication-health";
import type { Services } from "#engine/services";

export type ReplicationStatus = { healthy: boolean; parked: boolean; lagBytes: number | null };

/**
 * Both flows of each placement's tenant database as one: healthy when both are, lagging as much as the slower one. The
 * placements are of one region; with as many statements as for one of them.
 */
export async function readReplicationStatus(
  services: Pick<Services, "home" | "installation" | "pools" | "secrets">,
  regionId: string,
  placements: readonly Placement[],
): Promise<Map<string, ReplicationStatus>> {
  const there = placements.filter(({ state }) => state !== "PROVISIONING" && state !== "REVOKING");
  const databases = [...new Map(there.map((placement) => [placement.databaseId, placement])).values()];
  const health = databases.length === 0 ? [] : await surveyDatabases(services, regionId, databases);
  const found = new Map(health.map(({ databaseId, flows }) => [databaseId, flows]));
  const nothing = { healthy: false, parked: true, lagBytes: null };
  return new Map(
    placements.map(({ id, databaseId }) => {
      const flows = there.some((placement) => placement.id === id) ? found.get(databaseId) : undefined;
      return [id, flows === undefined ? nothing : summarize(flows)];
    }),
  );
}

function summarize(flows: readonly FlowHealth[]): ReplicationStatus {
  const lags = flows.map(({ lagBytes }) => lagBytes);
  return {
    healthy: flows.every(({ healthy }) => healthy),
    parked: flows.every(({ parked }) => parked),
    lagBytes: lags.some((lag) => lag === null) ? null : Math.max(0, ...lags.map((lag) => lag ?? 0)),
  };
}
