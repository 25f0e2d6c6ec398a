/**
 * Remembers what somebody else said, until they announce a change. An announcement can be lost. So an entry counts for `maxAgeMs`
 * at most, and nothing is remembered while announcements are not heard. Bounded: a new key in a full one pushes out the one
 * that was set longest ago.
 */
import { BoundedMap } from "#base/kernel/bounded-map";

export class Hearsay<Key, Value> {
  readonly #maxAgeMs: number;
  readonly #entries: BoundedMap<Key, { value: Value; until: number }>;
  #generation = 0;
  #isHearing = true;

  constructor(bounds: { max: number; maxAgeMs: number }) {
    this.#entries = new BoundedMap(bounds.max);
    this.#maxAgeMs = bounds.maxAgeMs;
  }

  get(key: Key): Value | undefined {
    const found = this.#entries.get(key);
    return found !== undefined && found.until > performance.now() ? found.value : undefined;
  }

  /** To be called before asking, and handed to {@link set} with the answer: what was forgotten meanwhile is not kept. */
  ask(): { generation: number; at: number } {
    return { generation: this.#generation, at: performance.now() };
  }

  /** Keeps an answer. It is as old as the question. */
  set(key: Key, value: Value, asked: { generation: number; at: number }): void {
    if (this.#isHearing && asked.generation === this.#generation)
      this.#entries.set(key, { value, until: asked.at + this.#maxAgeMs });
  }

  /** Something changed. */
  forget(): void {
    this.#generation += 1;
    this.#entries.clear();
  }

  /** Whether a change would be heard of from now on. */
  hear(isHearing: boolean): void {
    this.#isHearing = isHearing;
    this.forget();
  }
}
