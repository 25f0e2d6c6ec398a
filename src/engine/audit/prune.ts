/** The end of old entries. */
import { withoutAppendOnly } from "#base/postgres/append-only";
import type { OwnedPieces } from "#engine/regions/owned-pieces";
import type { Database, Transaction } from "#base/postgres/database";

/** Rows that go in one transaction; writers of entries wait behind it. */
const BATCH_ROWS = 5_000;

/**
 * Removes the entries of a database from before a moment, oldest first, and returns how many there were. The log refuses
 * deletion, so each batch lifts that for its own transaction alone: it takes the tables' owner, which the API need not be.
 * Run again it goes on. The caller has checked the moment. Throws the driver's errors.
 */
export function pruneHomeEntries(home: Database<"home">, before: Date): Promise<number> {
  return inBatches(() => home.transaction((transaction) => pruneHome(transaction, before)));
}

/** The same in a region, as long as that is this home's. */
export function pruneEntries(database: Database<"tenant">, before: Date, owned: OwnedPieces): Promise<number> {
  return inBatches(() => database.transaction((transaction) => pruneContent(transaction, before, owned)));
}

async function inBatches(prune: () => Promise<number>): Promise<number> {
  let pruned = 0;
  for (;;) {
    const batch = await prune();
    pruned += batch;
    if (batch < BATCH_ROWS) return pruned;
  }
}

/**
 * Removes an organization's entries from a database that others go on using, when its content there is removed, as long as the
 * region is this home's. Run again it goes on.
 */
export async function forgetEntries(
  database: Database<"tenant">,
  organizationId: string,
  owned: OwnedPieces,
): Promise<void> {
  let forgotten: number;
  do
    forgotten = await database.transaction((transaction) =>
      withoutAppendOnly(transaction, ["audit_log"], async () => {
        const [row] = await transaction.query<{ rows: number; owned: boolean }>(
          "audit.forget",
          `with owned as materialized (select ${owned.isOwned} as yes), gone as (
             delete from tenantry.audit_log where organization_id = $1 and (select yes from owned) and id = any (array(
               select id from tenantry.audit_log where organization_id = $1 order by id limit $2)) returning 1)
           select (select yes from owned) as owned, (select count(*)::int from gone) as rows`,
          [organizationId, BATCH_ROWS],
        );
        return row?.owned === true ? row.rows : owned.refuse();
      }),
    );
  while (forgotten === BATCH_ROWS);
}

async function pruneHome(home: Transaction<"home">, before: Date): Promise<number> {
  return withoutAppendOnly(home, ["audit_log", "audit_outcomes"], async () => {
    const rows = await home.query<{ id: string }>(
      "audit.prune",
      `delete from tenantry.audit_log
       where id in (select id from tenantry.audit_log where at < $1 order by id limit $2) returning id`,
      [before, BATCH_ROWS],
    );
    const ids = rows.map(({ id }) => id);
    await home.query("audit.prune_outcomes", "delete from tenantry.audit_outcomes where entry_id = any($1::uuid[])", [
      ids,
    ]);
    return ids.length;
  });
}

async function pruneContent(database: Transaction<"tenant">, before: Date, owned: OwnedPieces): Promise<number> {
  const [made] = await database.query<{ exists: boolean }>(
    "audit.made",
    "select to_regclass('tenantry.audit_log') is not null as exists",
  );
  if (made?.exists !== true) return 0;
  return withoutAppendOnly(database, ["audit_log"], async () => {
    const [row] = await database.query<{ rows: number; owned: boolean }>(
      "audit.prune",
      `with owned as materialized (select ${owned.isOwned} as yes), gone as (
         delete from tenantry.audit_log where (select yes from owned) and (organization_id, id) in (
           select organization_id, id from tenantry.audit_log where at < $1 order by organization_id, id limit $2)
         returning 1)
       select (select yes from owned) as owned, (select count(*)::int from gone) as rows`,
      [before, BATCH_ROWS],
    );
    return row?.owned === true ? row.rows : owned.refuse();
  });
}
