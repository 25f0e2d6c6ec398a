/** What the server behind a connection pooler is, and whether the pooler carries prepared statements. */
import { randomBytes } from "node:crypto";
import type { PoolClient } from "pg";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Database } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import { isLostStatement } from "#base/postgres/sql-state";

export type PoolerProbe = {
  /** Of the server that answered. */
  systemIdentifier: string;
  /** Whether what is prepared on a connection is there in its next transaction, whichever server connection that gets. */
  carriesPreparedStatements: boolean;
};

/** Connects to the pooler at `address` and asks. Throws the driver's errors. */
export function probePooler(pools: Pools, address: ServerAddress, database: string): Promise<PoolerProbe> {
  return pools.once(
    address,
    database,
    async (pooler) => {
      // A pooler that shares connections after each statement refuses transactions.
      const [row] = await pooler.transaction((transaction) =>
        transaction.query<{ systemIdentifier: string }>(
          "pooler.server",
          `select system_identifier::text as "systemIdentifier" from pg_control_system()`,
        ),
      );
      if (row === undefined) throw new Error("the server did not say which it is");
      return { ...row, carriesPreparedStatements: await carriesPreparedStatements(pooler) };
    },
    { connections: 2, isPooler: true },
  );
}

/**
 * Two connections prepare different statements under one name, one after the other. A pooler that does not keep them apart
 * gives the second the server connection that the first just left, which knows the name. Where others took it meanwhile
 * that goes unseen; the first statement that is lost then ends preparing there (base/postgres/database.ts).
 */
async function carriesPreparedStatements(pooler: Database<"server">): Promise<boolean> {
  const connections: PoolClient[] = [];
  const name = `tenantry_probe_${randomBytes(8).toString("hex")}`;
  try {
    const first = await pooler.pool.connect();
    connections.push(first);
    const second = await pooler.pool.connect();
    connections.push(second);
    await first.query({ name, text: "/* tenantry: pooler.first */ select $1::pg_catalog.int4 as value", values: [1] });
    await second.query({
      name,
      text: "/* tenantry: pooler.second */ select $1::pg_catalog.text as value",
      values: ["one"],
    });
    await first.query({ name, text: "/* tenantry: pooler.first */ select $1::pg_catalog.int4 as value", values: [2] });
    return true;
  } catch (error) {
    if (isLostStatement(error)) return false;
    throw error;
  } finally {
    for (const connection of connections) connection.release(true);
  }
}
