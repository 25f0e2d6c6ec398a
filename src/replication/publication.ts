import { quoteIdentifier, quoteLiteral } from "#postgres/identifiers";
import type { Link } from "#replication/link";

/**
 * Makes the link's publication when it is missing. The filter lets out the rows of one tenant database only, the
 * columns are listed, and TRUNCATE is not published: one publisher's would empty the subscriber's table for all.
 */
export async function ensurePublication(link: Link): Promise<void> {
  const { database } = link.publisher;
  const found = await database.query("publication.find", "select from pg_publication where pubname = $1", [link.name]);
  if (found.length > 0) return;
  const tables = link.tables.map(
    ({ table, columns }) =>
      `tenantry.${quoteIdentifier(table)} (${columns.map(quoteIdentifier).join(", ")}) where (database_id = ${link.databaseId})`,
  );
  // Two callers at once: the exception of the second is the state it wanted.
  await database.query(
    "publication.create",
    `do $$ begin
       execute ${quoteLiteral(
         `create publication ${quoteIdentifier(link.name)} for table ${tables.join(", ")} with (publish = 'insert, update, delete')`,
       )};
     exception when duplicate_object or unique_violation then null;
     end $$`,
  );
}

export async function dropPublication(link: Link): Promise<void> {
  await link.publisher.database.query("publication.drop", `drop publication if exists ${quoteIdentifier(link.name)}`);
}
