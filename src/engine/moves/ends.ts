/** The two tenant databases of a move, as the placement would be in each. */
import type { Move, MoveEnd } from "#engine/home/moves";
import { regionAddress } from "#engine/regions/region-address";
import type { TenantDatabase } from "#base/postgres/database";
import type { DatabaseToMake } from "#engine/placements/make-database";
import type { TakenOut } from "#engine/placements/take-out";
import type { Services } from "#engine/services";

/** The placement as it is, or would be, in one of the databases. */
export type PlacedIn = TakenOut & DatabaseToMake;

/** One side of a move, open. */
export type Side = { end: MoveEnd; databaseId: number; database: TenantDatabase };

/** The placement as it would be in one of the databases. */
export function placedIn({ placementId, number, organizationId }: Move, end: MoveEnd): PlacedIn {
  const { databaseId, database, regionId, isolation, schemaVersion } = end;
  return {
    id: placementId,
    number,
    organizationId,
    databaseId,
    database,
    regionId,
    isolation,
    schemaVersion,
    // A database that is being migrated takes no part in a move.
    migratingTo: null,
  };
}

/** Opens a side. Nothing is asked of its server. */
export async function openSide(services: Pick<Services, "home" | "pools" | "secrets">, end: MoveEnd): Promise<Side> {
  const address = await regionAddress(services, end.regionId);
  return { end, databaseId: end.databaseId, database: services.pools.open("tenant", address, end.database) };
}
