/** A bounded queue between something that happens and somebody who follows it. */
import { TenantryError } from "#base/kernel/errors";
import { Wakeup } from "#base/kernel/wakeup";

const MAX_WAITING = 1_000;

/**
 * What a generator makes of a stream's values. Ending it ends the stream first: a generator that waits for the next value
 * would otherwise hear of its end only when that comes, and keep listening until then.
 */
export function readingFrom<Value>(
  stream: Pick<EventStream<unknown>, "return">,
  values: AsyncGenerator<Value>,
): AsyncIterableIterator<Value> {
  return {
    next: () => values.next(),
    return: async () => {
      await stream.return();
      return values.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * An async iterator over pushed values. A follower too slow for them is told so with LIMIT_EXCEEDED instead of
 * letting them pile up. `onEnd` runs once, however the following ends.
 */
export class EventStream<Value> implements AsyncIterableIterator<Value> {
  readonly #waiting: Value[] = [];
  readonly #onEnd: () => void;
  readonly #wakeup = new Wakeup();
  #failure: Error | undefined;
  #ended = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(value: Value): void {
    if (this.#ended) return;
    if (this.#waiting.length >= MAX_WAITING) {
      const sentence = "The subscription fell too far behind: subscribe again.";
      this.#failure = new TenantryError("LIMIT_EXCEEDED", sentence, { limit: "subscription_events" });
      this.#end();
      return;
    }
    this.#waiting.push(value);
    this.#wakeup.wake();
  }

  async next(): Promise<IteratorResult<Value>> {
    for (;;) {
      const value = this.#waiting.shift();
      if (value !== undefined) return { value, done: false };
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return { value: undefined, done: true };
      await this.#wakeup.sleep();
    }
  }

  return(): Promise<IteratorResult<Value>> {
    this.#waiting.length = 0;
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#onEnd();
    }
    this.#wakeup.wake();
  }
}
