/** What a failure means for a job: one sentence for people, and whether trying again by itself can help. */
import type { Actor } from "#engine/auth/actor";
import { type ErrorCode, TenantryError } from "#base/kernel/errors";
import { explainRefusal, oneLine, wordsOf } from "#engine/failures/explain";
import { refusalOf } from "#engine/failures/refusals";

export type Failure = {
  /** For `failure` and `lastError`; holds no secret. What follows {@link FOR_OPERATOR} in it is for nobody else. */
  sentence: string;
  /** False: a person has to change something first and then ask for a retry. */
  retry: boolean;
};

// Behind it may be hosts, ports, roles and paths, and whatever words a region's server chooses.
const FOR_OPERATOR = " For the operator: ";

/** What this caller may read of a failure that was recorded. */
export function readableFailure(actor: Actor, sentence: string | null): string | null {
  if (actor.kind === "operator" || sentence === null) return sentence;
  return splitFailure(sentence).sentence;
}

/** What of it is for everybody, and what for the operator alone. */
export function splitFailure(text: string): { sentence: string; forOperator: string | undefined } {
  const end = text.indexOf(FOR_OPERATOR);
  if (end === -1) return { sentence: text, forOperator: undefined };
  return { sentence: text.slice(0, end), forOperator: text.slice(end + FOR_OPERATOR.length) };
}

/** A sentence, and what of it is for the operator alone. */
export function withDetail(sentence: string, detail: string | undefined): string {
  return detail === undefined ? sentence : `${sentence}${FOR_OPERATOR}${detail}`;
}

/** Whether trying again can help where we ourselves refused. A code without a row does not compile. */
const RETRY: Record<ErrorCode, boolean> = {
  UNAUTHENTICATED: false,
  FORBIDDEN: false,
  NOT_FOUND: false,
  INVALID_INPUT: false,
  CONFLICT: false,
  // Somebody else may make room.
  LIMIT_EXCEEDED: true,
  HOME_UNAVAILABLE: true,
  REGION_UNAVAILABLE: true,
  MAIL_UNAVAILABLE: true,
  CAPABILITY_MISSING: false,
  NOT_SYNCED: true,
  // What is gone stays so.
  EVENTS_GONE: false,
  SIGN_IN_UNAVAILABLE: true,
  PERSISTED_QUERY_NOT_FOUND: false,
  PERSISTED_QUERY_NOT_SUPPORTED: false,
  INTERNAL: true,
};

/** Classifies whatever was thrown. Unknown failures are tried again: most are passing, and the pauses grow. */
export function classifyFailure(error: unknown): Failure {
  // Where a server has refused, its row knows better than the code what helps.
  const retry = refusalOf(error instanceof TenantryError ? error.cause : error)?.retry;
  if (error instanceof TenantryError) {
    const { code, message, forOperator } = error;
    const again = retry ?? RETRY[code];
    // It says what to grant to which role, or which setting to change.
    return code === "CAPABILITY_MISSING" && forOperator === undefined
      ? { sentence: withDetail("Something that Tenantry needs is missing.", oneLine(message)), retry: again }
      : { sentence: withDetail(message, forOperator), retry: again };
  }
  const explained = explainRefusal(error);
  if (explained === undefined) return { sentence: withDetail("PostgreSQL refused it.", wordsOf(error)), retry: true };
  return { sentence: withDetail(explained.message, explained.forOperator), retry: retry ?? true };
}
