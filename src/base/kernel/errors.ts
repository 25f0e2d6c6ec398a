/**
 * The codes that reach clients in `errors[].extensions.code`. The list is part of the contract:
 * a code is added, never renamed.
 */
const ERROR_CODES = [
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "NOT_FOUND",
  "INVALID_INPUT",
  "CONFLICT",
  "LIMIT_EXCEEDED",
  "HOME_UNAVAILABLE",
  "REGION_UNAVAILABLE",
  "MAIL_UNAVAILABLE",
  "CAPABILITY_MISSING",
  "NOT_SYNCED",
  "EVENTS_GONE",
  "SIGN_IN_UNAVAILABLE",
  "PERSISTED_QUERY_NOT_FOUND",
  "PERSISTED_QUERY_NOT_SUPPORTED",
  "INTERNAL",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Whether a value is one of our codes; libraries put codes of their own in the same place. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return ERROR_CODES.some((code) => code === value);
}

/** What bounds callers, as metrics name it: which limit it was that LIMIT_EXCEEDED tells of. */
export type LimitName =
  | "answer_bytes"
  | "batch"
  | "body_bytes"
  | "concurrency"
  | "connections"
  | "cost"
  | "document"
  | "mails"
  | "organization_points"
  | "points"
  | "sign_in_failures"
  | "subscription_events"
  | "subscriptions"
  | "time";

type ErrorDetails = {
  /** The input field that is wrong, as the client spelled it. Only with INVALID_INPUT. */
  field?: string;
  /** After how many whole seconds it is worth trying again. Only with LIMIT_EXCEEDED, HOME_UNAVAILABLE and SIGN_IN_UNAVAILABLE. */
  retryAfterSeconds?: number;
  /** Which limit it is. Only with LIMIT_EXCEEDED. */
  limit?: LimitName;
  /** What only the operator may read: hosts, roles, a server's own words. No secret. */
  forOperator?: string;
  /** What really happened; for logs, never for clients. */
  cause?: unknown;
};

/**
 * An error that may be shown: its message is written for the person who made the call and holds no
 * secret. Everything else that is thrown is masked as INTERNAL before it leaves the process.
 */
export class TenantryError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly limit: LimitName | undefined;
  readonly forOperator: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "TenantryError";
    this.code = code;
    this.field = details.field;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.limit = details.limit;
    this.forOperator = details.forOperator;
  }
}

/** A value the caller gave is wrong; `field` names it as the caller spelled it. */
export function invalidInput(field: string, message: string): TenantryError {
  return new TenantryError("INVALID_INPUT", message, { field });
}

/** The thing does not exist, or the caller may not know that it does: the two are never told apart. */
export function notFound(what: string): TenantryError {
  return new TenantryError("NOT_FOUND", `${what} not found.`);
}
