/**
 * The call that runs now: one operation of one caller, with an end. It travels beside the work (AsyncLocalStorage), so
 * that the layers between the API and the database need not hand it on: base/postgres/database.ts stops the SQL of a call
 * that is over. Work that a worker does later, in another process or turn, belongs to no call and goes on.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { AnswerSize } from "#base/kernel/answer-size";
import type { Span } from "#base/kernel/span";

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

/** What the running work is for, as logs and traces tell it. It travels with the call, and also before there is one. */
export type Cause = {
  /** The request's id; undefined: no request is behind it. */
  readonly requestId?: string | undefined;
  /** What the request's log line says; undefined: there is none. */
  readonly note?: CauseNote | undefined;
  /** The part of a trace that the work is; undefined: traces are off, or nothing is to be seen of it. */
  readonly span?: Span | undefined;
};

/** What is noted of a request while it is worked on. */
export type CauseNote = {
  /** Keys of the regions whose databases were asked. */
  readonly regions: Set<string>;
  /** The code of the first error that the answer has. */
  code: string | undefined;
};

/** What travels beside the work. */
type Running = { readonly call?: Call | undefined; readonly cause?: Cause | undefined };

const storage = new AsyncLocalStorage<Running>();

/** Runs `work`, and whatever it starts, as part of the call. */
export function inCall<Result>(call: Call, work: () => Result): Result {
  return storage.run({ call, cause: currentCause() }, work);
}

/** The call that the running code is part of; undefined outside of any. */
export function currentCall(): Call | undefined {
  return storage.getStore()?.call;
}

/** Runs `work`, and whatever it starts, for this cause; in the call that runs now, if there is one. */
export function becauseOf<Result>(cause: Cause | undefined, work: () => Result): Result {
  return storage.run({ call: currentCall(), cause }, work);
}

/** What the running code works for; undefined: for nothing that logs and traces tell of. */
export function currentCause(): Cause | undefined {
  return storage.getStore()?.cause;
}

/** Throws the reason when the call is over. */
export function requireGoingOn({ signal, requireHeld }: Call): void {
  signal.throwIfAborted();
  requireHeld?.();
}

/** Runs `work` as part of this call and of the running one: it is over when either is. */
export function inCallToo<Result>(call: Call, work: () => Result): Result {
  const outer = currentCall();
  if (outer === undefined) return inCall(call, work);
  const requireHeld = () => {
    outer.requireHeld?.();
    call.requireHeld?.();
  };
  return inCall({ ...outer, ...call, signal: AbortSignal.any([outer.signal, call.signal]), requireHeld }, work);
}

const NEVER = new AbortController().signal;

/** Runs `work` as part of the running call, if there is one; a single statement of it may take this long. */
export function withStatementTimeout<Result>(statementTimeoutMs: number, work: () => Result): Result {
  return inCall({ signal: NEVER, ...currentCall(), statementTimeoutMs }, work);
}

/** Runs `work` as part of the running call, if there is one. `wrote` hears of what it commits, as whoever heard of it before does. */
export function notingWrites<Result>(wrote: () => void, work: () => Result): Result {
  const outer = currentCall();
  const note = () => {
    wrote();
    outer?.wrote?.();
  };
  return inCall({ signal: NEVER, ...outer, wrote: note }, work);
}

/** Gives a function that runs work as part of the call that runs now, for its cause, whoever calls it and whenever. */
export function bindToCall(): <Result>(work: () => Result) => Result {
  const running = storage.getStore();
  return (work) => (running === undefined ? storage.exit(work) : storage.run(running, work));
}

/** Runs `work` as part of no call and for no cause: for what others share, and for what has to be said when a call is over. */
export function outsideCalls<Result>(work: () => Result): Result {
  return storage.exit(work);
}

/**
 * Charges an organization for so many objects that the call works on. Throws LIMIT_EXCEEDED when it has no points left
 * now.
 */
export function chargeOrganization(organizationId: string, objects: number): void {
  currentCall()?.chargeOrganization?.(organizationId, objects);
}
