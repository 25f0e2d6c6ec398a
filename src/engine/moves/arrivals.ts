import type { TenantDatabase } from "#base/postgres/database";
import { quoteLiteral } from "#base/postgres/identifiers";

/** Who comes back after longer is told to read anew (engine/events/follow-log.ts). */
const KEPT = "1 day";

export type Arrival = {
  /** Of the placement. */
  number: number;
  /** Where it comes from, and what its server's transactions are counted by. */
  databaseId: number;
  history: string;
};

/**
 * Has the target take the placement's writes, and notes there that it has come with everything that was written where it was:
 * followers go on behind that. `first`: what waits in the target for the last change. Returns when all of it is on disk, and with it
 * whatever was applied there before. One message, as the target may be far away.
 */
export async function arriveIn(target: TenantDatabase, { number, databaseId, history }: Arrival, first: string) {
  const own = Math.trunc(number);
  await target.session((session) =>
    session.script(
      "moves.arrive",
      `${first};
       begin;
       set local synchronous_commit = on;
       delete from tenantry.arrivals where placement_number = ${own} and at < now() - interval '${KEPT}';
       insert into tenantry.arrivals (placement_number, database_id, history, snapshot)
       values (${own}, ${Math.trunc(databaseId)}, ${quoteLiteral(history)}, pg_current_snapshot()::text);
       delete from tenantry.closed_placements where number = ${own};
       commit`,
    ),
  );
}

/** Takes the notes about a placement that has left, or has not come, away. */
export async function forgetArrivals(database: TenantDatabase, number: number): Promise<void> {
  await database.query("moves.forget_arrivals", "delete from tenantry.arrivals where placement_number = $1", [number]);
}
