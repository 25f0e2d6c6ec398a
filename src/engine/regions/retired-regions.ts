/** Taking a region out of service: it takes no more grants, and is forgotten when nothing of ours is left on its server. */
import { TenantryError } from "#base/kernel/errors";
import type { HomeDatabase, Queryable } from "#base/postgres/database";

/**
 * Marks a region as retired: it takes no more grants. CONFLICT while placements remain, or move from or to it. Run in a transaction: it keeps
 * grants waiting until that ends.
 */
export async function markRetired({ home }: { home: Queryable<"home"> }, regionId: string): Promise<void> {
  await home.query("regions.lock", "select from tenantry.regions where id = $1 for update", [regionId]);
  const [row] = await home.query<{ placements: number }>(
    "regions.placements",
    "select count(*)::int as placements from tenantry.placements where region_id = $1",
    [regionId],
  );
  const placements = row?.placements ?? 0;
  if (placements > 0)
    throw new TenantryError(
      "CONFLICT",
      `${placements} ${placements === 1 ? "placement remains" : "placements remain"} in the region: revoke ${placements === 1 ? "it" : "them"} first. tenantry placement list names what is there.`,
    );
  const moves = await home.query(
    "regions.moves",
    `select from tenantry.moves m join tenantry.tenant_databases d on d.id = m.other_database_id where d.region_id = $1`,
    [regionId],
  );
  if (moves.length > 0)
    throw new TenantryError(
      "CONFLICT",
      `${moves.length} ${moves.length === 1 ? "placement is" : "placements are"} being moved from or to the region: wait until that is over, or cancel ${moves.length === 1 ? "it" : "them"}.`,
    );
  await home.query(
    "regions.retire",
    "update tenantry.regions set retired_at = coalesce(retired_at, now()) where id = $1",
    [regionId],
  );
}

/** Keeps a region from being retired until the transaction ends; false when it is or is being. */
export async function holdRegion({ home }: { home: Queryable<"home"> }, regionId: string): Promise<boolean> {
  const rows = await home.query(
    "regions.hold",
    "select from tenantry.regions where id = $1 and retired_at is null for share",
    [regionId],
  );
  return rows.length > 0;
}

/** Removes the record of a retired region. */
export async function forgetRegion({ home }: { home: HomeDatabase }, regionId: string): Promise<void> {
  await home.query("regions.forget", "delete from tenantry.regions where id = $1 and retired_at is not null", [
    regionId,
  ]);
}
