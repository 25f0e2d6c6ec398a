/**
 * The end of a request. It covers all of it: finding out who calls, too. One clock runs from the first byte that was handled, for
 * all operations of the request together.
 */
import type { IncomingMessage } from "node:http";
import { onAbort } from "#base/kernel/abort";
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";

export type Deadline = {
  signal: AbortSignal;
  abort: (reason: Error) => void;
  clearTimer: () => void;
  /** Stops listening for the caller's end. */
  detach: () => void;
  dispose: () => void;
};

/** When what is asked must be answered, and when nobody waits for it any more. */
export type Term = {
  timeoutMs: number;
  /** When it was begun with, in milliseconds of `performance.now()`. */
  startedAt: number;
  /** Aborted when the caller has hung up; undefined where that is not to be heard. */
  gone: AbortSignal | undefined;
};

/** The errors that say that the time was over. */
const timedOut = new WeakSet<Error>();

const starts = new WeakMap<IncomingMessage, number>();

/** Notes that a request is being handled from now on. */
export function noteStart(request: IncomingMessage): void {
  starts.set(request, performance.now());
}

/** When the request began to be handled. */
export function startOf(request: IncomingMessage): number {
  return starts.get(request) ?? performance.now();
}

/** The HTTP status of a refusal that comes before anything has run: 503 where the time was over. */
export function statusOf(error: TenantryError): number {
  return timedOut.has(error) ? 503 : 400;
}

export function startDeadline({ gone, ...term }: Term): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(timeIsOver(term.timeoutMs)), leftOf(term));
  const hangUp = () => controller.abort(new TenantryError("LIMIT_EXCEEDED", "The caller has gone."));
  if (gone?.aborted === true) hangUp();
  const detach = gone === undefined ? () => undefined : onAbort(gone, hangUp);
  const clearTimer = () => clearTimeout(timer);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    clearTimer,
    detach,
    dispose: () => {
      clearTimer();
      detach();
    },
  };
}

/**
 * Waits for `work` as long as there is time. The work may go on: others may wait for the same. A caller that has hung up hears
 * nothing in any case.
 */
export function withinTerm<Result>(term: Omit<Term, "gone">, work: Promise<Result>): Promise<Result> {
  return orLate(work, leftOf(term), () => timeIsOver(term.timeoutMs));
}

function leftOf({ timeoutMs, startedAt }: Omit<Term, "gone">): number {
  return Math.max(0, timeoutMs - (performance.now() - startedAt));
}

function timeIsOver(timeoutMs: number): TenantryError {
  const reason = new TenantryError(
    "LIMIT_EXCEEDED",
    `The operation took longer than ${timeoutMs} ms and was stopped; what it had committed stays.`,
    { limit: "time" },
  );
  timedOut.add(reason);
  return reason;
}
