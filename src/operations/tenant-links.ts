import { type RegionServer, regionServer } from "#directory/regions";
import type { ReplicatedDatabase } from "#directory/replicated-databases";
import { TenantryError } from "#kernel/errors";
import { flowChangesUpTo, type MigrationSet } from "#migrations/migration-set";
import { type Flows, flowsAfter, flowsInBoth, type Link, linksOf } from "#replication/link";
import type { Direction } from "#replication/names";
import type { Services } from "#operations/services";

/**
 * What flows for a database of this version: of both its versions, while a migration is changing it. Undefined when one is
 * newer than the program, which then does not know.
 */
export function flowsOf(
  set: MigrationSet,
  { schemaVersion, migratingTo }: Pick<ReplicatedDatabase, "schemaVersion" | "migratingTo">,
): Flows | undefined {
  const version = schemaVersion ?? set.latestVersion;
  if (Math.max(version, migratingTo ?? 0) > set.latestVersion) return undefined;
  const flows = flowsAfter(flowChangesUpTo(set, version));
  return migratingTo === null ? flows : flowsInBoth(flows, flowsAfter(flowChangesUpTo(set, migratingTo)));
}

/**
 * The two links of a tenant database, with both ends open; `despiteFence` where it is set to be read only. CONFLICT when it
 * is newer than this program.
 */
export async function tenantLinks(
  services: Services,
  database: ReplicatedDatabase,
  options: { despiteFence?: boolean } = {},
): Promise<Record<Direction, Link>> {
  const links = linksAt(services, database, await regionServer(services, database.regionId), options);
  if (links === undefined)
    throw new TenantryError(
      "CONFLICT",
      `The database ${database.database} is newer than this program: start the newer program.`,
    );
  return links;
}

/**
 * The same on a server that is known. Undefined for a database that is newer than this program: it would take columns off
 * the publications that it does not know of.
 */
export function linksAt(
  services: Services,
  database: ReplicatedDatabase,
  { address, reachedAt }: Pick<RegionServer, "address" | "reachedAt">,
  options: { despiteFence?: boolean } = {},
): Record<Direction, Link> | undefined {
  const flows = flowsOf(services.tenantSchema, database);
  if (flows === undefined) return undefined;
  return linksOf(
    services.installation,
    database.databaseId,
    { database: services.home, reachedAt: services.homeReachedAt, name: services.homeDatabaseName },
    {
      database: services.pools.open("tenant", address, database.database, options),
      reachedAt,
      name: database.database,
    },
    flows,
  );
}
