import type { Placement } from "#directory/placements";
import { isConnectionFailure } from "#postgres/sql-state";
import { readLinkStatus } from "#replication/status";
import type { Services } from "#operations/services";
import { tenantLinks } from "#operations/tenant-links";

export type ReplicationStatus = { healthy: boolean; parked: boolean; lagBytes: number | null };

/** Both directions of a placement's replication as one: healthy when both are, lagging as much as the slower one. */
export async function readReplicationStatus(services: Services, placement: Placement): Promise<ReplicationStatus> {
  if (placement.state === "PROVISIONING") return { healthy: false, parked: true, lagBytes: null };
  try {
    const links = await tenantLinks(services, placement);
    const statuses = await Promise.all([readLinkStatus(links.directory), readLinkStatus(links.catalog)]);
    const lags = statuses.map((status) => status.lagBytes);
    return {
      healthy: statuses.every((status) => status.healthy),
      parked: statuses.every((status) => status.parked),
      lagBytes: lags.includes(null) ? null : Math.max(...lags.map((lag) => lag ?? 0)),
    };
  } catch (error) {
    if (!isConnectionFailure(error)) throw error;
    return { healthy: false, parked: false, lagBytes: null };
  }
}
