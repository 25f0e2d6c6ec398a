/**
 * How much of the gateway one credential can take. Of a link one stream runs at a time; for a moment there can be the end of
 * one and the beginning of the next.
 */
export class PerLink {
  readonly #max: number;
  readonly #taken = new Map<string, number>();

  /** `max`: of one link, at a time. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether this link may have one more, which is then its own until {@link leave}. */
  enter(link: string): boolean {
    const taken = this.#taken.get(link) ?? 0;
    if (taken >= this.#max) return false;
    this.#taken.set(link, taken + 1);
    return true;
  }

  leave(link: string): void {
    const left = (this.#taken.get(link) ?? 1) - 1;
    if (left > 0) this.#taken.set(link, left);
    else this.#taken.delete(link);
  }
}
