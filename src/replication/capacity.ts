/** How many links may be awake at once: what the servers have room for, less a reserve for others. Pure. */
import type { Room, ServerProbe } from "#postgres/probe";
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

/** Slots that a sweep needs for its own time. */
const SCOUTS = 1;

/**
 * The setting that keeps a server from taking one more tenant database, in one sentence; undefined when it fits. Each of the
 * two sides of a tenant database takes a slot and an origin: `sides` is 2 where home and region are one server.
 */
export function findShortage(server: string, probe: Room, sides: 1 | 2): string | undefined {
  const needed = new Map<string, number>();
  const slots = "max_replication_slots";
  const origins = probe.headroom.find(({ setting }) => setting === "max_active_replication_origins")?.setting ?? slots;
  needed.set(slots, sides + SCOUTS);
  // Until 17 the one setting bounds both, each for itself.
  needed.set(origins, Math.max(needed.get(origins) ?? 0, sides));
  for (const [setting, count] of needed) {
    for (const { limit, used } of probe.headroom.filter((one) => one.setting === setting))
      if (limit - used < count)
        return `${server} has no room for one more tenant database: ${setting} is ${limit}, ${used} are in use and ${count} are needed. Raise it and restart that server.`;
  }
  return undefined;
}
