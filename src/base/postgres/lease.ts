/**
 * A connection that is lent for SQL which is not the program's own. Whatever that SQL does, its scope ends with it:
 *
 * - Outside of a transaction the scope's settings are parameters of the statement, and end with it (scope.ts). A text that cannot
 *   have them goes in a transaction with them, and so does a cursor.
 * - A transaction has them right after its BEGIN, and they end with it.
 * - A connection is used again only when it is in no transaction, and nothing was sent on it that could outlast one
 *   (statement-text.ts). Else it is closed: that costs the next caller 5 ms, and there is no list of what to reset.
 *
 * Several statements in one message are the exception that stays safe: what follows a COMMIT within such a text has no scope, so
 * it sees no rows and writes none.
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
import { type PreparedStatements, withName } from "#base/postgres/prepared-statements";
import {
  asLocal,
  type Result,
  type RowForm,
  type Scope,
  type ScopedText,
  scopedText,
  sendInTransaction,
  sendPlain,
  sendScoped,
  textBefore,
} from "#base/postgres/scope";
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

/** What a cursor is to the driver: it sends its own messages, and is told of each answer. */
export type Cursor = pg.Submittable & { handleError: (error: unknown, connection?: unknown) => void };

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

/** A statement that does nothing. Its answer comes when those before it are done. */
const NOTHING = withName("wait", "");

/** What the driver has but its types leave out. */
type Client = pg.PoolClient & { readonly processID: number | null; getTransactionStatus: () => "I" | "T" | "E" | null };

export class Lease {
  readonly #client: Client;
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
  /** Whether something was sent that the server has not been heard to be done with. */
  #isSending = false;

  /** `settings`: the scope, and what else the caller's statements rely on. */
  constructor(client: pg.PoolClient, settings: readonly Scope[], reached: Reached) {
    this.#client = client as Client;
    this.#settings = settings;
    this.#reached = reached;
    // Whoever has it may have forgotten it, and the pool counts it until it is given back.
    client.on("end", this.#onEnd);
    client.on("error", this.#onError);
    client.on("drain", this.#onDrain);
  }

  readonly #onEnd = () => {
    this.#isLost = true;
    this.giveBack(true);
  };
  readonly #onError = () => {
    this.#isLost = true;
  };
  readonly #onDrain = () => {
    this.#isSending = false;
  };

  /** The server's process, for `pg_stat_activity`. */
  get processId(): number | null {
    return this.#client.processID;
  }

  /** Whether another connection would do as well for what comes after the open transaction, if there is one. */
  get isReplaceable(): boolean {
    return !this.#isLost && !this.#isTainted && this.#openCursors === 0;
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
      const isAlone = this.#status === "I";
      this.#isSending = true;
      if (isAlone) await this.#client.query(`begin; ${this.#settings.map(asLocal).join("; ")}`);
      await cancellable(this.#client, () => {
        this.#client.query(cursor);
        // Sent when the cursor is closed. Whoever reads it is told of its error.
        return this.#client.query(isAlone ? "commit" : NOTHING);
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
    this.#client.off("error", this.#onError);
    this.#client.off("drain", this.#onDrain);
    this.#client.release(isBroken);
  }

  /** What a transaction begins with. */
  get #locals(): string {
    const timeout = `set local idle_in_transaction_session_timeout = ${MAX_IDLE_IN_TRANSACTION_MS}`;
    return [...this.#settings.map(asLocal), timeout].join("; ");
  }

  get #status(): "I" | "T" | "E" | null {
    return this.#client.getTransactionStatus();
  }

  #inOrder<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#isOver) {
      const reason = !this.#isLost
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
    if (this.#isLost) throw new Error("Connection terminated");
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
    if (isRollback && (isSpent(this.#client) || this.#isLost)) return ROLLED_BACK;
    const read = this.#prepareFor(statement.text);
    const before = this.#status;
    const send = () => {
      this.#isSending = true;
      return before === "I" ? this.#alone(statement, read) : this.#within(statement);
    };
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
    const scoped =
      read?.isSeveral === true && values.length === 0 ? undefined : scopedText(text, values.length, this.#settings);
    if (scoped !== undefined) return this.#scoped(statement, scoped).then((result) => [result]);
    const prefix = values.length === 0 ? textBefore(this.#settings) : "";
    return movedBy(
      { at: 0, added: prefix.length },
      sendInTransaction(this.#client, this.#settings, { text, values, form: statement.form }),
    );
  }

  /** With the settings as parameters. */
  async #scoped({ values = [], name: wanted, form }: LentStatement, scoped: ScopedText): Promise<Result> {
    const { prepared } = this.#reached;
    const send = (one: { text: string; name: string | undefined }) => {
      const remark = one.text.length - scoped.text.length;
      return movedBy(
        { at: 0, added: remark },
        movedBy(
          { at: scoped.at + remark, added: scoped.added },
          sendScoped(this.#client, this.#settings, { ...one, values, form }),
        ),
      );
    };
    // What the caller wants to be prepared cannot be where the server's connection changes.
    if (prepared !== undefined && wanted !== undefined) return send({ text: scoped.text, name: wanted });
    if (prepared === undefined || values.length === 0) return send({ text: scoped.text, name: undefined });
    const { text: sent, name } = prepared.use(STATEMENT, scoped.text);
    try {
      return await send({ text: sent, name });
    } catch (error) {
      if (name === undefined || !(isStalePlan(error) || isLostStatement(error))) throw error;
      // Nothing was done yet. The connection's other statements may be of the old schema too.
      if (isLostStatement(error)) this.#reached.stopPreparing();
      this.#isTainted = true;
      return send({ text: withName(STATEMENT, scoped.text), name: undefined });
    }
  }

  /** Within a transaction, which has the settings. */
  async #within(statement: LentStatement): Promise<readonly Result[]> {
    const { text, values = [], name, form } = statement;
    if (name === undefined || this.#reached.prepared === undefined) return this.#plain({ text, values, form });
    // A name stands for one text on a connection, and outside of a transaction it is this one.
    const scoped = scopedText(text, values.length, this.#settings);
    return scoped === undefined ? this.#plain(statement) : [await this.#scoped(statement, scoped)];
  }

  #plain({ text, values = [], name, form }: LentStatement): Promise<readonly Result[]> {
    return sendPlain(this.#client, { text, values, name, form });
  }

  /** A transaction that began where another one ended, or amid a text, has no settings of its own yet. */
  async #keepScope(before: "I" | "T" | "E" | null, read: StatementText | undefined): Promise<void> {
    const mayHaveBegun = before === "I" ? read?.isSeveral === true : read?.mayEnd !== false;
    if (mayHaveBegun && this.#status === "T")
      await untilEnded(this.#client, "COMMIT", this.#client.query(this.#locals));
  }

  /** Resolves when the server is ready for the next statement, or will never be. */
  async #settled(): Promise<void> {
    if (!this.#isSending || this.#isLost || isSpent(this.#client)) return;
    const { promise: ready, resolve: tell } = Promise.withResolvers<void>();
    this.#client.once("drain", tell);
    this.#client.once("end", tell);
    if (!(await endsWithin(ready, COMMIT_TIMEOUT_MS))) this.#isLost = true;
    this.#client.off("drain", tell);
    this.#client.off("end", tell);
  }
}

function endOf(results: readonly Result[]): Outcome["ended"] {
  const last = results.findLast(({ command }) => command === "COMMIT" || command === "ROLLBACK");
  if (last === undefined) return undefined;
  return last.command === "COMMIT" ? "committed" : "rolled back";
}

/** An error's position counts in the text that the caller wrote, not in what was put in before it. */
async function movedBy<Value>({ at, added }: Omit<ScopedText, "text">, sent: Promise<Value>): Promise<Value> {
  try {
    return await sent;
  } catch (error) {
    if (added > 0 && error instanceof Error && "position" in error && typeof error.position === "string") {
      const position = Number(error.position);
      if (position > at + added) error.position = String(position - added);
    }
    throw error;
  }
}
