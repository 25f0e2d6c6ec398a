/**
 * The one table of what a server can refuse with: for each SQLSTATE, or class of them, the code that callers get, what is said,
 * whether trying again helps, and what the operator can do. Whoever meets a database's error asks here: the API, jobs,
 * replication, `doctor`, the library, the commands.
 *
 * Classes and states: PostgreSQL manual, appendix A. What is not here is a fault of the statement, and so of this program.
 */
import type { ErrorCode } from "#base/kernel/errors";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { StatementTooLong } from "#base/postgres/cancellation";
import { failedAt } from "#base/postgres/failed-at";

export type Refusal = {
  /** `UNAVAILABLE`: which of the two codes it is goes by the server that refused. */
  readonly code: ErrorCode | "UNAVAILABLE";
  /** Whether the same can pass without anybody's doing. */
  readonly retry: boolean;
  /** What is the matter, to stand behind the server's name. Nothing of the server's own words is in it. */
  readonly says: string;
  /** What the operator can do, in whole sentences. */
  readonly remedy: string;
  /** Whether any statement would have been refused so; else it may be the fault of this one. */
  readonly isServers: boolean;
};

/** The server cannot be used now, whatever is asked of it. */
function away(says: string, remedy: string): Refusal {
  return { code: "UNAVAILABLE", retry: true, says, remedy, isServers: true };
}

const LOOK_AT_LOG = "Look at the server's log.";

const AWAY = away("cannot be reached now", "Check that the server runs, its address, and the network between.");
/** All connections of the process to home are in use, which the driver says after a while. */
const BUSY = away(
  "has no connection free for this now",
  "All connections of this process to it are in use: look what holds them, or start another process.",
);
/** We have given the statement up: whoever asks for content hears of that by itself. */
const LATE = away("did not answer in time", "Check that the server runs, the network between, and what it has to do.");
const NO_DATABASE: Refusal = {
  code: "CONFLICT",
  retry: false,
  says: "does not have the database any more",
  remedy: "Restore the database from a backup, or revoke the access to it.",
  isServers: true,
};
const CLOSED = away(
  "lets nobody into the database now",
  "Somebody closed the database: alter database … allow_connections true.",
);
const NO_CONNECT: Refusal = {
  code: "CAPABILITY_MISSING",
  retry: false,
  says: "does not let Tenantry's role into the database",
  remedy: "Grant the role CONNECT on the database.",
  isServers: true,
};
const NO_ROW_SECURITY: Refusal = {
  code: "CAPABILITY_MISSING",
  retry: false,
  says: "has row_security turned off, which Tenantry relies on",
  remedy: "Reset row_security on the role and on the database: alter role … reset row_security.",
  isServers: true,
};

/** By SQLSTATE, or by its class where all states of it are one. The longer key counts. */
const ROWS: Readonly<Record<string, Refusal>> = {
  "08": AWAY,
  "08P01": away(
    "cannot be reached now",
    "A connection pooler seems to answer at the server's address: give the address of the server itself.",
  ),
  [SQL_STATE.readOnlyTransaction]: away(
    "takes no writes now: it is read only",
    "A provider sets default_transaction_read_only when a disk is nearly full; a standby is read only too.",
  ),
  "25P03": away(
    "ended a transaction in which nothing happened for too long",
    "idle_in_transaction_session_timeout is too short on the server, the database or the role.",
  ),
  "25P04": {
    code: "LIMIT_EXCEEDED",
    retry: true,
    says: "stopped a transaction at a time limit of its own",
    remedy: "transaction_timeout is too short on the server, the database or the role.",
    isServers: false,
  },
  "28": away(
    "does not let Tenantry's role in now",
    "Check the role's password, that it has LOGIN, and the server's pg_hba.conf.",
  ),
  [SQL_STATE.undefinedDatabase]: NO_DATABASE,
  "40": {
    code: "CONFLICT",
    retry: true,
    says: "undid the change, as another one got in its way",
    remedy: "Nothing has to be done; where it happens often, the server's log says which sessions wait for each other.",
    isServers: false,
  },
  [SQL_STATE.insufficientPrivilege]: {
    code: "CAPABILITY_MISSING",
    retry: false,
    says: "does not let Tenantry's role do this",
    remedy: "docs/how-to/register-a-region.md says what to grant.",
    isServers: false,
  },
  "53": away("has run out of something that it needs", LOOK_AT_LOG),
  [SQL_STATE.diskFull]: away("has no disk space left", "Make room on the server's disk."),
  [SQL_STATE.outOfMemory]: away("has no memory left", "Give the server more memory, or fewer connections."),
  [SQL_STATE.tooManyConnections]: away(
    "has no connection free",
    "Raise max_connections, or the CONNECTION LIMIT of the role or the database, or use a pooler.",
  ),
  [SQL_STATE.configurationLimitExceeded]: away(
    "has reached a bound of its settings",
    "Replication slots, walsenders or connections are used up: raise the setting.",
  ),
  [SQL_STATE.objectInUse]: {
    code: "CONFLICT",
    retry: true,
    says: "cannot change or drop something that is in use",
    remedy: "Find out who uses it, and end that.",
    isServers: false,
  },
  [SQL_STATE.placementClosed]: {
    code: "LIMIT_EXCEEDED",
    retry: true,
    says: "takes no writes of the organization now",
    remedy: "Its placement is being moved to another database, or was revoked.",
    isServers: false,
  },
  [SQL_STATE.lockNotAvailable]: {
    code: "LIMIT_EXCEEDED",
    retry: true,
    says: "is busy: another session held a lock for too long",
    remedy: "A long transaction may be open: pg_stat_activity shows it. lock_timeout may be too short for the role.",
    isServers: false,
  },
  [SQL_STATE.queryCanceled]: {
    code: "LIMIT_EXCEEDED",
    retry: true,
    says: "stopped the statement, at a time limit of its own or because somebody cancelled it there",
    remedy:
      "Look at statement_timeout of the role, the database and the server; a long transaction that writes may be open on it.",
    isServers: false,
  },
  [SQL_STATE.adminShutdown]: away("ended the connection", "The server is stopping, or somebody ended the session."),
  [SQL_STATE.crashShutdown]: away("ended the connection after a crash", LOOK_AT_LOG),
  [SQL_STATE.cannotConnectNow]: away("is starting up or shutting down", "Wait; if it stays so, look at its log."),
  [SQL_STATE.databaseDropped]: NO_DATABASE,
  [SQL_STATE.idleSessionTimeout]: away(
    "ended a connection that was idle",
    "idle_session_timeout is too short on the server, the database or the role.",
  ),
  "58": away("has a fault in its system or its files", LOOK_AT_LOG),
  F0: away("cannot read its configuration", LOOK_AT_LOG),
  XX: away("reported an internal error", LOOK_AT_LOG),
  XX001: away("says that some of its data is damaged", "Stop it, and restore it from a backup."),
  XX002: away("says that an index is damaged", "Run reindex there, and find out why."),
};

/**
 * The row of an error; undefined for what no database said, and for what is the fault of the statement. What a server says
 * decides, and a region's can say anything: what follows from it are words, and whether what was asked is tried again.
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof StatementTooLong) return LATE;
  const state = sqlState(error);
  if (state === undefined) {
    if (!isConnectionFailure(error)) return undefined;
    const isQueued = error instanceof Error && /timeout exceeded when trying to connect/.test(error.message);
    return isQueued && failedAt(error)?.kind === "home" ? BUSY : AWAY;
  }
  if (state === SQL_STATE.objectNotInPrerequisiteState)
    return failedAt(error)?.isConnecting === true ? CLOSED : undefined;
  if (state === SQL_STATE.insufficientPrivilege) {
    if (failedAt(error)?.isConnecting === true) return NO_CONNECT;
    if (routineOf(error) === "check_enable_rls") return NO_ROW_SECURITY;
  }
  return ROWS[state] ?? ROWS[state.slice(0, 2)];
}

/** Whether the server refuses whatever it is asked: it is away, read only, full, or closed to us. */
export function isOutOfService(error: unknown): boolean {
  return refusalOf(error)?.isServers === true;
}

/** Whether a write was refused as its placement is closed in the database, for a moment or for good. It has changed nothing. */
export function isClosedScope(error: unknown): boolean {
  return sqlState(error) === SQL_STATE.placementClosed;
}

/** Where in the server the error was raised: the same in every language of its messages. */
function routineOf(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "routine" in error && typeof error.routine === "string"
    ? error.routine
    : undefined;
}
