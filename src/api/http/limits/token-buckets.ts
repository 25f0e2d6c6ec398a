/** A token bucket per key: so much per second, and a burst of it saved up. In the memory of this process, and bounded. */
import { BoundedMap } from "#base/kernel/bounded-map";

/** Beyond it the key that was used longest ago is forgotten, which fills its bucket again. */
const MAX_KEYS = 10_000;

/** A bucket moves to the end of the line once in this long, which is exact enough and spares most uses the move. */
const MOVE_AFTER_MS = 1_000;

type Bucket = { tokens: number; at: number; movedAt: number };

export class TokenBuckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #buckets = new BoundedMap<string, Bucket>(MAX_KEYS);

  /** `perSecond` 0: everything is allowed. `now` in milliseconds. */
  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
  }

  /** Takes this many; what is more than a bucket holds is taken when it is full. Returns the seconds to wait; 0: taken. */
  take(key: string, count: number): number {
    if (this.#perSecond === 0) return 0;
    const bucket = this.#fill(key);
    const missing = Math.min(count, this.#burst) - bucket.tokens;
    if (missing > 0) return this.#secondsFor(missing);
    bucket.tokens -= count;
    return 0;
  }

  /** The whole seconds until this many could be taken; 0: now. */
  secondsUntil(key: string, count: number): number {
    // One that nobody has taken from is full.
    if (this.#perSecond === 0 || !this.#buckets.has(key)) return 0;
    const missing = Math.min(count, this.#burst) - this.#fill(key).tokens;
    return missing <= 0 ? 0 : this.#secondsFor(missing);
  }

  /** How many are left of how many; undefined where everything is allowed. */
  stateOf(key: string): { left: number; most: number; secondsToFull: number } | undefined {
    if (this.#perSecond === 0) return undefined;
    const most = this.#burst;
    // One that nobody has taken from is full.
    const tokens = this.#buckets.has(key) ? this.#fill(key).tokens : most;
    return {
      left: Math.max(0, Math.floor(tokens)),
      most,
      secondsToFull: Math.max(0, Math.ceil((most - tokens) / this.#perSecond)),
    };
  }

  #secondsFor(missing: number): number {
    return Math.max(1, Math.ceil(missing / this.#perSecond));
  }

  get size(): number {
    return this.#buckets.size;
  }

  #fill(key: string): Bucket {
    const now = this.#now();
    const found = this.#buckets.get(key) ?? { tokens: this.#burst, at: now, movedAt: Number.NEGATIVE_INFINITY };
    found.tokens = Math.min(this.#burst, found.tokens + ((now - found.at) / 1_000) * this.#perSecond);
    found.at = now;
    if (now - found.movedAt < MOVE_AFTER_MS) return found;
    // Back in at the end: the map's order is the order of last use.
    found.movedAt = now;
    this.#buckets.set(key, found);
    return found;
  }
}
