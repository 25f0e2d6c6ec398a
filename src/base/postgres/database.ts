/**
 * A database as the rest of Tenantry sees it. The only module besides the pools that touches the driver.
 * Handles of home, of tenant databases and of servers' maintenance databases are different types, so that
 * sending a statement to the wrong one does not compile.
 */
import type pg from "pg";
import { currentCall, outsideCalls } from "#base/kernel/call";
import { endsWithin } from "#base/kernel/wait";
import { Announcements, type Notice } from "#base/postgres/announcements";
import { type BatchStatement, runBatch } from "#base/postgres/batch";
import {
  cancellable,
  COMMIT_TIMEOUT_MS,
  isSpent,
  isUnanswered,
  refuseWhenOver,
  ROLLBACK_TIMEOUT_MS,
  untilEnded,
} from "#base/postgres/cancellation";
import type { DatabaseKind } from "#base/postgres/failed-at";
import { LazyPool, type PoolConfig } from "#base/postgres/lazy-pool";
import { Lease } from "#base/postgres/lease";
import { PIN_TRANSACTION, SEARCH_PATH_SETTING } from "#base/postgres/pinned-settings";
import { type PreparedStatements, withName } from "#base/postgres/prepared-statements";
import {
  isMissingSetter,
  type Scope,
  scopedText,
  sendInTransaction,
  sendPlain,
  sendScoped,
  type Statement,
} from "#base/postgres/scope";
import { withStatementSpan } from "#base/postgres/statement-span";
import { rememberClient } from "#base/postgres/session-clients";
import { isConnectionFailure, isLostStatement, isStalePlan, sqlState } from "#base/postgres/sql-state";

export type { DatabaseKind } from "#base/postgres/failed-at";

/** Something that runs statements: a database (any free connection), a transaction or a session. */
export interface Queryable<Kind extends DatabaseKind> {
  readonly kind: Kind;
  /**
   * Runs one statement. `name` goes in front as a remark, so that `pg_stat_activity` and slow-query logs
   * explain themselves. Throws the driver's errors; see sql-state.ts for telling them apart.
   */
  query<Row extends object = Record<string, never>>(
    name: string,
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]>;
}

/** A database as one setting shows it to row-level security. */
export interface ScopedDatabase<Kind extends DatabaseKind> extends Queryable<Kind> {
  /** `notice`: announced right after the statement, also where that is refused. */
  query<Row extends object = Record<string, never>>(
    name: string,
    text: string,
    values?: readonly unknown[],
    notice?: Notice,
  ): Promise<Row[]>;
}

/** Statements that share one connection outside a transaction: DDL that refuses one, locks, settings. */
export interface Session<Kind extends DatabaseKind> extends Queryable<Kind> {
  /**
   * Sends several statements in one message, which saves a round trip for each, and gives the rows of each. They take no
   * parameters. Unless they begin and commit themselves, they are one transaction.
   */
  script(name: string, text: string): Promise<object[][]>;
  /** The same with parameters, each a statement by itself. */
  batch(name: string, statements: readonly BatchStatement[]): Promise<object[][]>;
}
export type Transaction<Kind extends DatabaseKind> = Queryable<Kind> & { readonly inTransaction: true };

export class Database<Kind extends DatabaseKind> implements Queryable<Kind> {
  readonly kind: Kind;
  readonly #server: string;
  /** For what a connection has to stay the same for. */
  readonly #direct: LazyPool;
  /** For single statements and transactions: through a connection pooler, where there is one. */
  readonly #shared: LazyPool;
  /** For connections that somebody keeps, which are no share of a budget. */
  readonly #lasting: LazyPool;
  readonly #announcements = new Announcements(() => void this.#announceElsewhere());

  /** `pooler`: for whatever ends with its transaction. */
  constructor(kind: Kind, direct: PoolConfig, pooler?: PoolConfig) {
    this.kind = kind;
    this.#server = direct.server;
    this.#direct = new LazyPool(direct);
    this.#shared = pooler === undefined ? this.#direct : new LazyPool(pooler);
    this.#lasting = direct.budget === undefined ? this.#direct : new LazyPool({ ...direct, budget: undefined });
  }

  /**
   * The driver's pool, for who wants a connection that stays his own, such as a listener; never through a pooler. A handle
   * whose pool was closed to make room for others opens a new one: whoever holds the handle need not know.
   */
  get pool(): pg.Pool {
    return this.#lasting.pool;
  }

  /** Whether a connection is in use now. */
  get isBusy(): boolean {
    return this.#direct.isBusy || this.#shared.isBusy || this.#lasting.isBusy;
  }

  query<Row extends object = Record<string, never>>(
    name: string,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.#traced(name, () => this.#single({ name, text, values })) as Promise<Row[]>;
  }

  /**
   * The same database, each statement under a setting that row-level security goes by. The setting ends with the statement:
   * the connection's next user has none.
   */
  scoped(scope: Scope): ScopedDatabase<Kind> {
    return {
      kind: this.kind,
      query: <Row extends object>(name: string, text: string, values: readonly unknown[] = [], notice?: Notice) =>
        this.#traced(name, () => this.#single({ name, text, values }, { scope, notice })) as Promise<Row[]>,
    };
  }

  /** One statement on any free connection. */
  async #single(
    asked: Asked,
    { scope, notice }: { scope?: Scope; notice?: Notice | undefined } = {},
  ): Promise<object[]> {
    const settings = [...(scope === undefined ? [] : [scope]), ...(this.#shared.isPooler ? [SEARCH_PATH_SETTING] : [])];
    const client = await this.#shared.take();
    let broken: Error | undefined;
    try {
      const { name, send } = prepareToSend(asked, settings, this.#shared.prepared);
      const rows = await cancellable(client, () => send(client)).catch((error: unknown) => {
        this.#shared.noteFailed(error, { isOutcomeUnknown: isUnanswered(error) && mayWrite(asked.text) });
        if (name === undefined || !(isStalePlan(error) || isLostStatement(error))) throw error;
        // It would be the same with the next ones.
        if (isLostStatement(error)) this.#shared.stopPreparing();
        // Nothing was done yet. The connection's other statements may be of the old schema too.
        broken = error;
        return cancellable(client, () => prepareToSend(asked, settings, undefined).send(client));
      });
      noteWritten(asked.text);
      return rows;
    } catch (error) {
      // What the server refused leaves the connection as it was.
      if (sqlState(error) === undefined || isConnectionFailure(error))
        broken = error instanceof Error ? error : new Error("statement failed", { cause: error });
      throw error;
    } finally {
      if (notice !== undefined) this.#announcements.add(notice);
      this.#giveBack(client, broken ?? isSpent(client));
    }
  }

  /** Has the connection announce what is due, which nobody waits for, before others can have it. */
  #giveBack(client: pg.PoolClient, end: Error | boolean): void {
    const { isDue } = this.#announcements;
    if (isDue && end === false) void this.#announceOn(client);
    else client.release(end);
    // The statement may have been done although its connection is of no more use.
    if (isDue && end !== false) void this.#announceElsewhere();
  }

  #announceElsewhere(): Promise<void> {
    return outsideCalls(() => this.#shared.take()).then(
      (client) => this.#announceOn(client),
      () => undefined,
    );
  }

  async #announceOn(client: pg.PoolClient): Promise<void> {
    const isPrepared = this.#shared.prepared !== undefined;
    let failure: unknown;
    const announced = this.#announcements.announce(client, { isPrepared }).catch((error: unknown) => {
      failure = error;
    });
    const isAnswered = await endsWithin(announced, COMMIT_TIMEOUT_MS);
    if (isLostStatement(failure)) this.#shared.stopPreparing();
    client.release(!isAnswered || failure !== undefined || isSpent(client));
  }

  /** With a permit of the running call, if its statements need one. Its span has the wait for permit and connection in it. */
  #traced<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    const call = currentCall();
    return withStatementSpan(name, this.#direct.at, () =>
      call?.withPermit === undefined ? run() : call.withPermit(this.#server, run),
    );
  }

  /**
   * Lends a connection to SQL that is not the program's own: each statement and each transaction is under these settings. It
   * counts as others do, so it must be given back. Waits as long as the running call lasts.
   */
  async lend(scope: readonly Scope[]): Promise<Lease> {
    const shared = this.#shared;
    const client = await shared.take();
    return new Lease(client, shared.isPooler ? [...scope, SEARCH_PATH_SETTING] : scope, {
      isPooler: shared.isPooler,
      at: shared.at,
      prepared: shared.prepared,
      stopPreparing: () => shared.stopPreparing(),
      noteFailed: (error, more) => shared.noteFailed(error, more),
    });
  }

  /** Runs `work` on one connection, never through a pooler; the connection is discarded when `work` throws. */
  async session<Result>(work: (session: Session<Kind>) => Promise<Result>): Promise<Result> {
    const client = await this.#direct.take();
    let failure: Error | undefined;
    try {
      return await work(onClient(this.kind, client, this.#direct.at));
    } catch (error) {
      this.#direct.noteFailed(error, { isOutcomeUnknown: isUnanswered(error) });
      failure = error instanceof Error ? error : new Error("session failed", { cause: error });
      throw error;
    } finally {
      // A failed session may have left locks or settings behind.
      client.release(failure ?? isSpent(client));
    }
  }

  /** Runs `work` in one READ COMMITTED transaction, or the isolation given; rolls back when it throws. */
  async transaction<Result>(
    work: (transaction: Transaction<Kind>) => Promise<Result>,
    isolation: "read committed" | "repeatable read" = "read committed",
  ): Promise<Result> {
    const client = await this.#shared.take();
    const session = onClient(this.kind, client, this.#shared.at);
    let broken: Error | undefined;
    try {
      const begin = `begin isolation level ${isolation}`;
      await session.script("begin", this.#shared.isPooler ? `${begin}; ${PIN_TRANSACTION}` : begin);
      const result = await work({ ...session, inTransaction: true });
      refuseWhenOver();
      // Not cancelled any more: whether it has happened would be unknown.
      const commit = () => untilEnded(client, "COMMIT", client.query(withName("commit", "commit")));
      await withStatementSpan("commit", this.#shared.at, commit).catch((error: unknown) => {
        this.#shared.noteFailed(error, { isOutcomeUnknown: isUnanswered(error) });
        throw error;
      });
      currentCall()?.wrote?.();
      return result;
    } catch (error) {
      this.#shared.noteFailed(error);
      // Closing a spent connection rolls back; a cancel request that is late could hit a statement.
      if (!isSpent(client))
        broken = await untilEnded(client, "ROLLBACK", client.query(withName("rollback", "rollback"))).then(
          () => undefined,
          (reason: unknown) => (reason instanceof Error ? reason : new Error("rollback failed", { cause: reason })),
        );
      throw error;
    } finally {
      client.release(broken ?? isSpent(client));
    }
  }

  async close(): Promise<void> {
    this.#announcements.hurry();
    if (this.#announcements.isDue) await endsWithin(this.#announceElsewhere(), ROLLBACK_TIMEOUT_MS);
    this.#announcements.forget();
    await Promise.all([this.#direct.close(), this.#shared.close(), this.#lasting.close()]);
  }
}

/** Whether a statement of the program's own may change rows. In doubt it may. */
function mayWrite(text: string): boolean {
  return !/^\s*(select|with|table|values|show)\b/i.test(text) || /\b(insert|update|delete|merge)\b/i.test(text);
}

/** A statement has committed by itself. */
function noteWritten(text: string): void {
  const wrote = currentCall()?.wrote;
  if (wrote !== undefined && mayWrite(text)) wrote();
}

type Asked = { readonly name: string; readonly text: string; readonly values: readonly unknown[] };

/** How a statement is sent under its settings, and its name where it is prepared. */
function prepareToSend(
  { name: statement, text: plain, values }: Asked,
  settings: readonly Scope[],
  prepared: PreparedStatements | undefined,
): { name: string | undefined; send: (client: pg.PoolClient) => Promise<object[]> } {
  const scoped = settings.length === 0 ? undefined : scopedText(plain, values.length, settings);
  const asTransaction = (client: pg.PoolClient) =>
    sendInTransaction(client, settings, { text: withName(statement, plain), values }).then(lastRows);
  if (settings.length > 0 && scoped === undefined) return { name: undefined, send: asTransaction };
  const whole = scoped?.text ?? plain;
  // Without parameters a text may be several statements, which cannot be prepared; nor can they go through a pooler.
  const { text, name } =
    prepared === undefined || values.length + settings.length === 0
      ? { text: withName(statement, whole), name: undefined }
      : prepared.use(statement, whole);
  const one: Statement = { text, values, name };
  if (scoped === undefined) return { name, send: (client) => sendPlain(client, one).then(lastRows) };
  const send = (client: pg.PoolClient) =>
    sendScoped(client, settings, one).then(
      ({ rows }) => rows,
      (error: unknown) => {
        // Behind a pooler, before a database has been migrated.
        if (isMissingSetter(error)) return asTransaction(client);
        throw error;
      },
    );
  return { name, send };
}

function lastRows(results: readonly { rows: object[] }[]): object[] {
  return results.at(-1)?.rows ?? [];
}

function onClient<Kind extends DatabaseKind>(kind: Kind, client: pg.PoolClient, at: PoolConfig["at"]): Session<Kind> {
  const session: Session<Kind> = {
    kind,
    query<Row extends object>(name: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
      const run = () => client.query<Row>(withName(name, text), [...values]);
      return withStatementSpan(name, at, async () => (await cancellable(client, run)).rows);
    },
    async script(name: string, text: string): Promise<object[][]> {
      const run = () => client.query<object>(withName(name, text));
      // The driver's types know one result only.
      const results = (await withStatementSpan(name, at, () => cancellable(client, run))) as
        | pg.QueryResult<object>
        | pg.QueryResult<object>[];
      return (Array.isArray(results) ? results : [results]).map(({ rows }) => rows);
    },
    batch(name: string, statements: readonly BatchStatement[]): Promise<object[][]> {
      const named = statements.map(({ text, ...values }) => ({ text: withName(name, text), ...values }));
      return cancellable(client, () => runBatch(client, named));
    },
  };
  return rememberClient(session, client);
}

export type HomeDatabase = Database<"home">;
export type TenantDatabase = Database<"tenant">;
/** A connection to a server's maintenance database, for what concerns the server as a whole. */
export type ServerDatabase = Database<"server">;
