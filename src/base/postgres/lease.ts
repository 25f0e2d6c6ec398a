/**
 * A connection that is lent for SQL which is not the program's own. Whatever that SQL does, its scope ends with it:
 *
 * - Outside of a transaction the scope's settings travel in the statement's own message, and end with it.
 * - A transaction has them right after its BEGIN, and they end with it.
 * - A connection is used again only when it is in no transaction, and nothing was sent on it that could outlast one
 *   (statement-text.ts). Else it is closed: that costs the next caller 5 ms, and there is no list of what to reset.
 *
 * Several statements in one message are the exception that stays safe: what follows a COMMIT within such a text has no scope, so
 * it sees no rows and writes none.
 *
 * The driver's insides are touched here (`readyForQuery`, `_queryable` and `connection`); test/integration/library-scope.test.ts shows when
 * that breaks.
 */
import type pg from "pg";
import { TenantryError } from "#base/kernel/errors";
import { endsWithin } from "#base/kernel/wait";
import {
  cancellable,
  COMMIT_TIMEOUT_MS,
  isSpent,
  isUnanswered,
  refuseWhenOver,
  untilEnded,
} from "#base/postgres/cancellation";
import type { FailedAt } from "#base/postgres/failed-at";
import { quoteLiteral } from "#base/postgres/identifiers";
import { PIN_TRANSACTION, SEARCH_PATH_SETTING } from "#base/postgres/pinned-settings";
import { type PreparedStatements, withName } from "#base/postgres/prepared-statements";
import {
  type Cursor,
  queryUnderSettings,
  type Result,
  type RowForm,
  type Scope,
  scopeCursor,
} from "#base/postgres/scoped-query";
import { withStatementSpan } from "#base/postgres/statement-span";
import { isConnectionFailure, isLostStatement, isStalePlan, sqlState } from "#base/postgres/sql-state";
import { readStatementText, type StatementText } from "#base/postgres/statement-text";

/** One statement, or several in one text where it has no values. */
export type LentStatement = {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Under which the caller wants it prepared. */
  readonly name?: string | undefined;
  readonly form?: RowForm | undefined;
};

/** What came of a text: a result for each of its statements. */
export type Outcome = {
  readonly results: readonly Result[];
  /** Whether a transaction has ended, and how. */
  readonly ended: "committed" | "rolled back" | undefined;
  readonly isInTransaction: boolean;
};

/** How the connection is reached, as far as it matters here. */
type Reached = {
  /** Whether a connection pooler is in between, which hands the server's connection to others after each transaction. */
  readonly isPooler: boolean;
  /** Without it, nothing is prepared. */
  readonly prepared: PreparedStatements | undefined;
  readonly stopPreparing: () => void;
  readonly at: Omit<FailedAt, "isConnecting">;
  readonly noteFailed: (error: unknown, more: Pick<FailedAt, "isInTransaction" | "isOutcomeUnknown">) => void;
};

/** A transaction that does nothing for this long, in milliseconds, is ended by the server: it may hold locks. */
const MAX_IDLE_IN_TRANSACTION_MS = 60_000;
/** A cursor that is still open this long after its connection was given back, in milliseconds, was forgotten. */
const MAX_OPEN_CURSOR_MS = 2_000;
/** Under which the statements stand in `pg_stat_activity`, and are counted together for being prepared. */
const STATEMENT = "library";

/** What comes of a rollback where there is nothing to roll back any more. */
export const ROLLED_BACK: Outcome = {
  results: [{ command: "ROLLBACK", rowCount: null, oid: 0, fields: [], rows: [] }],
  ended: "rolled back",
  isInTransaction: false,
};

/** What the driver has but does not say in its types. */
type Inside = {
  readyForQuery: boolean;
  _queryable: boolean;
  connection: {
    on: (event: string, listener: () => void) => void;
    off: (event: string, listener: () => void) => void;
  };
  getTransactionStatus: () => "I" | "T" | "E" | null;
};

export class Lease {
  readonly #client: pg.PoolClient;
  readonly #settings: readonly Scope[];
  readonly #reached: Reached;
  /** One statement after the other: whether a transaction is open decides how the next one is sent. */
  #last: Promise<unknown> = Promise.resolve();
  #isOver = false;
  /** Whether it was given back to the pool. */
  #isReleased = false;
  /** Cursors that the driver reads, or will, and that are not closed. */
  #openCursors = 0;
  /** Whether something may outlast the lease. */
  #isTainted = false;
  #isLost = false;

  /** `settings`: the scope, and what else the caller's statements rely on. */
  constructor(client: pg.PoolClient, settings: readonly Scope[], reached: Reached) {
    this.#client = client;
    this.#settings = settings;
    this.#reached = reached;
    // Whoever has it may have forgotten it, and the pool counts it until it is given back.
    client.on("end", this.#onEnd);
  }

  readonly #onEnd = () => {
    this.#isLost = true;
    this.giveBack(true);
  };

  /** The server's process, for `pg_stat_activity`. */
  get processId(): number | null {
    return (this.#client as unknown as { processID: number | null }).processID;
  }

  /** Whether another connection would do as well for what comes after the open transaction, if there is one. */
  get isReplaceable(): boolean {
    return this.#isAlive && !this.#isTainted && this.#openCursors === 0;
  }

  get isInTransaction(): boolean {
    return this.#status !== "I";
  }

  /** Hears the server's notices until the returned function is called. */
  onNotice(listener: (notice: unknown) => void): () => void {
    this.#client.on("notice", listener);
    return () => this.#client.off("notice", listener);
  }

  /** Runs a text after those before it. Rejects with the driver's error. */
  query(statement: LentStatement): Promise<Outcome> {
    return this.#inOrder(() => withStatementSpan(STATEMENT, this.#reached.at, () => this.#run(statement)));
  }

  /** Begins a transaction. `mode`: what follows BEGIN. */
  begin(mode: string): Promise<Outcome> {
    return this.query({ text: `begin ${mode}` });
  }

  /**
   * Has the driver read a cursor, and resolves when that is closed. It can be read from at once: what it is asked for waits until
   * the statements before it are done.
   */
  read(cursor: Cursor, text: string | undefined): Promise<void> {
    this.#openCursors += 1;
    const read = this.#inOrder(async () => {
      this.#prepareFor(text);
      if (this.#status === "I") scopeCursor(cursor, this.#settings);
      const closed = new Promise<void>((resolve) => this.#onReady(resolve));
      await cancellable(this.#client, () => {
        this.#client.query(cursor);
        return closed;
      });
    });
    return read.finally(() => {
      this.#openCursors -= 1;
    });
  }

  /**
   * Gives the connection back when its statements are done. Nothing more can be sent. `isBroken`: it is closed at once. A cursor
   * that nobody closes would keep it for good, so after a while it is closed with its cursor.
   */
  giveBack(isBroken = false): void {
    if (isBroken) this.#release(true);
    if (this.#isOver) return;
    this.#isOver = true;
    const forgotten = () => this.#openCursors > 0 && this.#release(true);
    const timer = this.#openCursors > 0 ? setTimeout(forgotten, MAX_OPEN_CURSOR_MS) : undefined;
    const end = async () => {
      await this.#settled();
      clearTimeout(timer);
      const isUsable = !this.#isTainted && !this.#isLost && !isSpent(this.#client);
      this.#release(!isUsable || this.#status !== "I");
    };
    void this.#last.then(end, end);
  }

  #release(isBroken: boolean): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    // Statements that still wait for their turn must not be sent on a broken connection.
    this.#isLost ||= isBroken;
    this.#client.off("end", this.#onEnd);
    this.#client.release(isBroken);
  }

  /** What a transaction begins with. */
  get #locals(): string {
    const timeout = `set local idle_in_transaction_session_timeout = ${MAX_IDLE_IN_TRANSACTION_MS}`;
    return [...this.#settings.map(asLocal), timeout].join("; ");
  }

  get #status(): "I" | "T" | "E" | null {
    return (this.#client as unknown as Inside).getTransactionStatus();
  }

  get #isAlive(): boolean {
    const { _queryable: isQueryable } = this.#client as unknown as Inside;
    return isQueryable && !this.#isLost;
  }

  #inOrder<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#isOver) {
      const reason = this.#isAlive
        ? "The connection was given back: a statement came after its end."
        : "Connection terminated";
      return Promise.reject(new Error(reason));
    }
    const next = this.#last.then(work, work);
    this.#last = next;
    return next;
  }

  /** Notes what a text may leave behind. Throws where it must not be sent. */
  #prepareFor(text: string | undefined): StatementText | undefined {
    if (!this.#isAlive) throw new Error("Connection terminated");
    if (isSpent(this.#client)) throw new Error("Connection terminated: its call is over");
    const read = text === undefined ? undefined : readStatementText(text);
    if (read?.leavesNothing === true) return read;
    if (this.#reached.isPooler)
      throw new TenantryError(
        "CAPABILITY_MISSING",
        "Behind a connection pooler a statement that changes its session would change that of others: use SET LOCAL in a transaction.",
      );
    this.#isTainted = true;
    return read;
  }

  async #run(statement: LentStatement): Promise<Outcome> {
    const isRollback = readStatementText(statement.text).isEnd === "rollback";
    // Whoever rolls back has an error to tell. A connection that is closed rolls back by itself.
    if (isRollback && (isSpent(this.#client) || !this.#isAlive)) return ROLLED_BACK;
    const read = this.#prepareFor(statement.text);
    const before = this.#status;
    const send = () => (before === "I" ? this.#alone(statement, read) : this.#within(statement));
    try {
      // A commit is not cancelled: whether it has happened would be unknown.
      if (read?.isEnd === "commit") refuseWhenOver();
      const results = await (read?.isEnd === undefined
        ? cancellable(this.#client, send)
        : untilEnded(this.#client, read.isEnd === "commit" ? "COMMIT" : "ROLLBACK", send()));
      await this.#keepScope(before, read);
      const isInTransaction = this.#status !== "I";
      return { results, ended: isInTransaction ? undefined : endOf(results), isInTransaction };
    } catch (error) {
      this.#reached.noteFailed(error, {
        isInTransaction: before !== "I",
        // Somebody else's SQL may write in any statement, by a function.
        isOutcomeUnknown: isUnanswered(error) && (before === "I" || read?.mayEnd !== false),
      });
      if (isConnectionFailure(error)) this.#isLost = true;
      // What the server refused leaves the connection as it was; what the driver refused may not.
      else if (sqlState(error) === undefined) this.#isTainted = true;
      // The driver tells of an error before it knows whether a transaction is still open.
      await this.#settled();
      throw error;
    }
  }

  /** Outside of a transaction. */
  #alone(statement: LentStatement, read: StatementText | undefined): Promise<readonly Result[]> {
    const { text, values = [] } = statement;
    if (read?.isBegin === true && values.length === 0)
      // On a line of its own, as the text may end in a remark.
      return this.#plain({ ...statement, text: `${text}\n;${this.#locals}` }).then((results) => results.slice(0, 1));
    if (read?.isSeveral === true && values.length === 0 && statement.name === undefined) {
      const locals = `${this.#settings.map(asLocal).join("; ")}; `;
      return movedBy(locals, this.#plain({ ...statement, text: `${locals}${text}` })).then((results) =>
        results.slice(this.#settings.length),
      );
    }
    return this.#scoped(statement).then((result) => [result]);
  }

  /** With the settings in its own message. */
  async #scoped(statement: LentStatement): Promise<Result> {
    const { text, values = [], form } = statement;
    const { prepared } = this.#reached;
    const send = (one: { text: string; name: string | undefined }) =>
      movedBy(
        one.text.slice(0, one.text.length - text.length),
        queryUnderSettings(this.#client, this.#settings, { ...one, values, form }),
      );
    // What the caller wants to be prepared cannot be where the server's connection changes.
    const named = prepared === undefined ? undefined : statement.name;
    if (named !== undefined || prepared === undefined || values.length === 0) return send({ text, name: named });
    const { text: sent, name } = prepared.use(STATEMENT, text);
    try {
      return await send({ text: sent, name });
    } catch (error) {
      if (name === undefined || !(isStalePlan(error) || isLostStatement(error))) throw error;
      // Nothing was done yet. The connection's other statements may be of the old schema too.
      if (isLostStatement(error)) this.#reached.stopPreparing();
      this.#isTainted = true;
      return send({ text: withName(STATEMENT, text), name: undefined });
    }
  }

  /** Within a transaction, which has the settings. */
  #within({ name, ...statement }: LentStatement): Promise<readonly Result[]> {
    return this.#plain(this.#reached.prepared === undefined ? statement : { ...statement, name });
  }

  async #plain({ text, values = [], name, form }: LentStatement): Promise<readonly Result[]> {
    const config = { ...form, text, ...(name !== undefined && { name }) };
    // The driver's types know one result only.
    const result = (await this.#client.query(config, [...values])) as unknown as Result | Result[];
    return Array.isArray(result) ? result : [result];
  }

  /** A transaction that began where another one ended, or amid a text, has no settings of its own yet. */
  async #keepScope(before: "I" | "T" | "E" | null, read: StatementText | undefined): Promise<void> {
    const mayHaveBegun = before === "I" ? read?.isSeveral === true : read?.mayEnd !== false;
    if (mayHaveBegun && this.#status === "T")
      await untilEnded(this.#client, "COMMIT", this.#client.query(this.#locals));
  }

  /** Resolves when the server is ready for the next statement, or will never be. */
  async #settled(): Promise<void> {
    const { readyForQuery } = this.#client as unknown as Inside;
    if (readyForQuery || !this.#isAlive || isSpent(this.#client)) return;
    const ready = new Promise<void>((resolve) => this.#onReady(resolve));
    if (!(await endsWithin(ready, COMMIT_TIMEOUT_MS))) this.#isLost = true;
  }

  #onReady(tell: () => void): void {
    const { connection } = this.#client as unknown as Inside;
    const heard = () => {
      connection.off("readyForQuery", heard);
      connection.off("end", heard);
      tell();
    };
    connection.on("readyForQuery", heard);
    connection.on("end", heard);
  }
}

function endOf(results: readonly Result[]): Outcome["ended"] {
  const last = results.findLast(({ command }) => command === "COMMIT" || command === "ROLLBACK");
  if (last === undefined) return undefined;
  return last.command === "COMMIT" ? "committed" : "rolled back";
}

function asLocal({ setting, value }: Scope): string {
  if (setting === SEARCH_PATH_SETTING.setting) return PIN_TRANSACTION;
  return `set local ${setting} = ${quoteLiteral(value)}`;
}

/** An error's position counts in the text that the caller wrote, not in what stands before it. */
async function movedBy<Value>(prefix: string, sent: Promise<Value>): Promise<Value> {
  try {
    return await sent;
  } catch (error) {
    if (prefix !== "" && error instanceof Error && "position" in error && typeof error.position === "string")
      error.position = String(Number(error.position) - prefix.length);
    throw error;
  }
}
