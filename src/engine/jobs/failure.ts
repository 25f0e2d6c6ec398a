/** What a failure means for a job: one sentence for people, and whether trying again by itself can help. */
import type { Actor } from "#engine/auth/actor";
import { type ErrorCode, TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";

export type Failure = {
  /** For `failure` and `lastError`; holds no secret. What follows {@link FOR_OPERATOR} in it is for nobody else. */
  sentence: string;
  /** False: a person has to change something first and then ask for a retry. */
  retry: boolean;
};

// Behind it may be hosts, ports, roles and paths, and whatever words a region's server chooses.
const FOR_OPERATOR = " For the operator: ";
const MAX_DETAIL_LENGTH = 500;

/** What this caller may read of a failure that was recorded. */
export function readableFailure(actor: Actor, sentence: string | null): string | null {
  if (actor.kind === "operator" || sentence === null) return sentence;
  const end = sentence.indexOf(FOR_OPERATOR);
  return end === -1 ? sentence : sentence.slice(0, end);
}

/** A region's server can say anything: its words are shown as one line of so many characters. */
function withDetail(sentence: string, detail: string): string {
  const line = detail.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");
  return `${sentence}${FOR_OPERATOR}${line.slice(0, MAX_DETAIL_LENGTH).toWellFormed()}`;
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
  REGION_UNAVAILABLE: true,
  CAPABILITY_MISSING: false,
  NOT_SYNCED: true,
  INTERNAL: true,
};

/** What the server answered, in words that say what to do. */
const SENTENCES: Record<string, Failure> = {
  [SQL_STATE.diskFull]: { sentence: "The server has no disk space left.", retry: true },
  [SQL_STATE.queryCanceled]: {
    sentence: "The server took too long; a long transaction that writes may be open on it.",
    retry: true,
  },
  [SQL_STATE.lockNotAvailable]: {
    sentence: "Another session held a lock for too long; it is tried again.",
    retry: true,
  },
  [SQL_STATE.tooManyConnections]: { sentence: "The server has no connection free.", retry: true },
  [SQL_STATE.deadlockDetected]: { sentence: "Two sessions waited for each other; it is tried again.", retry: true },
  [SQL_STATE.serializationFailure]: {
    sentence: "Two transactions were in each other's way; it is tried again.",
    retry: true,
  },
  [SQL_STATE.objectInUse]: { sentence: "Something on the server is in use; it is tried again.", retry: true },
  [SQL_STATE.configurationLimitExceeded]: {
    sentence: "A setting of the server bounds it: replication slots, walsenders or connections are used up.",
    retry: true,
  },
  [SQL_STATE.insufficientPrivilege]: {
    sentence:
      "The role that Tenantry signs in with may not do this: docs/how-to/register-a-region.md says what to grant.",
    retry: false,
  },
  [SQL_STATE.invalidPassword]: {
    sentence: "The server refused the user name or the password: rotate them with updateRegion.",
    retry: true,
  },
};

/** Classifies whatever was thrown. Unknown failures are tried again: most are passing, and the pauses grow. */
export function classifyFailure(error: unknown): Failure {
  if (error instanceof TenantryError) {
    const { code, message } = error;
    // It says what to grant to which role, or which setting to change.
    const sentence =
      code === "CAPABILITY_MISSING" ? withDetail("Something that Tenantry needs is missing.", message) : message;
    return { sentence, retry: RETRY[code] };
  }
  if (isConnectionFailure(error)) return { sentence: "The region's server cannot be reached.", retry: true };
  const known = SENTENCES[sqlState(error) ?? ""];
  return known ?? { sentence: withDetail("PostgreSQL refused it.", redactedMessage(error)), retry: true };
}
