/**
 * A statement with a setting that holds for it alone. Both go to the server in one message, as one implicit transaction of
 * the extended protocol: no round trip more, and the setting is gone before the connection can be used again.
 */
import pg from "pg";

/** A setting and its value, as `current_setting` gives it to row-level security. */
export type Scope = { readonly setting: string; readonly value: string };

export type Statement = {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Under which it is prepared on the connection, and kept there; undefined: it is parsed for this once. */
  readonly name: string | undefined;
};

// No row, so that the driver's result is the statement's own.
const SET = "/* tenantry: scope */ select from (select set_config($1, $2, true) as value) as scope where value is null";
const SET_NAME = "tenantry_scope";

type Row = object;

/** Connections on which the statement that sets is prepared. */
const prepared = new WeakSet<pg.Connection>();

/** With what the driver has but does not say in its types. */
const DriverQuery = pg.Query as unknown as new (
  config: object,
  values: unknown[],
  callback: (error: Error | null, result: pg.QueryResult<Row> | pg.QueryResult<Row>[] | undefined) => void,
) => pg.Query & { handleError(error: Error, connection: pg.Connection): void };

class ScopedQuery extends DriverQuery {
  readonly #name: string | undefined;

  constructor(scope: Scope, { text, values, name }: Statement, done: (error: Error | undefined, rows: Row[]) => void) {
    // Extended even without values: a simple statement would be a transaction of its own.
    super({ text, name, queryMode: "extended" }, [...values], (error, result) => {
      // The setting's result comes first.
      done(error ?? undefined, [result].flat().at(-1)?.rows ?? []);
    });
    this.#name = name;
    const { submit } = this;
    this.submit = (connection) => {
      const { stream } = connection;
      stream.cork();
      try {
        this.#set(connection, scope);
        // A failure leaves open whether the server has it (see handleError), and closing what is not there is no error.
        if (name !== undefined && parsedBy(connection)[name] === undefined) connection.close({ type: "S", name }, true);
        return submit.call(this, connection);
      } finally {
        stream.uncork();
      }
    };
  }

  #set(connection: pg.Connection, { setting, value }: Scope): void {
    const statement = this.#name === undefined ? "" : SET_NAME;
    if (statement === "" || !prepared.has(connection))
      connection.parse({ name: statement, text: SET, types: [] }, true);
    if (statement !== "") prepared.add(connection);
    connection.bind({ statement, values: [setting, value] }, true);
    connection.execute({}, true);
  }

  /** The driver takes the answer to any of our messages for the statement's own, also when that was refused. */
  override handleError(error: Error, connection: pg.Connection): void {
    if (this.#name !== undefined) parsedBy(connection)[this.#name] = undefined;
    super.handleError(error, connection);
  }
}

function parsedBy(connection: pg.Connection): Record<string, string | undefined> {
  return (connection as unknown as { parsedStatements: Record<string, string | undefined> }).parsedStatements;
}

/** Runs the statement under the setting on this connection. Rejects with the driver's error. */
export function queryInScope(client: pg.PoolClient, scope: Scope, statement: Statement): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new ScopedQuery(scope, statement, (error, rows) => {
        if (error === undefined) resolve(rows);
        else reject(error);
      }),
    );
  });
}
