/** The spans of what a carrier was nudged for: from the nudge until it has arrived, in the trace of whoever nudged. */
import type { Span, TraceContext, Tracing } from "#base/kernel/span";
import type { LinkId } from "#engine/replication/nudge";

/** Nudges whose spans are open at once, for a carrier. The oldest are of links that stay broken. */
const MAX_OPEN = 1_000;

export class WakeSpans {
  readonly #tracing: Tracing | undefined;
  readonly #regionKey: string;
  /** By ticket. */
  readonly #open = new Map<string, Span>();

  constructor(tracing: Tracing | undefined, regionKey: string) {
    this.#tracing = tracing;
    this.#regionKey = regionKey;
  }

  /** A link was nudged. `wasParked`: it is woken for it. */
  nudged(id: LinkId, tickets: readonly string[], trace: TraceContext | undefined, wasParked: boolean): void {
    if (this.#tracing === undefined || trace === undefined) return;
    const attributes = {
      "tenantry.region": this.#regionKey,
      "tenantry.database_id": id.databaseId,
      "tenantry.link": id.direction,
      "tenantry.link.was_parked": wasParked,
    };
    for (const ticket of tickets) {
      this.#open.set(ticket, this.#tracing.begin("carry link", "consumer", { parent: trace, attributes }));
      const [oldest] = this.#open.keys();
      if (this.#open.size > MAX_OPEN && oldest !== undefined) this.#end(oldest, "LATE");
    }
  }

  /** What these tickets stand for has arrived. */
  arrived(tickets: readonly string[]): void {
    for (const ticket of tickets) this.#end(ticket);
  }

  /** Nobody here carries any more. */
  close(): void {
    for (const ticket of this.#open.keys()) this.#end(ticket, "GIVEN_UP");
  }

  #end(ticket: string, error?: string): void {
    this.#open.get(ticket)?.end(error);
    this.#open.delete(ticket);
  }
}
