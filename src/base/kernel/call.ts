/**
 * The call that runs now: one operation of one caller, with an end. It travels beside the work (AsyncLocalStorage), so
 * that the layers between the API and the database need not hand it on: base/postgres/database.ts stops the SQL of a call
 * that is over. Work that a worker does later, in another process or turn, belongs to no call and goes on.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { AnswerSize } from "#base/kernel/answer-size";

export type Call = {
  /** Aborted with the reason, a TenantryError, when the call is over before its work is done. */
  readonly signal: AbortSignal;
  /**
   * Throws when the call is over although its signal does not say so yet: in a process that was stopped for a while, timers are
   * late.
   */
  readonly requireHeld?: (() => void) | undefined;
  /** A single statement may run this long, counted for itself: for calls that have no end of their own. */
  readonly statementTimeoutMs?: number;
  /**
   * Runs a single statement when the caller has a permit for the server (host and port). One operation can ask for
   * hundreds at once, and would otherwise stand in front of everybody else at the connections. At each server for
   * itself, so that one that hangs keeps nobody from the others. Not for transactions: one that waits for another would
   * wait for ever.
   */
  readonly withPermit?: <Result>(server: string, statement: () => Promise<Result>) => Promise<Result>;
  /** Counts the bytes of what the call answers; undefined: it answers nobody outside. */
  readonly answer?: AnswerSize;
  /** Charges an organization for so many of its objects. Throws when it has no points left now. */
  readonly chargeOrganization?: (organizationId: string, objects: number) => void;
  /** Hears of what was committed and may have changed something. */
  readonly wrote?: () => void;
};

const storage = new AsyncLocalStorage<Call>();

/** Runs `work`, and whatever it starts, as part of the call. */
export function inCall<Result>(call: Call, work: () => Result): Result {
  return storage.run(call, work);
}

/** The call that the running code is part of; undefined outside of any. */
export function currentCall(): Call | undefined {
  return storage.getStore();
}

/** Throws the reason when the call is over. */
export function requireGoingOn({ signal, requireHeld }: Call): void {
  signal.throwIfAborted();
  requireHeld?.();
}

/** Runs `work` as part of this call and of the running one: it is over when either is. */
export function inCallToo<Result>(call: Call, work: () => Result): Result {
  const outer = storage.getStore();
  if (outer === undefined) return storage.run(call, work);
  const requireHeld = () => {
    outer.requireHeld?.();
    call.requireHeld?.();
  };
  return storage.run({ ...outer, ...call, signal: AbortSignal.any([outer.signal, call.signal]), requireHeld }, work);
}

const NEVER = new AbortController().signal;

/** Runs `work` as part of the running call, if there is one; a single statement of it may take this long. */
export function withStatementTimeout<Result>(statementTimeoutMs: number, work: () => Result): Result {
  return storage.run({ signal: NEVER, ...storage.getStore(), statementTimeoutMs }, work);
}

/** Runs `work` as part of the running call, if there is one. `wrote` hears of what it commits, as whoever heard of it before does. */
export function notingWrites<Result>(wrote: () => void, work: () => Result): Result {
  const outer = storage.getStore();
  const note = () => {
    wrote();
    outer?.wrote?.();
  };
  return storage.run({ signal: NEVER, ...outer, wrote: note }, work);
}

/** Gives a function that runs work as part of the call that runs now, whoever calls it and whenever. */
export function bindToCall(): <Result>(work: () => Result) => Result {
  const call = storage.getStore();
  return (work) => (call === undefined ? storage.exit(work) : storage.run(call, work));
}

/** Runs `work` as part of no call: for what others share, and for what has to be said when a call is over. */
export function outsideCalls<Result>(work: () => Result): Result {
  return storage.exit(work);
}

/**
 * Charges an organization for so many objects that the call works on. Throws LIMIT_EXCEEDED when it has no points left
 * now.
 */
export function chargeOrganization(organizationId: string, objects: number): void {
  storage.getStore()?.chargeOrganization?.(organizationId, objects);
}
