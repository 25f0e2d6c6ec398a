/**
 * A statement with a setting that holds for it alone. Both go to the server in one message, as one implicit transaction of
 * the extended protocol: no round trip more, and the setting is gone before the connection can be used again.
 */
import pg from "pg";

/** A setting and its value, as `current_setting` gives it to row-level security. */
export type Scope = { readonly setting: string; readonly value: string };

// No row, so that the driver's result is the statement's own.
const SET = "/* tenantry: scope */ select from (select set_config($1, $2, true) as value) as scope where value is null";

type Row = object;

class ScopedQuery extends pg.Query {
  constructor(scope: Scope, text: string, values: unknown[], done: (error: Error | undefined, rows: Row[]) => void) {
    // Extended even without values: a simple statement would be a transaction of its own.
    super({ text, queryMode: "extended" } as pg.QueryConfig, values, (error, result) => {
      // The setting's result comes first.
      const results = [result].flat() as (pg.QueryResult<Row> | undefined)[];
      done(error ?? undefined, results.at(-1)?.rows ?? []);
    });
    const { submit } = this;
    this.submit = (connection) => {
      const { stream } = connection;
      stream.cork();
      try {
        connection.parse({ name: "", text: SET, types: [] }, true);
        connection.bind({ values: [scope.setting, scope.value] }, true);
        connection.execute({}, true);
        return submit.call(this, connection);
      } finally {
        stream.uncork();
      }
    };
  }
}

/** Runs the statement under the setting on this connection. Rejects with the driver's error. */
export function queryInScope(client: pg.PoolClient, scope: Scope, text: string, values: unknown[]): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    client.query(
      new ScopedQuery(scope, text, values, (error, rows) => {
        if (error === undefined) resolve(rows);
        else reject(error);
      }),
    );
  });
}
