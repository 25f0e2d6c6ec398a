/** What home has besides its tables: an inbox for what replication brings, and no other way in. */
import { MIGRATION_LOCK } from "#engine/migrations/runner";
import type { HomeDatabase } from "#base/postgres/database";

/**
 * Takes out of the catalog what no version sends that is `served`, and makes the guards, the inbox's role, the API's role with its
 * rights and the triggers of every table, where they are missing: a home that was restored without its roles lacks some. Cheap when all is there, so each start does it: a later migration cannot forget a table,
 * and a trigger that somebody switched off is on again.
 */
export async function protectHome(
  home: HomeDatabase,
  served: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  await home.transaction(async (transaction) => {
    // Two programs that start at once would make the same ones.
    await transaction.query("home.protect_lock", `select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await transaction.query(
      "home.protect",
      `select tenantry.align_catalog($1), tenantry.ensure_inbox_role(), tenantry.admit_api(tenantry.api_role()),
              tenantry.protect_tables()`,
      [JSON.stringify(served)],
    );
  });
}
