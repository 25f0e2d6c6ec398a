/** The end of old rows of the ledger. */
import { withoutAppendOnly } from "#base/postgres/append-only";
import type { HomeDatabase, Transaction } from "#base/postgres/database";

/** Rows that go in one transaction; who adds to the ledger waits behind it. */
const BATCH_ROWS = 5_000;

/** How many rows went. */
export type PrunedLedger = { days: number; refusals: number };

/**
 * Removes what crossed on days (UTC) before that of the moment, and what was refused before the moment, oldest first. The
 * ledger refuses deletion, so each batch lifts that for its own transaction alone: it takes the tables' owner. Run again it
 * goes on. The caller has checked the moment. Throws the driver's errors.
 */
export async function pruneLedger(home: HomeDatabase, before: Date): Promise<PrunedLedger> {
  const pruned = { days: 0, refusals: 0 };
  for (;;) {
    const days = await home.transaction((transaction) => pruneDays(transaction, before));
    pruned.days += days;
    if (days < BATCH_ROWS) break;
  }
  for (;;) {
    const refusals = await home.transaction((transaction) => pruneRefusals(transaction, before));
    pruned.refusals += refusals;
    if (refusals < BATCH_ROWS) return pruned;
  }
}

function pruneDays(home: Transaction<"home">, before: Date): Promise<number> {
  return withoutAppendOnly(home, ["border_days"], async () => {
    const rows = await home.query(
      "border.prune_days",
      `delete from tenantry.border_days where (day, database_id, direction, table_name, way, to_region_key) in (
         select day, database_id, direction, table_name, way, to_region_key from tenantry.border_days
         where day < ($1::timestamptz at time zone 'utc')::date
         order by day, database_id, direction, table_name, way, to_region_key limit $2)
       returning 1`,
      [before, BATCH_ROWS],
    );
    return rows.length;
  });
}

function pruneRefusals(home: Transaction<"home">, before: Date): Promise<number> {
  return withoutAppendOnly(home, ["border_refusals"], async () => {
    const rows = await home.query(
      "border.prune_refusals",
      `delete from tenantry.border_refusals
       where id in (select id from tenantry.border_refusals where last_at < $1 order by id limit $2) returning 1`,
      [before, BATCH_ROWS],
    );
    return rows.length;
  });
}
