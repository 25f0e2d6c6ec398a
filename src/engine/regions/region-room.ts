/** What home's server and a region's have room for: what a grant goes by, and what the operator is shown. */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import type { Region } from "#engine/regions/regions";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { ServerDatabase } from "#base/postgres/database";
import { readCapacity, type ServerCapacity } from "#base/postgres/server-capacity";
import { findShortage, type Standing, standingOf } from "#engine/replication/capacity";
import { namePrefix } from "#engine/replication/names";
import type { Services } from "#engine/services";

export type ServerRoom = {
  /** `home` or `region`; one of them where both are one server. */
  server: "home" | "region";
  standing: Standing[];
  connections: ServerCapacity["connections"];
};

export type Room = {
  servers: ServerRoom[];
  /** What keeps one more tenant database from being made, in one sentence. */
  shortage: string | undefined;
};

/** Reads both servers. `read`: what the region's has said a moment ago. `databases`: how many more are meant. */
export async function readRoom(
  services: Pick<Services, "home" | "homeDatabaseName" | "installation">,
  regionServer: ServerDatabase,
  read?: ServerCapacity,
  databases = 1,
): Promise<Room> {
  const whose = { prefix: namePrefix(services.installation) };
  const [home, region] = await Promise.all([
    readCapacity(services.home, { ...whose, home: services.homeDatabaseName }),
    read ?? readCapacity(regionServer, { ...whose, home: null }),
  ]);
  const roomOf = (server: ServerRoom["server"], capacity: ServerCapacity): ServerRoom => ({
    server,
    standing: standingOf(capacity),
    connections: capacity.connections,
  });
  if (home.systemIdentifier === region.systemIdentifier)
    return { servers: [roomOf("home", home)], shortage: findShortage("Home's server", home, 2 * databases) };
  return {
    servers: [roomOf("home", home), roomOf("region", region)],
    shortage: findShortage("Home's server", home, databases) ?? findShortage("The region's server", region, databases),
  };
}

/** The same for a region, for the operator. */
export async function readRegionRoom(
  services: Pick<Services, "home" | "homeDatabaseName" | "installation" | "pools" | "secrets">,
  actor: Actor,
  { id }: Region,
): Promise<Room> {
  authorizeOperator(actor);
  const address = await regionAddress(services, id);
  return readRoom(services, services.pools.open("server", address, MAINTENANCE_DATABASE));
}
