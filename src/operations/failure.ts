/** What a failure means for an operation: one sentence for people, and whether trying again by itself can help. */
import { type ErrorCode, TenantryError } from "#kernel/errors";
import { redactedMessage } from "#kernel/redaction";
import { isConnectionFailure, SQL_STATE, sqlState } from "#postgres/sql-state";

export type Failure = {
  /** For `failure` and `lastError`; holds no secret. */
  sentence: string;
  /** False: a person has to change something first and then ask for a retry. */
  retry: boolean;
};

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
    sentence: "The role that Tenantry signs in with may not do this: see region requirements in the README.",
    retry: false,
  },
  [SQL_STATE.invalidPassword]: {
    sentence: "The server refused the user name or the password: rotate them with updateRegion.",
    retry: true,
  },
};

/** Classifies whatever was thrown. Unknown failures are tried again: most are passing, and the pauses grow. */
export function classifyFailure(error: unknown): Failure {
  if (error instanceof TenantryError) return { sentence: error.message, retry: RETRY[error.code] };
  if (isConnectionFailure(error)) return { sentence: "The region's server cannot be reached.", retry: true };
  const known = SENTENCES[sqlState(error) ?? ""];
  return known ?? { sentence: `PostgreSQL refused: ${wordsOf(error)}`, retry: true };
}

const MAX_WORDS = 300;

/** A region's server can say anything: its words are shown as one line of so many characters. */
function wordsOf(error: unknown): string {
  return redactedMessage(error)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .slice(0, MAX_WORDS);
}
