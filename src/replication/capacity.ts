/** How many links may be awake at once: what the servers have room for, less a reserve for others. Pure. */
import type { ServerProbe } from "#postgres/probe";
import type { Direction } from "#replication/names";

/** More at once gains nothing: a server has that many cores at most to decode with. */
const MAX_PLACES = 24;

/**
 * A directory link takes a walsender at home and an apply worker in the region, a catalog link the reverse. Home is
 * shared among the regions. A quarter of what is free is left to others.
 */
export function placesFor(home: ServerProbe, region: ServerProbe, regions: number): Record<Direction, number> {
  const share = (probe: ServerProbe, setting: string, among: number) =>
    Math.floor((limitOf(probe, setting) * 0.75) / Math.max(among, 1));
  const places = (...limits: number[]) => Math.max(1, Math.min(MAX_PLACES, ...limits));
  return {
    directory: places(
      share(home, "max_wal_senders", regions),
      share(region, "max_logical_replication_workers", 1),
      share(region, "max_worker_processes", 2),
    ),
    catalog: places(
      share(region, "max_wal_senders", 1),
      share(home, "max_logical_replication_workers", regions),
      share(home, "max_worker_processes", 2 * regions),
    ),
  };
}

function limitOf(probe: ServerProbe, setting: string): number {
  const found = probe.headroom.find((one) => one.setting === setting);
  return found === undefined ? 0 : found.limit;
}
