import type { Placement } from "#directory/placements";
import { surveyDatabases } from "#operations/replication-health";
import type { Services } from "#operations/services";

export type ReplicationStatus = { healthy: boolean; parked: boolean; lagBytes: number | null };

/** Both flows of a placement's tenant database as one: healthy when both are, lagging as much as the slower one. */
export async function readReplicationStatus(services: Services, placement: Placement): Promise<ReplicationStatus> {
  if (placement.state === "PROVISIONING" || placement.state === "REVOKING")
    return { healthy: false, parked: true, lagBytes: null };
  const [health] = await surveyDatabases(services, placement.regionId, [placement]);
  const flows = health?.flows ?? [];
  const lags = flows.map(({ lagBytes }) => lagBytes);
  return {
    healthy: flows.every(({ healthy }) => healthy),
    parked: flows.every(({ parked }) => parked),
    lagBytes: lags.some((lag) => lag === null) ? null : Math.max(0, ...lags.map((lag) => lag ?? 0)),
  };
}
