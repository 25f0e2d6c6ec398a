/**
 * Nudges: "this database has something to carry". They travel as notifications at home, may be lost (the sweep
 * finds what was missed) and may be doubled. A nudge with a ticket is answered when everything that was committed
 * before it has arrived.
 */
import { randomBytes } from "node:crypto";
import type { TraceContext } from "#base/kernel/span";
import { currentTrace } from "#base/observability/spans";
import { readTraceContext } from "#base/observability/trace-context";
import type { Listener } from "#base/postgres/listener";
import type { HomeDatabase } from "#base/postgres/database";
import type { Damage } from "#engine/replication/damage";
import type { Direction } from "#engine/replication/names";

/** `<database id> <direction> [<ticket> [<trace>]]` */
export const NUDGE_CHANNEL = "tenantry_nudge";
/** `<ticket> …`: the tickets whose databases have carried everything. */
export const CARRIED_CHANNEL = "tenantry_carried";

export type LinkId = { databaseId: number; direction: Direction };
export type Nudge = LinkId & {
  tickets: readonly string[];
  /** The trace of whoever has nudged. */
  trace: TraceContext | undefined;
};

/** What is told of a link: that it may have something to carry, and for whom, or what it has brought that it may not. */
export type Told = {
  tickets?: readonly string[];
  trace?: TraceContext | undefined;
  broken?: Damage;
};

/** Reads a nudge; undefined for anything malformed. */
export function parseNudge(payload: string): Nudge | undefined {
  const match = /^(\d{1,10}) (directory|catalog)(?: ([0-9a-f]{16})(?: (\S{1,100}))?)?$/.exec(payload);
  if (match === null) return undefined;
  return {
    databaseId: Number(match[1]),
    direction: match[2] as Direction,
    tickets: match[3] === undefined ? [] : [match[3]],
    trace: readTraceContext(match[4], undefined),
  };
}

/** The process's side of waiting for answers. */
export class NudgeDesk {
  readonly #home: HomeDatabase;
  readonly #waiting = new Map<string, () => void>();

  constructor(home: HomeDatabase) {
    this.#home = home;
  }

  /** Starts hearing answers. */
  async listen(listener: Listener): Promise<void> {
    await listener.on(CARRIED_CHANNEL, (payload) => {
      for (const ticket of payload.split(" ")) this.#waiting.get(ticket)?.();
    });
  }

  /**
   * Nudges these links and waits until each has carried what is committed by now, at most `timeoutMs`. Returns
   * those that have not answered in time; they go on being carried. `signal` ends the wait before that.
   */
  async carry(links: readonly LinkId[], timeoutMs: number, signal?: AbortSignal): Promise<LinkId[]> {
    if (links.length === 0) return [];
    const open = new Map<string, LinkId>();
    const done = Promise.withResolvers<void>();
    for (const link of links) {
      const ticket = randomBytes(8).toString("hex");
      open.set(ticket, link);
      this.#waiting.set(ticket, () => {
        open.delete(ticket);
        if (open.size === 0) done.resolve();
      });
    }
    const tickets = [...open.keys()];
    const { traceparent } = currentTrace() ?? {};
    const trace = traceparent === undefined ? "" : ` ${traceparent}`;
    const stop = () => done.resolve();
    const timer = setTimeout(stop, timeoutMs);
    signal?.addEventListener("abort", stop);
    try {
      await this.#home.query(
        "nudge",
        `select pg_notify('${NUDGE_CHANNEL}', payload) from unnest($1::text[]) as payload`,
        [[...open].map(([ticket, { databaseId, direction }]) => `${databaseId} ${direction} ${ticket}${trace}`)],
      );
      await done.promise;
      return [...open.values()];
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      for (const ticket of tickets) this.#waiting.delete(ticket);
    }
  }
}

/** Nudges without waiting. */
export async function nudge(home: HomeDatabase, links: readonly LinkId[]): Promise<void> {
  await home.query("nudge", `select pg_notify('${NUDGE_CHANNEL}', payload) from unnest($1::text[]) as payload`, [
    links.map(({ databaseId, direction }) => `${databaseId} ${direction}`),
  ]);
}

/** Answers tickets. A notification holds at most 8,000 bytes. */
export async function answerTickets(home: HomeDatabase, tickets: readonly string[]): Promise<void> {
  const batches: string[] = [];
  for (let start = 0; start < tickets.length; start += 400) batches.push(tickets.slice(start, start + 400).join(" "));
  if (batches.length === 0) return;
  await home.query(
    "nudge.answer",
    `select pg_notify('${CARRIED_CHANNEL}', payload) from unnest($1::text[]) as payload`,
    [batches],
  );
}
