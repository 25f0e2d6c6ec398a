/** How many links may be awake at once: what the servers have room for, less a reserve for others. Pure. */
import type { ServerProbe } from "#base/postgres/probe";
import type { ServerCapacity, Usage } from "#base/postgres/server-capacity";
import type { Direction } from "#engine/replication/names";

/** Of what links take only while awake, this part is Tenantry's. The rest is left to others. */
export const SHARE_WHILE_AWAKE = 0.75;

/** More at once gains nothing: a server has that many cores at most to decode with. */
const MAX_PERMITS = 24;

/**
 * A directory link takes a walsender at home and an apply worker in the region, a catalog link the reverse. Home is
 * shared among the regions. A quarter of what is free is left to others.
 */
export function permitsFor(home: ServerProbe, region: ServerProbe, regions: number): Record<Direction, number> {
  const share = (probe: ServerProbe, setting: string, among: number) =>
    Math.floor((limitOf(probe, setting) * SHARE_WHILE_AWAKE) / Math.max(among, 1));
  const permits = (...limits: number[]) => Math.max(1, Math.min(MAX_PERMITS, ...limits));
  return {
    directory: permits(
      share(home, "max_wal_senders", regions),
      share(region, "max_logical_replication_workers", 1),
      share(region, "max_worker_processes", 2),
    ),
    catalog: permits(
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

/** What is kept of a setting for others and for mending: a share of it, and a number at least. */
type Reserve = { share: number; least: number };

// A slot or an origin is held also at rest, so what is given away stays away: mending, a sweep's own slot, a standby's
// and grants at the same moment live on the rest. The other settings bound what links take only while awake, see
// permitsFor.
const HELD: Reserve = { share: 0.1, least: 2 };
const WHILE_AWAKE: Reserve = { share: 1 - SHARE_WHILE_AWAKE, least: 0 };
const RESERVES: Record<string, Reserve> = {
  max_replication_slots: HELD,
  "max_replication_slots (origins)": HELD,
  max_active_replication_origins: HELD,
  max_wal_senders: WHILE_AWAKE,
  max_logical_replication_workers: WHILE_AWAKE,
  max_worker_processes: WHILE_AWAKE,
};

/** How a server stands with one setting; `left` is what Tenantry may still take, null where nothing bounds it. */
export type Standing = Usage & { reserve: number; left: number | null };

/** What is kept and what is left of everything that a server bounds. */
export function standingOf({ usage }: ServerCapacity): Standing[] {
  return usage.map((one) => {
    const { share, least } = RESERVES[one.setting] ?? { share: 0, least: 0 };
    const reserve = one.limit === null ? 0 : Math.max(least, Math.ceil(one.limit * share));
    const left = one.limit === null ? null : Math.max(0, one.limit - one.ours - one.others - reserve);
    return { ...one, reserve, left };
  });
}

/**
 * The setting that keeps a server from taking one more tenant database, in one sentence; undefined when it fits. Each
 * of the two sides of a tenant database takes a slot and an origin: `sides` is 2 where home and region are one server, and
 * more where several are meant.
 * Of what links take only while awake, only what others hold counts.
 */
export function findShortage(server: string, capacity: ServerCapacity, sides: number): string | undefined {
  for (const { setting, limit, ours, others, reserve } of standingOf(capacity)) {
    if (limit === null) continue;
    const isHeld = RESERVES[setting] === HELD;
    const needed = isHeld ? sides : 1;
    const kept = isHeld ? reserve : 0;
    const missing = (RESERVES[setting] === WHILE_AWAKE ? 0 : ours) + others + kept + needed - limit;
    if (missing <= 0) continue;
    const used = `${ours} are Tenantry's, ${others} others', ${kept} kept free`;
    return (
      `${server} has no room for one more tenant database: ${setting} is ${limit}, ${used} and ${needed} needed. ` +
      `Raise it by ${missing} at least and restart that server.`
    );
  }
  return undefined;
}
