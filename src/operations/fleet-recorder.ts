/** Records at home what was migrated: what comes while one statement is on its way goes into the next, together. */
import { type RecordedSchema, recordSchemas } from "#directory/tenant-databases";
import type { Services } from "#operations/services";

export class FleetRecorder {
  readonly #services: Services;
  #waiting: RecordedSchema[] = [];
  #flushing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Resolves when it is recorded. A crash before loses nothing: the database itself knows its version. */
  record(seen: RecordedSchema): Promise<void> {
    this.#waiting.push(seen);
    this.#next ??= this.#flush(this.#flushing);
    return this.#next;
  }

  async #flush(before: Promise<void> | undefined): Promise<void> {
    // Whoever waits for the one before hears of its failure.
    await before?.catch(() => undefined);
    this.#flushing = this.#next;
    this.#next = undefined;
    await recordSchemas(this.#services, this.#waiting.splice(0));
  }
}
