import type { TenantDatabase } from "#base/postgres/database";

/** Who comes back after longer is told to read anew (engine/events/follow-log.ts). */
const KEPT = "1 day";

/**
 * Notes in the target that the placement has come with everything that was written where it was: followers go on behind that.
 * While nobody writes on either side, and after the last change has arrived.
 */
export async function noteArrival(
  target: TenantDatabase,
  arrival: { number: number; databaseId: number; history: string },
): Promise<void> {
  await target.query(
    "moves.arrival",
    `with old as (
       delete from tenantry.arrivals where placement_number = $1 and at < now() - interval '${KEPT}'
     )
     insert into tenantry.arrivals (placement_number, database_id, history, snapshot)
     values ($1, $2, $3, pg_current_snapshot()::text)`,
    [arrival.number, arrival.databaseId, arrival.history],
  );
}

/** Takes the notes about a placement that has left, or has not come, away. */
export async function forgetArrivals(database: TenantDatabase, number: number): Promise<void> {
  await database.query("moves.forget_arrivals", "delete from tenantry.arrivals where placement_number = $1", [number]);
}
