/**
 * Stops the SQL of a call that is over, on the server: with the protocol's cancel request, which needs no free connection
 * and no rights (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS).
 *
 * A cancel request can arrive after the statement that it is for. So a connection for which one was sent is never used
 * again: it is closed, and what it was in the middle of is rolled back.
 */
import type tls from "node:tls";
import pg from "pg";
import { orAborted } from "#base/kernel/abort";
import { currentCall, requireGoingOn } from "#base/kernel/call";
import { delay, orLate } from "#base/kernel/wait";
import { isConnectionFailure } from "#base/postgres/sql-state";

/** A cancel request is on its way at most this long, and a cancelled statement may take as long to end. */
const CANCEL_TIMEOUT_MS = 2_000;

/** What the driver has of a connection but does not say in its types. */
type Client = pg.PoolClient & {
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean | tls.ConnectionOptions;
  readonly processID: number | null;
  readonly secretKey: number | Buffer | null;
};
type Connection = {
  connect: (port: number, host: string) => void;
  requestSsl: () => void;
  cancel: (processId: number, secretKey: number | Buffer) => void;
  end: () => void;
  stream: { destroy: () => void };
  once: (event: string, listener: () => void) => void;
  on: (event: string, listener: () => void) => void;
};

/** A single statement has taken longer than its call lets it. It was stopped on the server. */
export class StatementTooLong extends Error {
  constructor(timeoutMs: number) {
    super(`a statement took longer than ${timeoutMs} ms`);
    this.name = "StatementTooLong";
  }
}

/** Connections for which a cancel request was sent. */
const spent = new WeakSet<object>();

/** Whether the connection must be closed instead of being used again. */
export function isSpent(client: pg.PoolClient): boolean {
  return spent.has(client);
}

/** Throws the reason when the running call is over. */
export function refuseWhenOver(): void {
  const call = currentCall();
  if (call !== undefined) requireGoingOn(call);
}

/** Waits for a connection as long as the running call lasts; one that comes later goes back. */
export function untilOver(connecting: () => Promise<pg.PoolClient>): Promise<pg.PoolClient> {
  const call = currentCall();
  if (call === undefined) return connecting();
  requireGoingOn(call);
  return orAborted(call.signal, connecting(), (client) => client.release());
}

/**
 * Runs a statement on a connection. When the running call ends first, the statement is cancelled on the server and the
 * call's reason is thrown, after the statement has ended or was given up on; the connection is spent then.
 */
export async function cancellable<Result>(client: pg.PoolClient, run: () => Promise<Result>): Promise<Result> {
  const call = currentCall();
  if (call === undefined) return run();
  const { signal, statementTimeoutMs } = call;
  requireGoingOn(call);
  const running = run();
  try {
    // A timer, as a signal for each statement that joins both would cost several times as much.
    return await orAborted(signal, statementTimeoutMs === undefined ? running : inTime(running, statementTimeoutMs));
  } catch (error) {
    if (!signal.aborted && !(error instanceof StatementTooLong)) throw error;
    spent.add(client);
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    const stop = new AbortController();
    await cancel(client as Client);
    await Promise.race([settled, delay(CANCEL_TIMEOUT_MS, stop.signal).catch(() => undefined)]);
    stop.abort();
    throw error;
  }
}

/** Far longer than a disk or a standby takes. A server that has stopped answering must not keep a connection and a job for good. */
export const COMMIT_TIMEOUT_MS = 30_000;
/** Nothing is written for it. */
export const ROLLBACK_TIMEOUT_MS = 5_000;

/** A connection failure to whoever waits: nobody knows what has become of the statement. */
class Unanswered extends Error {
  readonly code = "ETIMEDOUT";

  constructor(what: string, timeoutMs: number) {
    super(`Connection terminated: the server did not answer ${what} within ${timeoutMs} ms`);
    this.name = "Unanswered";
  }
}

/**
 * Waits for the end of a transaction, which is not cancelled: whether it has happened would be unknown. When it is not answered in
 * time, the connection is spent.
 */
export function untilEnded<Result>(
  client: pg.PoolClient,
  what: "COMMIT" | "ROLLBACK",
  running: Promise<Result>,
): Promise<Result> {
  const timeoutMs = what === "COMMIT" ? COMMIT_TIMEOUT_MS : ROLLBACK_TIMEOUT_MS;
  return orLate(running, timeoutMs, () => {
    spent.add(client);
    return new Unanswered(what, timeoutMs);
  });
}

/** Whether a statement was sent and its answer never came, so nobody knows what has become of it. */
export function isUnanswered(error: unknown): boolean {
  return isConnectionFailure(error) || error instanceof StatementTooLong;
}

function inTime<Result>(running: Promise<Result>, timeoutMs: number): Promise<Result> {
  return orLate(running, timeoutMs, () => new StatementTooLong(timeoutMs));
}

/** Asks the server to cancel what the connection runs. Resolves when the server has taken the request, or after a bound. */
function cancel({ host, port, ssl, processID, secretKey }: Client): Promise<void> {
  if (processID === null || secretKey === null) return Promise.resolve();
  return new Promise((resolve) => {
    const connection = new pg.Connection({ ssl }) as unknown as Connection;
    const finish = () => {
      clearTimeout(timer);
      connection.stream.destroy();
      resolve();
    };
    const timer = setTimeout(finish, CANCEL_TIMEOUT_MS);
    // The server answers nothing: it closes the connection when it has passed the request on.
    connection.once("end", finish);
    connection.on("error", finish);
    const send = () => connection.cancel(processID, secretKey);
    connection.once("connect", () => (ssl ? connection.requestSsl() : send()));
    connection.once("sslconnect", send);
    connection.connect(port, host);
  });
}
