/** The servers that doctor looks at: home's and each region's, one that is both once. */
import { mapLimit } from "#base/kernel/semaphore";
import { TenantryError } from "#base/kernel/errors";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { isOutOfService } from "#engine/failures/refusals";
import { readSystemIdentifier, requireHonestIdentifier } from "#engine/home/home-server";
import { readMarks } from "#engine/regions/mark";
import { listRegions } from "#engine/regions/regions";
import { regionServers } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

export type LookedServer = {
  /** A region's key, or `home`. */
  name: string;
  isHome: boolean;
  /** The regions that the server is. Of home's server also those that may be on it, as they cannot be asked. */
  regionIds: ReadonlySet<string>;
  address: ServerAddress;
  look: Queryable<DatabaseKind>;
};

/** Each is asked several things one after the other, and may be far away. */
const CONCURRENT_SERVERS = 8;

/** Asks every server that can be reached, several at a time. A region's that cannot is the health's to report. */
export async function onEachServer<Found>(
  services: Services,
  ask: (server: LookedServer) => Promise<Found[]>,
): Promise<Found[]> {
  const found = await mapLimit(await listServers(services), CONCURRENT_SERVERS, async (server) => {
    try {
      return await ask(server);
    } catch (error) {
      if (!server.isHome && isOutOfService(error)) return [];
      throw error;
    }
  });
  return found.flat();
}

async function listServers(services: Services): Promise<LookedServer[]> {
  const { home, homeAddress, pools } = services;
  const regions = await listRegions(services);
  const addresses = await regionServers(
    services,
    regions.map(({ id }) => id),
  );
  const known = regions.flatMap(({ id, key }) => {
    const server = addresses.get(id);
    if (server === undefined) return [];
    return [{ id, name: key, ...server, look: pools.open("server", server.address, MAINTENANCE_DATABASE) }];
  });
  const { same, unknown } = await findOnHome(services, known);
  const atHome = { name: "home", isHome: true, address: homeAddress, look: home };
  return [
    { ...atHome, regionIds: new Set([...same, ...unknown]) },
    ...known
      .filter(({ id }) => !same.includes(id))
      .map(({ id, name, address, look }) => ({ name, isHome: false, regionIds: new Set([id]), address, look })),
  ];
}

type Known = { id: string; systemIdentifier: string; address: ServerAddress; look: Queryable<DatabaseKind> };

/**
 * Which regions are on home's own server. Its mark says it, which pg_upgrade keeps while it changes the identifier that home has
 * recorded. Without a mark, what the regions' servers say of themselves now counts where home can prove it. `unknown`: those
 * that could not be asked.
 */
async function findOnHome(
  services: Services,
  regions: readonly Known[],
): Promise<{ same: string[]; unknown: string[] }> {
  const { mark, systemIdentifier: now } = await readMarks(services.home, services.installation, "");
  const marked = regions.find(({ id }) => id === mark?.regionId);
  if (marked !== undefined) return { same: [marked.id], unknown: [] };
  const standings = await mapLimit(regions, CONCURRENT_SERVERS, async ({ id, systemIdentifier, address, look }) => {
    if (systemIdentifier === now) return { id, is: "same" as const };
    const is = await isHomes({ ...services, homeSystemIdentifier: now }, address, look);
    return { id, is };
  });
  const those = (wanted: string) => standings.filter(({ is }) => is === wanted).map(({ id }) => id);
  return { same: those("same"), unknown: those("unknown") };
}

async function isHomes(
  services: Pick<Services, "homeAddress" | "homeDatabaseName" | "homeSystemIdentifier" | "pools">,
  address: ServerAddress,
  look: Queryable<DatabaseKind>,
): Promise<"same" | "other" | "unknown"> {
  try {
    if ((await readSystemIdentifier(look)) !== services.homeSystemIdentifier) return "other";
    await requireHonestIdentifier(services, address, services.homeSystemIdentifier);
    return "same";
  } catch (error) {
    if (error instanceof TenantryError && error.code === "CONFLICT") return "other";
    if (isOutOfService(error)) return "unknown";
    throw error;
  }
}
