/** A random generator that a seed repeats (mulberry32). */
import { waitFor } from "../../src/base/kernel/wait.ts";

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to but not including 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 up to but not including `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** Another generator, that draws its own numbers. */
  fork(): Random {
    return new Random(this.below(2 ** 31));
  }

  /** Lets the others get on for a random while: what random work is made of, not a wait for something. */
  async moment(maxMs: number, isOver: () => boolean = () => false): Promise<void> {
    await waitFor(async () => (isOver() ? true : undefined), { timeoutMs: this.below(maxMs) });
  }
}
