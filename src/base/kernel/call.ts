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

/**
 * Charges an organization for so many objects that the call works on. Throws LIMIT_EXCEEDED when it has no points left
 * now.
 */
export function chargeOrganization(organizationId: string, objects: number): void {
  storage.getStore()?.chargeOrganization?.(organizationId, objects);
}
