/** Databases that several placements share: one open one per region, made with its first placement and gone with its last. */
import type { Placement } from "#engine/home/placements";
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { LOCK_CLASS, whileLocked } from "#base/postgres/session-lock";

export type SharedDatabase = {
  id: number;
  /** Whether it has been made; a placement in it can be used from its first moment on. */
  isReady: boolean;
};

/**
 * The region's shared database, recorded anew when there is none. Run in a transaction: until it ends the database is not
 * closed. `namePrefix` and its id make its name.
 */
export async function takeSharedDatabase(
  { home }: { home: Queryable<"home"> },
  regionId: string,
  namePrefix: string,
): Promise<SharedDatabase> {
  for (;;) {
    const [found] = await home.query<SharedDatabase>(
      "shared_databases.take",
      `select id, engine_version is not null as "isReady" from tenantry.tenant_databases
       where region_id = $1 and isolation = 'SHARED' and closing_at is null for share`,
      [regionId],
    );
    if (found !== undefined) return found;
    // Somebody else may record one at the same moment: then theirs is found next.
    await home.query(
      "shared_databases.record",
      `with reserved as (
         select nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as id
       )
       insert into tenantry.tenant_databases (id, region_id, isolation, name) overriding system value
       select id, $1, 'SHARED', $2 || id from reserved
       on conflict do nothing`,
      [regionId, namePrefix],
    );
  }
}

/** Making a placement in a shared database, or taking one away, takes seconds; who comes later waits this long. */
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Runs `work` on a placement while nobody else makes or takes apart the database that it shares; at once where the database is
 * its own. Rejects with SQLSTATE 55P03 when the wait is too long.
 */
export function whileHoldingDatabase<Result>(
  { home }: { home: HomeDatabase },
  { isolation, databaseId }: Pick<Placement, "isolation" | "databaseId">,
  work: () => Promise<Result>,
): Promise<Result> {
  if (isolation === "DEDICATED") return work();
  return whileLocked(home, LOCK_CLASS.sharedDatabase, String(databaseId), LOCK_TIMEOUT_MS, work);
}

/**
 * Closes a shared database to new placements when this one is the only one left in it, or was: it has moved. One that comes
 * from or goes to it on a move counts too. Returns whether it is closed; from then on it goes with the placement, or with the
 * move. The same answer when asked again.
 */
export function closeWithLast(
  { home }: { home: HomeDatabase },
  { id, databaseId }: { id: string; databaseId: number },
): Promise<boolean> {
  return home.transaction(async (transaction) => {
    // Who is adding a placement holds the row; the next statement sees what they have committed.
    await transaction.query("shared_databases.lock", "select from tenantry.tenant_databases where id = $1 for update", [
      databaseId,
    ]);
    const rows = await transaction.query(
      "shared_databases.close",
      `update tenantry.tenant_databases set closing_at = coalesce(closing_at, now())
       where id = $1 and not exists (select from tenantry.placements where database_id = $1 and id <> $2)
         and not exists (select from tenantry.moves where other_database_id = $1 and placement_id <> $2) returning id`,
      [databaseId, id],
    );
    return rows.length > 0;
  });
}
