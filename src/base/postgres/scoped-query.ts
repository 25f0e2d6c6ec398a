/**
 * A statement with settings that hold for it alone. All go to the server in one message, as one implicit transaction of
 * the extended protocol: no round trip more, and the settings are gone before the connection can be used again.
 */
import pg from "pg";
import { quoteIdentifier } from "#base/postgres/identifiers";

/** A setting and its value, as `current_setting` gives it to row-level security. */
export type Scope = { readonly setting: string; readonly value: string };

export type Statement = {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Under which it is prepared on the connection, and kept there; undefined: it is parsed for this once. */
  readonly name: string | undefined;
  /** How the driver is to give the rows, where that is not as objects of its own types. */
  readonly form?: RowForm | undefined;
};

/** How the driver gives rows: as arrays, and by other parsers. */
export type RowForm = Pick<pg.QueryArrayConfig, "types"> & { readonly rowMode?: "array"; readonly binary?: boolean };

/** What is announced on a channel. */
export type Notice = { readonly channel: string; readonly payload: string };

/**
 * Sets as many settings. No row, so that the driver's result is the statement's own. With the schema of the function, as the
 * search path may be what it is to set.
 */
function setStatement(count: number): { text: string; name: string } {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const set = numbers.map((at) => `pg_catalog.set_config($${2 * at - 1}, $${2 * at}, true) as value_${at}`).join(", ");
  const isMissing = numbers.map((at) => `value_${at} is null`).join(" or ");
  return {
    text: `/* tenantry: scope */ select from (select ${set}) as scope where ${isMissing}`,
    name: `tenantry_scope_${count}`,
  };
}
const SET = [1, 2, 3].map(setStatement);

/** The driver's, of one statement. */
export type Result = pg.QueryResult<object>;

/** By connection, how many settings the statements set that are prepared there. */
const prepared = new WeakMap<pg.Connection, Set<number>>();

/** With what the driver has but does not say in its types. */
const DriverQuery = pg.Query as unknown as new (
  config: string | (RowForm & { text: string }),
  values: readonly unknown[],
  callback: (error: Error | null, result: Result | Result[] | undefined) => void,
) => pg.Query & {
  name: string | undefined;
  queryMode: "extended" | undefined;
  handleError(error: Error, connection: pg.Connection): void;
};

/** `isKept`: the statement that sets them is prepared on the connection, and kept there. */
function sendSettings(connection: pg.Connection, settings: readonly Scope[], isKept: boolean): void {
  const set = SET[settings.length - 1];
  if (set === undefined) throw new Error(`a statement has 1 to ${SET.length} settings`);
  const statement = isKept ? set.name : "";
  const known = prepared.get(connection) ?? new Set();
  if (!isKept || !known.has(settings.length)) connection.parse({ ...set, name: statement, types: [] }, true);
  if (isKept) prepared.set(connection, known.add(settings.length));
  connection.bind({ statement, values: settings.flatMap(({ setting, value }) => [setting, value]) }, true);
  connection.execute({}, true);
}

class ScopedQuery extends DriverQuery {
  /** Whether its messages, and the notice's, have been sent. */
  isSent = false;

  constructor(
    settings: readonly Scope[],
    { text, values, name, form }: Statement,
    notice: Notice | undefined,
    done: (error: Error | undefined, result: Result | undefined) => void,
  ) {
    super(form === undefined ? text : { ...form, text }, values, (error, result) => {
      // The settings' result comes first.
      done(error ?? undefined, Array.isArray(result) ? result.at(-1) : result);
    });
    // Given to the driver as one object, they would be copied with a descriptor for each.
    this.name = name;
    // Extended even without values: a simple statement would be a transaction of its own.
    this.queryMode = "extended";
    const { submit } = this;
    this.submit = (connection) => {
      const { stream } = connection;
      // The driver refuses it too, but after the settings were sent.
      const previous = name === undefined ? text : parsedBy(connection)[name];
      if (previous !== undefined && previous !== text)
        return new Error(`Prepared statements must be unique: ${name} was used for another text`) as unknown as void;
      stream.cork();
      try {
        sendSettings(connection, settings, this.name !== undefined);
        // A failure leaves open whether the server has it (see handleError), and closing what is not there is no error.
        if (name !== undefined && parsedBy(connection)[name] === undefined) connection.close({ type: "S", name }, true);
        const refusal: unknown = submit.call(this, connection);
        this.isSent = !(refusal instanceof Error);
        if (notice !== undefined && this.isSent) connection.query(textOf(notice));
        return refusal as void;
      } finally {
        stream.uncork();
      }
    };
  }

  /** The driver takes the answer to any of our messages for the statement's own, also when that was refused. */
  override handleError(error: Error, connection: pg.Connection): void {
    if (this.name !== undefined) parsedBy(connection)[this.name] = undefined;
    super.handleError(error, connection);
  }
}

/** Takes the server's answer to a notice, which went with the statement before it. */
class SentNotice extends DriverQuery {
  readonly #done: () => void;

  /** `done` is called also when it was not announced: that changes nothing of what the statement did. */
  constructor(after: ScopedQuery, done: () => void) {
    super("", [], done);
    this.#done = done;
    this.submit = () => (after.isSent ? null : new Error("the statement was not sent")) as unknown as void;
  }

  override handleError(error: Error, connection: pg.Connection): void {
    if (!(error instanceof pg.DatabaseError)) return this.#done();
    // The server becomes ready after what it refuses, of which the driver tells a query no more.
    const finish = () => {
      connection.off("readyForQuery", finish);
      connection.off("end", finish);
      this.#done();
    };
    connection.on("readyForQuery", finish);
    connection.on("end", finish);
  }
}

function textOf({ channel, payload }: Notice): string {
  return `/* tenantry: notice */ notify ${quoteIdentifier(channel)}, ${pg.escapeLiteral(payload)}`;
}

function parsedBy(connection: pg.Connection): Record<string, string | undefined> {
  return (connection as unknown as { parsedStatements: Record<string, string | undefined> }).parsedStatements;
}

/** The answers to notices that have been sent and not yet answered. */
const unanswered = new WeakMap<pg.PoolClient, Promise<void>>();

/** Settled when the connection may be given on; undefined: at once. */
export function whenAnswered(client: pg.PoolClient): Promise<void> | undefined {
  return unanswered.get(client);
}

/**
 * Runs the statement under one to three settings on this connection. Rejects with the driver's error.
 *
 * `notice` is announced in the same message, as a transaction of its own after the statement's. In one with it, PostgreSQL would
 * have everything that announces something, in all databases of the server, wait for each other's commits to reach the disk
 * (https://www.postgresql.org/docs/current/sql-notify.html). It is announced where the statement fails, too: who hears it looks.
 * It is not waited for; see {@link whenAnswered}.
 */
export function queryUnderSettings(
  client: pg.PoolClient,
  settings: readonly Scope[],
  statement: Statement,
  notice?: Notice,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const query = new ScopedQuery(settings, statement, notice, (error, result) => {
    if (error !== undefined) reject(error);
    else if (result === undefined) reject(new Error("the driver gave no result"));
    else resolve(result);
  });
  client.query(query);
  return notice === undefined ? promise : withNotice(client, query, promise);
}

/** What a cursor is to the driver: it sends its own messages, and is told of each answer. */
export type Cursor = pg.Submittable & {
  handleCommandComplete: (message: unknown, connection: unknown) => void;
  handleError: (error: unknown, connection?: unknown) => void;
};

/** Has a cursor read under the settings, which end with it. It must not have been sent, and no transaction may be open. */
export function scopeCursor(cursor: Cursor, settings: readonly Scope[]): void {
  const { submit, handleCommandComplete } = cursor;
  cursor.submit = (connection) => {
    const { stream } = connection;
    stream.cork();
    try {
      sendSettings(connection, settings, false);
      submit.call(cursor, connection);
    } finally {
      stream.uncork();
    }
  };
  // The answer to the settings comes first, and is not the cursor's.
  cursor.handleCommandComplete = () => {
    cursor.handleCommandComplete = handleCommandComplete;
  };
}

/** Has the driver expect the answer to the query's notice. */
async function withNotice(client: pg.PoolClient, query: ScopedQuery, result: Promise<Result>): Promise<Result> {
  const answer = Promise.withResolvers<void>();
  unanswered.set(client, answer.promise);
  const notice = new SentNotice(query, () => {
    unanswered.delete(client);
    answer.resolve();
  });
  client.query(notice);
  try {
    return await result;
  } catch (error) {
    // Who tries again does so on a connection that is ready.
    await answer.promise;
    throw error;
  }
}
