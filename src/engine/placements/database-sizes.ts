/** How much tenant databases hold, as the regions' servers say. */
import type { Placement } from "#engine/home/placements";
import { explainRefusal } from "#engine/failures/explain";
import { MAX_LOOK_MS } from "#engine/regions/probe-regions";
import { orLate } from "#base/kernel/wait";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { TenantryError } from "#base/kernel/errors";
import type { Services } from "#engine/services";

type Sized = Pick<Placement, "regionId" | "database">;

/**
 * The size in bytes of each database, by region and name as {@link sizeKey} joins them. What cannot be read is missing: a
 * server that is away, or a database that is not there yet.
 */
export async function readDatabaseSizes(
  services: Pick<Services, "home" | "pools" | "secrets">,
  databases: readonly Sized[],
): Promise<Map<string, number>> {
  const byRegion = [...Map.groupBy(databases, ({ regionId }) => regionId)];
  const read = await Promise.all(byRegion.map(([regionId, found]) => sizesIn(services, regionId, found)));
  return new Map(read.flat());
}

/** The same of those that answer soon: a server that does not keeps nobody waiting. */
export async function readSizesInTime(
  services: Pick<Services, "home" | "pools" | "secrets">,
  databases: readonly Sized[],
): Promise<Map<string, number>> {
  const byRegion = [...Map.groupBy(databases, ({ regionId }) => regionId)];
  const late = new Error("connection timeout: no answer");
  const read = await Promise.all(
    byRegion.map(([regionId, found]) =>
      orLate(sizesIn(services, regionId, found), MAX_LOOK_MS, () => late).catch((error: unknown) => {
        if (error !== late) throw error;
        return [];
      }),
    ),
  );
  return new Map(read.flat());
}

export function sizeKey({ regionId, database }: Sized): string {
  return `${regionId} ${database}`;
}

async function sizesIn(
  services: Pick<Services, "home" | "pools" | "secrets">,
  regionId: string,
  databases: readonly Sized[],
): Promise<(readonly [string, number])[]> {
  try {
    const address = await regionAddress(services, regionId);
    const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
    const rows = await server.query<{ name: string; bytes: string }>(
      "databases.sizes",
      "select datname::text as name, pg_database_size(oid)::text as bytes from pg_database where datname = any($1)",
      [databases.map(({ database }) => database)],
    );
    return rows.map(({ name, bytes }) => [sizeKey({ regionId, database: name }), sizeFrom(bytes)] as const);
  } catch (error) {
    const refused = error instanceof TenantryError ? error : explainRefusal(error);
    if (refused === undefined) throw error;
    return [];
  }
}

/** A region's server can answer anything. */
function sizeFrom(text: string): number {
  const size = Number(text);
  return Number.isSafeInteger(size) && size >= 0 ? size : 0;
}
