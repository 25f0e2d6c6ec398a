/** What subscriptions keep of the gateway. Only a superuser may read it. */
import { sql } from "./app.ts";

/**
 * The connection strings of a tenant database's subscriptions in the database of this URL, home's or its own. They hold the
 * links' passwords.
 */
export async function connectionsOf(url: string, database: string): Promise<string[]> {
  const rows = await sql<{ connection: string }>(
    url,
    `select subconninfo as connection from pg_subscription
     where starts_with(subname, $1) and subdbid = (select oid from pg_database where datname = current_database())`,
    [`${database}_`],
  );
  return rows.map(({ connection }) => connection);
}
