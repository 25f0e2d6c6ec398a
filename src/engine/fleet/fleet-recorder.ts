/**
 * Records at home what was migrated, beside the work: what comes while one statement is on its way goes into the next,
 * together. A crash before loses nothing, as each database knows its version.
 */
import { type RecordedSchema, recordSchemas } from "#engine/home/tenant-databases";
import type { Services } from "#engine/services";

export class FleetRecorder {
  readonly #services: Services;
  readonly #waiting: RecordedSchema[] = [];
  #flushing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Resolves when it is recorded. Whoever need not wait for that hears of a failure from {@link flushed}. */
  record(seen: RecordedSchema): Promise<void> {
    this.#waiting.push(seen);
    if (this.#next === undefined) {
      this.#next = this.#flush(this.#flushing);
      this.#next.catch((reason: unknown) => {
        this.#failure ??= { reason };
      });
    }
    return this.#next;
  }

  /** Resolves when everything is recorded; throws when something could not be. */
  async flushed(): Promise<void> {
    await Promise.allSettled([this.#flushing, this.#next]);
    if (this.#failure !== undefined)
      throw new Error("what was migrated could not be recorded at home", { cause: this.#failure.reason });
  }

  async #flush(before: Promise<void> | undefined): Promise<void> {
    // Whoever waits for the one before hears of its failure.
    await before?.catch(() => undefined);
    this.#flushing = this.#next;
    this.#next = undefined;
    await recordSchemas(this.#services, this.#waiting.splice(0));
  }
}
