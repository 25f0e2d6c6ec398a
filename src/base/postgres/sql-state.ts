/** Kinds of database failures, told apart by SQLSTATE (PostgreSQL manual, appendix A) and by Node's network codes. */

/** The five-character SQLSTATE of an error the server sent, else undefined. */
export function sqlState(error: unknown): string | undefined {
  const code = errorCode(error);
  // Each of PostgreSQL's has a digit, and what looks like one without is Node's, such as EPIPE.
  const isState = code === SQL_STATE.placementClosed || (code !== undefined && /^(?=.*\d)[0-9A-Z]{5}$/.test(code));
  return isState ? code : undefined;
}

/** The constraint an error names, else undefined. */
export function violatedConstraint(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "constraint" in error && typeof error.constraint === "string"
    ? error.constraint
    : undefined;
}

/**
 * Whether a prepared statement gives other columns since a migration than when it was prepared. The server says so before it
 * does anything of the statement.
 */
export function isStalePlan(error: unknown): error is Error {
  return (
    error instanceof Error &&
    sqlState(error) === SQL_STATE.featureNotSupported &&
    // Other features have this code too, and the words are in the server's language.
    "routine" in error &&
    error.routine === "RevalidateCachedQuery"
  );
}

/**
 * Whether a prepared statement is missing where it was prepared, or there where it was not: as behind a pooler that is said
 * to carry prepared statements and does not. The server says so before it does anything of the statement.
 */
export function isLostStatement(error: unknown): error is Error {
  const state = sqlState(error);
  return state === SQL_STATE.noSuchStatement || state === SQL_STATE.duplicateStatement;
}

export const SQL_STATE = {
  featureNotSupported: "0A000",
  noSuchStatement: "26000",
  duplicateStatement: "42P05",
  uniqueViolation: "23505",
  foreignKeyViolation: "23503",
  checkViolation: "23514",
  exclusionViolation: "23P01",
  duplicateObject: "42710",
  duplicateDatabase: "42P04",
  undefinedObject: "42704",
  undefinedTable: "42P01",
  undefinedDatabase: "3D000",
  invalidSchemaName: "3F000",
  objectInUse: "55006",
  objectNotInPrerequisiteState: "55000",
  insufficientPrivilege: "42501",
  readOnlyTransaction: "25006",
  diskFull: "53100",
  outOfMemory: "53200",
  tooManyConnections: "53300",
  configurationLimitExceeded: "53400",
  lockNotAvailable: "55P03",
  queryCanceled: "57014",
  adminShutdown: "57P01",
  crashShutdown: "57P02",
  cannotConnectNow: "57P03",
  databaseDropped: "57P04",
  idleSessionTimeout: "57P05",
  serializationFailure: "40001",
  deadlockDetected: "40P01",
  invalidPassword: "28P01",
  invalidAuthorization: "28000",
  invalidParameterValue: "22023",
  /** Tenantry's own, of tenantry.takes_writes(): nothing was written. */
  placementClosed: "TNCLS",
} as const;

const NETWORK_CODES = new Set([
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPIPE",
]);
// The driver reports these only in words.
const NETWORK_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|connection timeout/i;

// What Node says of certificates (https://nodejs.org/api/tls.html#x509-certificate-error-codes) and of handshakes.
const TLS_CODES =
  /^(CERT_|CRL_|DEPTH_ZERO_|ERR_OSSL_|ERR_SSL_|ERR_TLS_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH$|INVALID_(CA|PURPOSE)$|EPROTO$)/;
const TLS_MESSAGES = /does not support SSL connections|error establishing an SSL connection/;

/** Whether there is no connection because TLS was not agreed on, or because a certificate does not pass. */
export function isTlsFailure(error: unknown): boolean {
  return (
    TLS_CODES.test(errorCode(error) ?? "") ||
    (sqlState(error) === undefined && error instanceof Error && TLS_MESSAGES.test(error.message))
  );
}

/** Whether the server could not be reached or the connection was lost: nothing is known about the statement. */
export function isConnectionFailure(error: unknown): boolean {
  const code = errorCode(error) ?? "";
  if (NETWORK_CODES.has(code) || isTlsFailure(error)) return true;
  // Class 08: connection exceptions. 57P01 to 57P05 and 25P03 end the session: stopped, crashed, starting up, its database
  // dropped, idle for too long.
  if (/^(57P0[1-5]|25P03|08...)$/.test(code)) return true;
  if (error instanceof AggregateError) return error.errors.some(isConnectionFailure);
  return error instanceof Error && NETWORK_MESSAGES.test(error.message);
}

function errorCode(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}
