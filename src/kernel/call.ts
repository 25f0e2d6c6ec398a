/**
 * The call that runs now: one operation of one caller, with an end. It travels beside the work (AsyncLocalStorage), so
 * that the layers between the API and the database need not hand it on: postgres/database.ts stops the SQL of a call
 * that is over. Work that a worker does later, in another process or turn, belongs to no call and goes on.
 */
import { AsyncLocalStorage } from "node:async_hooks";

export type Call = {
  /** Aborted with the reason, a TenantryError, when the call is over before its work is done. */
  readonly signal: AbortSignal;
  /** A single statement may run this long, counted for itself: for calls that have no end of their own. */
  readonly statementTimeoutMs?: number;
  /**
   * Runs a single statement when it is the caller's turn at the server (host and port). One operation can ask for hundreds at
   * once, and would otherwise stand in front of everybody else at the connections. At each server for itself, so that one that
   * hangs keeps nobody from the others. Not for transactions: one that waits for another would wait for ever.
   */
  readonly inTurn?: <Result>(server: string, statement: () => Promise<Result>) => Promise<Result>;
  /** Told on how many objects of which organization the work is; throws when that organization may not have more done now. */
  readonly onOrganization?: (organizationId: string, objects: number) => void;
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

/** Says that the call works on so many objects of an organization. Throws LIMIT_EXCEEDED when that is too much now. */
export function noteOrganization(organizationId: string, objects: number): void {
  storage.getStore()?.onOrganization?.(organizationId, objects);
}

/** Who is to be told of a signal. One listener of the signal serves all: adding and removing one costs as much as a query's text. */
const listening = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls back when the signal is aborted, unless it has been; returns how to be told no more. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = listening.get(signal);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    signal.addEventListener("abort", () => {
      for (const one of all) one();
    });
    listening.set(signal, all);
    callbacks = all;
  }
  const told = callbacks;
  // Two may hand over the same function.
  const own = () => callback();
  told.add(own);
  return () => {
    told.delete(own);
  };
}

/**
 * Waits for `work`, or rejects with the signal's reason when that is aborted first. What comes of the work afterwards is
 * given to `late`, to be put away; errors of it are dropped.
 */
export function orAborted<Result>(
  signal: AbortSignal,
  work: Promise<Result>,
  late: (result: Result) => void = () => undefined,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let over = false;
    const abort = () => {
      over = true;
      reject(signal.reason instanceof Error ? signal.reason : new Error("aborted", { cause: signal.reason }));
    };
    let forget: (() => void) | undefined;
    if (signal.aborted) abort();
    else forget = onAbort(signal, abort);
    work.then(
      (result) => {
        forget?.();
        if (over) late(result);
        else resolve(result);
      },
      (error: unknown) => {
        forget?.();
        if (!over) reject(error instanceof Error ? error : new Error("the work failed", { cause: error }));
      },
    );
  });
}
