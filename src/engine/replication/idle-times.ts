/**
 * How long a link that has carried everything stays awake for what may come next. One that is dear to wake stays for longer: over an
 * ocean a wake costs seconds, and whoever writes once a minute would pay for one each time. Its permit is taken from it all the same
 * when another link wants one.
 */
import type { CarrierOptions } from "#engine/replication/carrier-options";
import type { Direction } from "#engine/replication/names";

/** What a wake costs between two servers that are near each other, in milliseconds. */
const CHEAP_MS = 60;
/** The cheapest of the last so many counts, and of two at least: one that met a busy server says nothing of the distance. */
const REMEMBERED = 4;
const FEWEST = 2;

export class IdleTimes {
  readonly #options: Pick<CarrierOptions, "idleMs" | "slowIdleMs">;
  readonly #startsSlowly: Record<Direction, boolean>;
  readonly #costs: Record<Direction, number[]> = { directory: [], catalog: [] };

  constructor(options: Pick<CarrierOptions, "idleMs" | "slowIdleMs">, startsSlowly: Record<Direction, boolean>) {
    this.#options = options;
    this.#startsSlowly = startsSlowly;
  }

  /** A link was woken, and after so long what it was woken for had arrived. */
  woke(direction: Direction, tookMs: number): void {
    const costs = this.#costs[direction];
    costs.push(tookMs);
    if (costs.length > REMEMBERED) costs.shift();
  }

  /** In milliseconds: `idleMs`, and at most `slowIdleMs`, which it reaches at a wake of some 650 ms. */
  of(direction: Direction): number {
    const { idleMs, slowIdleMs } = this.#options;
    const most = Math.max(idleMs, slowIdleMs);
    if (this.#startsSlowly[direction]) return most;
    const costs = this.#costs[direction];
    // Not known yet: as near as can be.
    const cost = costs.length < FEWEST ? 0 : Math.min(...costs);
    return Math.min(idleMs * Math.max(1, (cost / CHEAP_MS) ** 2), most);
  }
}
