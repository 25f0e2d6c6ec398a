/** What home has besides its tables: an inbox for what replication brings, and no other way in. */
import { MIGRATION_LOCK } from "#engine/migrations/runner";
import type { HomeDatabase } from "#base/postgres/database";

/**
 * Makes the inbox like the catalog, the inbox's role, and the triggers of every table, where they are missing. Cheap when all
 * is there, so each start does it: a later migration cannot forget a table or a column, and a trigger that somebody switched
 * off is on again.
 */
export async function protectHome(home: HomeDatabase): Promise<void> {
  await home.transaction(async (transaction) => {
    // Two programs that start at once would make the same ones.
    await transaction.query("home.protect_lock", `select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await transaction.query(
      "home.protect",
      "select tenantry.align_inbox(), tenantry.ensure_inbox_role(), tenantry.protect_tables()",
    );
  });
}
