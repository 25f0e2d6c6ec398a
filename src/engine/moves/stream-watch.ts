/** Whether the stream of a move gets on. */
import { readStreamRecord } from "#engine/home/moves";
import type { MoveLink } from "#engine/moves/move-link";
import { findSlot, type Slot } from "#engine/replication/slot";
import { applyErrors, findSubscription } from "#engine/replication/subscription";

/** A first error may be a connection that broke. The server tries again after 5 s, and fails again where a change is why. */
const ERRORS_OF_A_CHANGE = 2;

/** Looks again and again at one stream. What it remembers is of no use to another process. */
export class StreamWatch {
  readonly #link: MoveLink;
  #errors: number | undefined;
  #confirmed: Slot["confirmed"] = null;

  constructor(link: MoveLink) {
    this.#link = link;
  }

  /** Why the stream cannot go on, in one sentence without anything of a row; undefined: it goes on, or may do so still. */
  async hasFailed(): Promise<string | undefined> {
    const { subscriber, publisher, name, placementId } = this.#link;
    const [record, slot, subscription, { errors }] = await Promise.all([
      readStreamRecord(this.#link, placementId),
      findSlot(this.#link),
      findSubscription(subscriber.database, name),
      applyErrors(subscriber.database, name),
    ]);
    if (record.breach !== null) return record.breach;
    if (slot === undefined) return `The replication slot in the region ${publisher.regionKey} is gone.`;
    if (slot.walStatus === "lost")
      return `The replication slot in the region ${publisher.regionKey} was lost: it fell too far behind.`;
    if (subscription === undefined) return `The subscription in the region ${subscriber.regionKey} is gone.`;
    // What was confirmed since was not in the way.
    if (this.#errors === undefined || errors < this.#errors || slot.confirmed !== this.#confirmed)
      this.#errors = errors;
    this.#confirmed = slot.confirmed;
    if (errors - this.#errors < ERRORS_OF_A_CHANGE) return undefined;
    return `The server of the region ${subscriber.regionKey} cannot take in a change of the stream: its log says why.`;
  }
}
