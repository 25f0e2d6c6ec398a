/** Whether home's server and a region's can connect to each other, told by these servers: this program may reach both otherwise. */
import type { Actor } from "#auth/actor";
import { authorizeOperator } from "#auth/policy";
import { type Region, regionServer } from "#directory/regions";
import { MAINTENANCE_DATABASE } from "#directory/server-probe";
import { linkName } from "#replication/names";
import { findSubscribingObstacle } from "#replication/subscription";
import type { Services } from "#operations/services";

/** No tenant database has this number. */
const NO_DATABASE = 0;

/**
 * Has both servers connect to each other, as their subscriptions will, for the operator. Returns a sentence for each that
 * cannot. In the region's database `postgres` a role that is no superuser may not be allowed to try: then nothing is said.
 */
export async function trySubscriptions(services: Services, actor: Actor, { id }: Region): Promise<string[]> {
  authorizeOperator(actor);
  const { installation, pools, home, homeReachedAt, homeDatabaseName } = services;
  const { address, reachedAt } = await regionServer(services, id);
  const atHome = { database: home, reachedAt: homeReachedAt, name: homeDatabaseName };
  const database = pools.open("server", address, MAINTENANCE_DATABASE);
  const there = { database, reachedAt, name: MAINTENANCE_DATABASE };
  const name = (direction: "catalog" | "directory") => linkName(installation, NO_DATABASE, direction);
  const obstacles = await Promise.all([
    findSubscribingObstacle({ name: name("catalog"), direction: "catalog", publisher: there, subscriber: atHome }),
    findSubscribingObstacle({ name: name("directory"), direction: "directory", publisher: atHome, subscriber: there }),
  ]);
  return obstacles.filter((obstacle) => obstacle !== undefined);
}
