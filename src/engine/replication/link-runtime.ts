/** What a carrier knows of a link while it is other than parked. Times are `performance.now()` in milliseconds. */
import type { Lsn } from "#base/postgres/lsn";
import type { Link } from "#engine/replication/link";
import { type LinkEvent, type LinkState, next } from "#engine/replication/link-state";
import type { LinkId } from "#engine/replication/nudge";
import type { SlotSample } from "#engine/replication/observe";

export type Runtime = {
  readonly id: LinkId;
  link: Link;
  state: LinkState;
  /** Nudged since the last look: the next look gives the position to reach. */
  nudged: boolean;
  nudgedTickets: string[];
  target: Lsn | undefined;
  targetTickets: string[];
  /** Rows of the publisher's change log that the target covers, by their ids; undefined: it was not read. */
  changes: readonly string[] | undefined;
  sample: SlotSample | undefined;
  awakeSince: number;
  /** Whether something that it was woken for has arrived since. */
  hasArrived: boolean;
  /** Since when it has nothing to carry. */
  idleSince: number;
  /** Since when it is awake without a walsender. */
  inactiveSince: number;
  errorsAtWake: number;
  nextErrorLook: number;
  /** When the launcher is woken once more. */
  nextAsk: number;
  /** The last time that it was. */
  asking: Promise<void> | undefined;
  failures: number;
  /** Only a reseed mends it. */
  mustReseed: boolean;
  retryAt: number;
  /** How often in a row its permit was taken before it had reached its target: each time it gets twice as long. */
  unfinishedSlices: number;
  /** Steps on their way. */
  working: number;
};

/** A link that is about to be nudged for the first time. */
export function newRuntime(id: LinkId, link: Link): Runtime {
  const now = performance.now();
  return {
    id,
    link,
    state: "parked",
    nudged: false,
    nudgedTickets: [],
    target: undefined,
    targetTickets: [],
    changes: undefined,
    sample: undefined,
    awakeSince: now,
    hasArrived: false,
    idleSince: now,
    inactiveSince: now,
    unfinishedSlices: 0,
    errorsAtWake: 0,
    nextErrorLook: 0,
    nextAsk: 0,
    asking: undefined,
    failures: 0,
    mustReseed: false,
    retryAt: 0,
    working: 0,
  };
}

/** Callers wait seconds; of a link that is broken for hours the oldest tickets have nobody left. */
const MAX_TICKETS = 1_000;

export function addTicket(tickets: string[], ticket: string): void {
  tickets.push(ticket);
  if (tickets.length > MAX_TICKETS) tickets.shift();
}

/** The link whose subscription knows what it is to be told. */
export function asTold(link: Link): Link {
  return { ...link, toldBefore: link.told.mark };
}

export function keyOf({ databaseId, direction }: LinkId): string {
  return `${databaseId} ${direction}`;
}

export function namesOf(runtimes: readonly Runtime[]): string[] {
  return runtimes.map(({ link }) => link.name);
}

/** Puts a link that failed off, with all that it was asked for. The first attempt comes at once; later ones back off. */
export function postpone(
  runtime: Runtime,
  reseed: boolean,
  { retryMs, maxRetryMs }: { retryMs: number; maxRetryMs: number },
): void {
  runtime.mustReseed ||= reseed;
  runtime.failures += 1;
  runtime.nudged = true;
  runtime.nudgedTickets.push(...runtime.targetTickets.splice(0));
  runtime.target = undefined;
  const pauseMs = Math.min(retryMs * 2 ** (runtime.failures - 2), maxRetryMs);
  runtime.retryAt = performance.now() + (runtime.failures === 1 ? 0 : pauseMs);
}

/**
 * What it failed for is over: where it is broken it is mended now, and failures count anew. That of a step which began before does not
 * count.
 */
export function endPause(runtime: Runtime): void {
  const isWaiting = runtime.state === "broken" && runtime.working === 0;
  runtime.failures = Math.min(runtime.failures, isWaiting ? 1 : 0);
  if (isWaiting) runtime.retryAt = 0;
}

/** Its subscription was enabled just now. `errors` are from before that, and so are not this wake's. */
export function noteAwake(runtime: Runtime, errors: number): void {
  const now = performance.now();
  runtime.errorsAtWake = errors;
  runtime.awakeSince = now;
  runtime.hasArrived = false;
  runtime.idleSince = now;
  runtime.inactiveSince = now;
}

/**
 * Everything up to its target has arrived. Returns how many milliseconds after it was woken; undefined where it was awake before,
 * or had not got so far in one wake.
 */
export function noteArrived(runtime: Runtime): number | undefined {
  const now = performance.now();
  const isFirst = !runtime.hasArrived && runtime.unfinishedSlices === 0;
  runtime.hasArrived = true;
  runtime.targetTickets = [];
  runtime.target = undefined;
  runtime.idleSince = now;
  runtime.inactiveSince = now;
  runtime.failures = 0;
  runtime.unfinishedSlices = 0;
  return isFirst ? now - runtime.awakeSince : undefined;
}

/** A slice grows up to some thousand times: about half an hour. */
const MAX_SLICE_DOUBLINGS = 10;

/** Whether it has had its permit for as long as it may while others wait. */
export function isSliceOver({ awakeSince, unfinishedSlices }: Runtime, sliceMs: number, now: number): boolean {
  return now - awakeSince > sliceMs * 2 ** Math.min(unfinishedSlices, MAX_SLICE_DOUBLINGS);
}

/** Something happened to the link. */
export function move(runtime: Runtime, event: LinkEvent): void {
  runtime.state = next(runtime.state, event);
}
