import { type RegionServer, regionServer } from "#engine/regions/region-address";
import type { ReplicatedDatabase } from "#engine/home/replicated-databases";
import { TenantryError } from "#base/kernel/errors";
import { flowsOf } from "#engine/border/flows";
import { type Link, linksOf } from "#engine/replication/link";
import type { Direction } from "#engine/replication/names";
import type { GatewayAddresses, ToldBefore } from "#engine/border/border";
import type { Services } from "#engine/services";

/** What opens links has looked a moment ago, as a rule. */
const LOOKED_MS = 10_000;

/**
 * The two links of a tenant database, with both ends open; `despiteFence` where it is set to be read only. CONFLICT when it
 * is newer than this program, and where another home owns the region.
 */
export async function tenantLinks(
  services: Services,
  database: ReplicatedDatabase,
  options: { despiteFence?: boolean } = {},
): Promise<Record<Direction, Link>> {
  const [server, addresses, before] = await Promise.all([
    services.ownership
      .require(database.regionId, { maxAgeMs: LOOKED_MS })
      .then(() => regionServer(services, database.regionId)),
    services.border.addresses(),
    services.border.toldBefore(database.databaseId),
  ]);
  const links = linksAt(services, database, { server, addresses, before }, options);
  if (links === undefined)
    throw new TenantryError(
      "CONFLICT",
      `The database ${database.database} is newer than this program: start the newer program.`,
    );
  return links;
}

/** What is known of where a tenant database and the gateway are. */
export type Surroundings = {
  server: Pick<RegionServer, "key" | "address">;
  addresses: GatewayAddresses;
  before: ToldBefore;
};

/**
 * The links where everything is known. Undefined for a database that is newer than this program: it would take columns off
 * the publications that it does not know of.
 */
export function linksAt(
  services: Services,
  database: ReplicatedDatabase,
  { server, addresses, before }: Surroundings,
  options: { despiteFence?: boolean } = {},
): Record<Direction, Link> | undefined {
  const flows = flowsOf(services.tables, database);
  if (flows === undefined) return undefined;
  const { databaseId, regionId } = database;
  const told = (direction: Direction) => ({
    now: services.border.tell(addresses, databaseId, direction, before.generation),
    before: before[direction],
  });
  return linksOf(services.installation, {
    databaseId,
    home: { database: services.home },
    tenant: { database: services.pools.open("tenant", server.address, database.database, options) },
    flows,
    told: { directory: told("directory"), catalog: told("catalog") },
    ledgerOf: (direction) => ({
      seeded: (table, rows, bytes) =>
        services.ledger.crossed(
          { databaseId, direction, regionId, regionKey: server.key, table, way: "seed" },
          rows,
          bytes,
        ),
      wrongTables: () =>
        services.ledger.refused({
          databaseId,
          direction,
          code: "subscription-changed",
          sentence: "The subscription took other tables than its link lists, and was not enabled.",
        }),
    }),
  });
}
