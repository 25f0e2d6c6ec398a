/** Writes at home that a move begins, and that it is called off. */
import { TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import { type Isolation, setPlacementState } from "#engine/home/placements";
import { takeSharedDatabase } from "#engine/home/shared-databases";

export type MoveRequest = {
  placementId: string;
  toRegionId: string;
  isolation: Isolation;
  keepSourceSeconds: number;
  goesThroughOthers: boolean;
};

/** Run in a transaction. CONFLICT when the placement is not ACTIVE any more. */
export async function beginMove(
  { home, namePrefix }: { home: Queryable<"home">; namePrefix: string },
  { placementId, toRegionId, isolation, keepSourceSeconds, goesThroughOthers }: MoveRequest,
): Promise<void> {
  if (!(await setPlacementState({ home }, placementId, "MOVING")))
    throw new TenantryError("CONFLICT", "The placement changed a moment ago: look at it again before moving it.");
  const toDatabaseId =
    isolation === "SHARED"
      ? (await takeSharedDatabase({ home }, toRegionId, namePrefix)).id
      : await recordDatabase(home, toRegionId, namePrefix);
  await home.query(
    "moves.begin",
    `insert into tenantry.moves (placement_id, from_database_id, to_database_id, other_database_id, keep_source_seconds, goes_through_others)
     select id, database_id, $2, $2, $3, $4 from tenantry.placements where id = $1`,
    [placementId, toDatabaseId, keepSourceSeconds, goesThroughOthers],
  );
}

async function recordDatabase(home: Queryable<"home">, regionId: string, namePrefix: string): Promise<number> {
  const [row] = await home.query<{ id: number }>(
    "moves.record_database",
    `with reserved as (
       select nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as id
     )
     insert into tenantry.tenant_databases (id, region_id, isolation, name) overriding system value
     select id, $1, 'DEDICATED', $2 || id from reserved returning id`,
    [regionId, namePrefix],
  );
  if (row === undefined) throw new Error("the insert returned no row");
  return row.id;
}

/** Notes that somebody called it off; false when it is too late, or has been noted. */
export async function cancelMove({ home }: { home: Queryable<"home"> }, placementId: string): Promise<boolean> {
  const rows = await home.query(
    "moves.cancel",
    `update tenantry.moves set cancelled_at = now()
     where placement_id = $1 and cancelled_at is null and step <> 'CLEANING' returning placement_id`,
    [placementId],
  );
  return rows.length > 0;
}
