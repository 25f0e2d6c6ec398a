/**
 * What the libraries that are written for `pg` expect of a pool and its clients, in front of connections that are lent
 * (lease.ts): Drizzle (`node-postgres`), Kysely (`PostgresDialect`) and plain `pg` take it in place of theirs. Drizzle knows a pool
 * by the name of its class, which has "Pool" in it.
 */
import { EventEmitter } from "node:events";
import pg from "pg";
import type { Cursor, Lease, LentStatement, Outcome } from "#base/postgres/lease";
import type { Result, RowForm } from "#base/postgres/scope";

/** The driver's type, for libraries that ask for it. */
export type DriverPool = pg.Pool;

/** A connection that is lent. */
export type Lent = Pick<Lease, "query" | "read" | "giveBack" | "onNotice" | "processId">;

/** Where a pool has its connections from. */
export type PoolSource = {
  /** Lends a connection. */
  lend: () => Promise<Lent>;
  /** Runs one text on any connection. Refuses one that leaves a transaction open. */
  single: (statement: LentStatement) => Promise<Outcome>;
};

type Answer = Result | readonly Result[];
type Callback<Value> = (error: Error | null | undefined, value?: Value) => void;
type Config = { text: string; values?: readonly unknown[]; name?: string } & RowForm;
type Ask = string | Config | Cursor;

/** In place of `pg.Pool`. */
export class ScopedPool extends EventEmitter {
  readonly #source: PoolSource;
  ending = false;
  ended = false;
  /** Connections that are lent now. */
  totalCount = 0;
  /** The connections are the process's, which decides how many wait idle. */
  readonly idleCount = 0;
  waitingCount = 0;

  constructor(source: PoolSource) {
    super();
    this.#source = source;
  }

  query(ask: Ask, values?: readonly unknown[] | Callback<Answer>, callback?: Callback<Answer>): Promise<Answer> | void {
    const { statement, tell } = readAsk(ask, values, callback);
    return told(tell, async () => {
      this.#refuseEnded();
      if (isCursor(ask)) throw new Error("A cursor holds a connection: connect() first.");
      return answerOf(await this.#source.single(statement));
    });
  }

  connect(callback?: (error: Error | null | undefined, client?: ScopedClient, release?: unknown) => void) {
    const connecting = async () => {
      this.#refuseEnded();
      this.waitingCount += 1;
      try {
        const lent = await this.#source.lend();
        this.totalCount += 1;
        return new ScopedClient(lent, () => {
          this.totalCount -= 1;
        });
      } finally {
        this.waitingCount -= 1;
      }
    };
    if (callback === undefined) return connecting();
    return told<ScopedClient>((error, client) => callback(error, client, client?.release.bind(client)), connecting);
  }

  /** Lends no more connections. Those of the process stay: they are others' too. */
  end(callback?: () => void): Promise<void> | void {
    this.ending = true;
    this.ended = true;
    if (callback === undefined) return Promise.resolve();
    process.nextTick(callback);
    return undefined;
  }

  #refuseEnded(): void {
    if (this.ended) throw new Error("Cannot use a pool after calling end on the pool");
  }
}

/** In place of `pg.PoolClient`. */
export class ScopedClient extends EventEmitter {
  readonly #lent: Lent;
  readonly #onRelease: () => void;
  readonly #forgetNotices: () => void;
  #isReleased = false;
  readonly escapeIdentifier = pg.escapeIdentifier;
  readonly escapeLiteral = pg.escapeLiteral;

  constructor(lent: Lent, onRelease: () => void) {
    super();
    this.#lent = lent;
    this.#onRelease = onRelease;
    this.#forgetNotices = lent.onNotice((notice) => this.emit("notice", notice));
  }

  get processID(): number | null {
    return this.#lent.processId;
  }

  /** A cursor is given back as it is, as the driver does. */
  query(
    ask: Ask,
    values?: readonly unknown[] | Callback<Answer>,
    callback?: Callback<Answer>,
  ): Promise<Answer> | Cursor | void {
    if (isCursor(ask)) {
      this.#lent.read(ask, textOf(ask)).catch((error: unknown) => ask.handleError(error));
      return ask;
    }
    const { statement, tell } = readAsk(ask, values, callback);
    return told(tell, async () => answerOf(await this.#lent.query(statement)));
  }

  /** Gives the connection back. With an error, or true, it is closed. */
  release(error?: Error | boolean): void {
    if (this.#isReleased) throw new Error("Release called on client which has already been released to the pool.");
    this.#isReleased = true;
    this.#forgetNotices();
    this.#lent.giveBack(error !== undefined && error !== false);
    this.#onRelease();
  }

  /** Parsers would stay on the connection for the next one: give them with the statement, as `types`. */
  setTypeParser(): never {
    throw new Error("Parsers are given with a statement, as types: the connection is others' too.");
  }

  readonly getTypeParser: typeof pg.types.getTypeParser = pg.types.getTypeParser;
}

function isCursor(ask: Ask): ask is Cursor {
  return typeof ask === "object" && ask !== null && "submit" in ask && typeof ask.submit === "function";
}

/** Of a cursor, or of a stream around one. */
function textOf(cursor: object): string | undefined {
  const { text, cursor: inner } = cursor as { text?: unknown; cursor?: { text?: unknown } };
  const found = text ?? inner?.text;
  return typeof found === "string" ? found : undefined;
}

function readAsk(
  ask: Ask,
  values: readonly unknown[] | Callback<Answer> | undefined,
  callback: Callback<Answer> | undefined,
): { statement: LentStatement; tell: Callback<Answer> | undefined } {
  if (ask == null) throw new TypeError("Client was passed a null or undefined query");
  const tell = typeof values === "function" ? values : callback;
  const given = typeof values === "function" ? undefined : values;
  if (typeof ask === "string" || isCursor(ask))
    return { statement: { text: typeof ask === "string" ? ask : "", values: given }, tell };
  const { text, name, rowMode, types, binary } = ask;
  const form =
    rowMode === undefined && types === undefined && binary === undefined
      ? undefined
      : {
          ...(rowMode !== undefined && { rowMode }),
          ...(types !== undefined && { types }),
          ...(binary !== undefined && { binary }),
        };
  return { statement: { text, values: given ?? ask.values, name, form }, tell };
}

/** One text of several statements has several results, as the driver gives them. */
function answerOf({ results }: Outcome): Answer {
  const [only] = results;
  return results.length === 1 && only !== undefined ? only : results;
}

/** As a promise, or to the callback where there is one. */
function told<Value>(tell: Callback<Value> | undefined, work: () => Promise<Value>): Promise<Value> | void {
  if (tell === undefined) return work();
  // What the callback throws is its own.
  work().then(
    (value) => process.nextTick(tell, undefined, value),
    (error: unknown) => process.nextTick(tell, error),
  );
}
