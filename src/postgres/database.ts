/**
 * A database as the rest of Tenantry sees it. The only module besides the pools that touches the driver.
 * Handles of home, of tenant databases and of servers' maintenance databases are different types, so that
 * sending a statement to the wrong one does not compile.
 */
import type pg from "pg";
import { currentCall } from "#kernel/call";
import type { Breaker } from "#postgres/breaker";
import { cancellable, isSpent, refuseWhenOver, untilOver } from "#postgres/cancellation";
import type { PreparedStatements } from "#postgres/prepared-statements";
import { queryInScope, type Scope, type Statement } from "#postgres/scoped-query";
import { isConnectionFailure, isStalePlan, sqlState } from "#postgres/sql-state";

export type DatabaseKind = "home" | "tenant" | "server";

/** Something that runs statements: a database (any free connection), a transaction or a session. */
export interface Queryable<Kind extends DatabaseKind> {
  readonly kind: Kind;
  /**
   * Runs one statement. `name` goes in front as a comment, so that `pg_stat_activity` and slow-query logs
   * explain themselves. Throws the driver's errors; see sql-state.ts for telling them apart.
   */
  query<Row extends object = Record<string, never>>(
    name: string,
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]>;
}

/** Statements that share one connection outside a transaction: DDL that refuses one, locks, settings. */
export interface Session<Kind extends DatabaseKind> extends Queryable<Kind> {
  /**
   * Sends several statements in one message, which saves a round trip for each, and gives the rows of each. They take no
   * parameters. Unless they begin and commit themselves, they are one transaction.
   */
  script(name: string, text: string): Promise<object[][]>;
}
export type Transaction<Kind extends DatabaseKind> = Queryable<Kind> & { readonly inTransaction: true };

export class Database<Kind extends DatabaseKind> implements Queryable<Kind> {
  readonly kind: Kind;
  readonly #createPool: () => pg.Pool;
  readonly #breaker: Breaker | undefined;
  readonly #prepared: PreparedStatements | undefined;
  #pool: pg.Pool | undefined;

  /**
   * With `breaker`, a server that is known to be away is not asked again and again; without `prepared`, no statement is
   * prepared.
   */
  constructor(
    kind: Kind,
    createPool: () => pg.Pool,
    { breaker, prepared }: { breaker?: Breaker | undefined; prepared?: PreparedStatements | undefined } = {},
  ) {
    this.kind = kind;
    this.#createPool = createPool;
    this.#breaker = breaker;
    this.#prepared = prepared;
  }

  /**
   * The driver's pool, for libraries that want one (the job queue). A handle whose pool was closed to make room for
   * others opens a new one: whoever holds the handle need not know.
   */
  get pool(): pg.Pool {
    this.#pool ??= this.#createPool();
    return this.#pool;
  }

  /** Whether a connection is in use now. */
  get isBusy(): boolean {
    return this.#pool !== undefined && this.#pool.totalCount > this.#pool.idleCount;
  }

  query<Row extends object = Record<string, never>>(
    name: string,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.#inTurn(() => this.#single(undefined, comment(name, text), values)) as Promise<Row[]>;
  }

  /**
   * The same database, each statement under a setting that row-level security goes by. The setting ends with the statement:
   * the connection's next user has none.
   */
  scoped(scope: Scope): Queryable<Kind> {
    return {
      kind: this.kind,
      query: <Row extends object>(name: string, text: string, values: readonly unknown[] = []) =>
        this.#inTurn(() => this.#single(scope, comment(name, text), values)) as Promise<Row[]>,
    };
  }

  /** One statement on any free connection. */
  async #single(scope: Scope | undefined, text: string, values: readonly unknown[]): Promise<object[]> {
    const client = await this.#connect();
    // Without parameters a text may be several statements, which cannot be prepared.
    const name = values.length === 0 ? undefined : this.#prepared?.nameOf(text);
    let broken: Error | undefined;
    try {
      return await cancellable(client, () => send(client, scope, { text, values, name }));
    } catch (error) {
      if (name !== undefined && isStalePlan(error)) {
        // Nothing was done yet. The connection's other statements may be of the old schema too.
        broken = error;
        return await cancellable(client, () => send(client, scope, { text, values, name: undefined }));
      }
      // What the server refused leaves the connection as it was.
      if (sqlState(error) === undefined || isConnectionFailure(error))
        broken = error instanceof Error ? error : new Error("statement failed", { cause: error });
      throw error;
    } finally {
      client.release(broken ?? isSpent(client));
    }
  }

  /** When it is the running call's turn, if its statements take turns. */
  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const call = currentCall();
    return call?.inTurn === undefined ? run() : call.inTurn(run);
  }

  #connect(): Promise<pg.PoolClient> {
    const connect = () => this.pool.connect();
    return untilOver(() => (this.#breaker === undefined ? connect() : this.#breaker.run(connect)));
  }

  /** Runs `work` on one connection; the connection is discarded when `work` throws. */
  async session<Result>(work: (session: Session<Kind>) => Promise<Result>): Promise<Result> {
    const client = await this.#connect();
    let failure: Error | undefined;
    try {
      return await work(onClient(this.kind, client));
    } catch (error) {
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
    const client = await this.#connect();
    const session = onClient(this.kind, client);
    let broken: Error | undefined;
    try {
      await session.query("begin", `begin isolation level ${isolation}`);
      const result = await work({ ...session, inTransaction: true });
      refuseWhenOver();
      // Not cancelled any more: whether it has happened would be unknown.
      await client.query(comment("commit", "commit"));
      return result;
    } catch (error) {
      // Closing a spent connection rolls back; a cancel request that is late could hit a statement.
      if (!isSpent(client))
        broken = await client.query(comment("rollback", "rollback")).then(
          () => undefined,
          (reason: unknown) => (reason instanceof Error ? reason : new Error("rollback failed", { cause: reason })),
        );
      throw error;
    } finally {
      client.release(broken ?? isSpent(client));
    }
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }
}

async function send(client: pg.PoolClient, scope: Scope | undefined, statement: Statement): Promise<object[]> {
  if (scope !== undefined) return queryInScope(client, scope, statement);
  const { text, values, name } = statement;
  const { rows } = await client.query<object>({
    text,
    values: [...values],
    ...(name !== undefined && { name }),
  });
  return rows;
}

function onClient<Kind extends DatabaseKind>(kind: Kind, client: pg.PoolClient): Session<Kind> {
  return {
    kind,
    async query<Row extends object>(name: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
      const result = await cancellable(client, () => client.query<Row>(comment(name, text), [...values]));
      return result.rows;
    },
    async script(name: string, text: string): Promise<object[][]> {
      // The driver's types know one result only.
      const results = (await cancellable(client, () => client.query<object>(comment(name, text)))) as
        | pg.QueryResult<object>
        | pg.QueryResult<object>[];
      return (Array.isArray(results) ? results : [results]).map(({ rows }) => rows);
    },
  };
}

function comment(name: string, text: string): string {
  return `/* tenantry: ${name} */ ${text}`;
}

export type HomeDatabase = Database<"home">;
export type TenantDatabase = Database<"tenant">;
/** A connection to a server's maintenance database, for what concerns the server as a whole. */
export type ServerDatabase = Database<"server">;
