/** A loop's sleep, which others may end. */
import { onAbort } from "#base/kernel/abort";

export class Wakeup {
  #isWoken = false;
  #end: (() => void) | undefined;

  /** Ends the sleep. While nobody sleeps it is remembered, so that a change during the loop's work is not missed. */
  wake(): void {
    this.#isWoken = true;
    this.#end?.();
  }

  /**
   * Resolves when somebody wakes the loop, when `maxMs` milliseconds are over, or when the signal is aborted. At once if one
   * of these has happened since the last sleep. Without `maxMs` there is no bound. Only one caller sleeps at a time.
   */
  async sleep(maxMs?: number, signal?: AbortSignal): Promise<void> {
    if (!this.#isWoken && signal?.aborted !== true && (maxMs === undefined || maxMs > 0)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#end = resolve;
      const timer = maxMs === undefined ? undefined : setTimeout(resolve, maxMs);
      const forget = signal && onAbort(signal, resolve);
      await promise;
      clearTimeout(timer);
      forget?.();
      this.#end = undefined;
    }
    this.#isWoken = false;
  }
}
