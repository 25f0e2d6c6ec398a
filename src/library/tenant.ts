/** An organization in one region, for one actor: what a team's program sends its SQL through. */
import type { Role } from "#engine/auth/roles";
import { newRoutedId } from "#base/kernel/ids";
import { type DriverPool, ScopedPool } from "#base/postgres/scoped-pool";
import { Statements, type StatementsOptions, type TransactionMode } from "#library/statements";

/** How one statement or transaction is run. */
export type RunOptions = {
  /** When it is aborted, the SQL that runs is stopped on the server, and the signal's reason is thrown. */
  signal?: AbortSignal;
};

/** How a transaction is begun. */
export type TransactionOptions = RunOptions & {
  /** `read committed` when left out. */
  isolation?: "read committed" | "repeatable read" | "serializable";
  /** Whether it only reads; false when left out. */
  readOnly?: boolean;
};

/** Statements of one transaction. After its end they are refused. */
export type TenantTransaction = {
  /** As {@link Tenant.query}, in the transaction. */
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
};

/** What is known of the location when the handle is made. */
export type TenantFacts = {
  organizationId: string | null;
  regionKey: string | null;
  role: Role | null;
  placementNumber: number;
};

/**
 * A handle on an organization's tables in one region. It holds no connection and costs nothing to keep, so make one for each
 * request, or one for each organization. Row-level security shows it the organization's rows and no others, whatever a statement
 * asks for.
 *
 * Tables are named with their schema, as in `app.invoices`: the search path has nothing but PostgreSQL's own functions.
 */
export class Tenant {
  /** The organization's id; null: the default organization, whose tables are at home. */
  readonly organizationId: string | null;
  /** The region's key; null at home. */
  readonly regionKey: string | null;
  /**
   * The actor's role in the organization, as it was when the handle was made; null without an actor and in the default
   * organization, where all users are equal. What a role may do to your tables is for your program to decide: the
   * handle of a VIEWER writes, too.
   */
  readonly role: Role | null;
  readonly #number: number;
  readonly #statements: Statements;
  #pool: DriverPool | undefined;

  /** Handles are made by `tenantry.tenant()`. */
  constructor(facts: TenantFacts, options: StatementsOptions, signal: AbortSignal | undefined) {
    this.organizationId = facts.organizationId;
    this.regionKey = facts.regionKey;
    this.role = facts.role;
    this.#number = facts.placementNumber;
    this.#statements = new Statements(options, signal);
  }

  /**
   * Runs one statement and gives its rows; of a text of several statements, those of the last one. Values are sent
   * beside the text, as `$1`, `$2`. The statement is a transaction of its own.
   *
   * After a write to a table that flows to the catalog it waits until home has it, 2 s at most. A write is known by the
   * server's answer or, for `with … insert`, by its text, and the table by its name in the text. What a function or a
   * trigger of yours writes is not noticed: call {@link Tenant.waitForCatalog} after it.
   *
   * Throws the driver's errors for faults of SQL (`error.code` is the SQLSTATE), and TenantryError: REGION_UNAVAILABLE when the
   * region's server cannot be reached or refuses whatever it is asked (HOME_UNAVAILABLE for home's), CONFLICT when the placement is not ACTIVE (any more), NOT_FOUND when it is gone,
   * LIMIT_EXCEEDED when the statement took too long, no connection became free, or writes waited too long for the placement that is
   * being switched to another database.
   *
   * @example
   * const [invoice] = await eu.query<{ number: string }>("select number from app.invoices where id = $1", [id]);
   */
  async query<Row extends object = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
    { signal }: RunOptions = {},
  ): Promise<Row[]> {
    const { results } = await this.#statements.until(signal).single({ text, values });
    return (results.at(-1)?.rows ?? []) as Row[];
  }

  /**
   * Runs `work` in one transaction, and gives what it gives. Commits when it returns, rolls back when it throws. Throws as
   * {@link Tenant.query} does, and the first statement's error where `work` has caught it: PostgreSQL commits nothing after it.
   *
   * `work` is called again, with nothing of before done, when the placement was being switched to another database meanwhile. So it
   * should do nothing outside of the database that must not happen twice.
   *
   * The transaction holds one of the few connections of the database. Another `query` within `work` takes a second one: use `tx`.
   * A transaction in which nothing happens for 60 s is ended by the server.
   *
   * @example
   * await eu.transaction(async (tx) => {
   *   const [{ id }] = await tx.query<{ id: string }>("insert into app.invoices (number) values ($1) returning id", ["A-1"]);
   *   await tx.query("insert into app.lines (invoice_id, text, cents) values ($1, $2, $3)", [id, "Work", 100]);
   * });
   */
  transaction<Value>(
    work: (tx: TenantTransaction) => Promise<Value>,
    { signal, ...mode }: TransactionOptions = {},
  ): Promise<Value> {
    const checked: TransactionMode = mode;
    return this.#statements.until(signal).transaction(
      (query) =>
        work({
          query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
            ((await query({ text, values })).results.at(-1)?.rows ?? []) as Row[],
        }),
      checked,
    );
  }

  /**
   * A pool as `pg` has it, for Drizzle (`drizzle(eu.pool)`, node-postgres), Kysely (`new PostgresDialect({ pool:
   * eu.pool })`) and code that is written for `pg`. Each connection, statement and transaction is for this organization
   * alone. It has `query`, `connect`, `end`, `on` and the counts; its clients have `query`, `release`, `on("notice")`,
   * `escapeIdentifier`, `escapeLiteral`, `getTypeParser` and `processID`. Cursors (`pg-cursor`, `pg-query-stream`) work
   * on a client. `listen` does not.
   *
   * The connections are the process's. One is closed rather than used again when it was released in the middle of a
   * transaction, or when a statement was sent on it that may outlast its transaction, such as `set`, `listen` or
   * `prepare`: use `set local`.
   */
  get pool(): DriverPool {
    this.#pool ??= new ScopedPool(this.#statements) as unknown as DriverPool;
    return this.#pool;
  }

  /**
   * Waits until home's catalog has what was committed here by now, 2 s at most; for writes that {@link Tenant.query}
   * cannot notice. Returns whether it has.
   */
  waitForCatalog(): Promise<boolean> {
    return this.#statements.waitForCatalog();
  }

  /**
   * A new id (UUIDv7) that leads to this organization and region, as `tenantry.new_id()` makes it in SQL. For rows
   * whose id must be known before they are written.
   */
  newId(): string {
    return newRoutedId(this.#number);
  }
}
