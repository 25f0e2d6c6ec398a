/**
 * Nudges of regions that nobody here carries just now: the region's carrier is being replaced, or whoever carried it has ended.
 * They are delivered to the carrier that comes. It begins with a sweep, but a server counts what was written up to 10 s
 * late, so a sweep may not see it. Where another process carries the region, they are forgotten after a while.
 */
import { BoundedMap } from "#base/kernel/bounded-map";
import { addTicket, keyOf } from "#engine/replication/link-runtime";
import type { LinkId } from "#engine/replication/nudge";

const KEPT_MS = 30_000;
const MAX_KEPT = 10_000;

type Kept = { id: LinkId; regionId: string; tickets: string[]; at: number };

export class KeptNudges {
  readonly #kept = new BoundedMap<string, Kept>(MAX_KEPT);

  keep(regionId: string, id: LinkId, tickets: readonly string[]): void {
    const kept = this.#kept.get(keyOf(id)) ?? { id, regionId, tickets: [], at: 0 };
    kept.at = performance.now();
    for (const ticket of tickets) addTicket(kept.tickets, ticket);
    this.#kept.set(keyOf(id), kept);
  }

  /** Those of a region, which are kept no longer. */
  take(regionId: string): { id: LinkId; tickets: readonly string[] }[] {
    const taken = [...this.#kept.values()].filter((kept) => kept.regionId === regionId);
    for (const { id } of taken) this.#kept.delete(keyOf(id));
    return taken.filter(({ at }) => performance.now() - at <= KEPT_MS);
  }
}
