/**
 * Several statements with parameters in one message: the server answers them one after the other, and the way there and back
 * is gone once. Unless they begin and commit themselves they are one transaction; behind one that fails none is run
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING).
 */
import pg from "pg";

/** Parameters are texts and numbers, as the driver's own way to write others is not ours to call. */
export type BatchStatement = { readonly text: string; readonly values?: readonly (string | number | null)[] };

/** With what the driver has but does not say in its types. */
const DriverQuery = pg.Query as unknown as new (
  config: string,
  values: readonly unknown[],
  callback: (error: Error | null, result: pg.QueryResult<object> | pg.QueryResult<object>[] | undefined) => void,
) => pg.Query & { queryMode: "extended" | undefined };

class BatchQuery extends DriverQuery {
  constructor(
    statements: readonly BatchStatement[],
    done: (error: Error | undefined, results: pg.QueryResult<object>[]) => void,
  ) {
    super("", [], (error, result) => {
      done(error ?? undefined, result === undefined ? [] : Array.isArray(result) ? result : [result]);
    });
    this.queryMode = "extended";
    this.submit = (connection) => {
      const { stream } = connection;
      stream.cork();
      try {
        for (const { text, values = [] } of statements) {
          connection.parse({ name: "", text, types: [] }, true);
          connection.bind({ values: values.map((value) => (value === null ? null : String(value))) }, true);
          connection.describe({ type: "P", name: "" }, true);
          connection.execute({}, true);
        }
        connection.sync();
      } finally {
        stream.uncork();
      }
    };
  }
}

/** Runs them on this connection and returns the rows of each. Rejects with the driver's error. */
export function runBatch(client: pg.PoolClient, statements: readonly BatchStatement[]): Promise<object[][]> {
  const { promise, resolve, reject } = Promise.withResolvers<object[][]>();
  client.query(
    new BatchQuery(statements, (error, results) => {
      if (error !== undefined) reject(error);
      else resolve(results.map(({ rows }) => rows));
    }),
  );
  return promise;
}
