import type { Placement } from "#directory/placements";
import { regionAddress } from "#directory/regions";
import { type Link, linksOf } from "#replication/link";
import type { Direction } from "#replication/names";
import type { Services } from "#operations/services";

/** The two links of a placement's tenant database, with both ends open; `despiteFence` where it is set to be read only. */
export async function tenantLinks(
  services: Services,
  placement: Pick<Placement, "regionId" | "databaseId" | "database">,
  options: { despiteFence?: boolean } = {},
): Promise<Record<Direction, Link>> {
  const address = await regionAddress(services, placement.regionId);
  return linksOf(
    services.installation,
    placement.databaseId,
    { database: services.home, address: services.homeAddress, name: services.homeDatabaseName },
    {
      database: services.pools.open("tenant", address, placement.database, options),
      address,
      name: placement.database,
    },
  );
}
