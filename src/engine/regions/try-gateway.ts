/**
 * Whether servers reach the gateway, told by these servers: each makes a subscription to a link that streams nothing, as it
 * will for real ones, and takes it back.
 */
import { randomBytes } from "node:crypto";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { type Region, regionServer } from "#engine/regions/regions";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { TenantryError } from "#base/kernel/errors";
import type { ServerAddress } from "#base/postgres/connection-url";
import { quoteIdentifier } from "#base/postgres/identifiers";
import type { Database, DatabaseKind } from "#base/postgres/database";
import { type Direction, linkName, namePrefix } from "#engine/replication/names";
import { prepareToSubscribe, type Trial, trySubscribing } from "#engine/replication/subscription";
import { FIRST_GENERATION, TRIED_DATABASE } from "#engine/border/border";
import type { Services } from "#engine/services";

/**
 * Has both servers connect to the gateway, for the operator. Returns a sentence for each that cannot. One that another home
 * owns is asked nothing.
 */
export async function tryGateway(services: Services, actor: Actor, { id }: Region): Promise<string[]> {
  authorizeOperator(actor);
  if (services.ownership.isLost(id)) return [];
  const { address } = await regionServer(services, id);
  const trials = await Promise.all([tryFromHome(services), tryFromRegion(services, address)]);
  return trials.flatMap((trial) => (trial.kind === "obstacle" ? [trial.sentence] : []));
}

/** REGION_UNAVAILABLE, in one sentence, when the region's server or home's cannot connect to the gateway. */
export async function requireGatewayFrom(services: Services, address: ServerAddress): Promise<void> {
  const [there, atHome] = await Promise.all([tryFromRegion(services, address), tryFromHome(services)]);
  const field = "connectionUrl";
  if (there.kind === "obstacle") throw new TenantryError("REGION_UNAVAILABLE", there.sentence, { field });
  if (atHome.kind === "obstacle") throw new TenantryError("REGION_UNAVAILABLE", atHome.sentence);
}

async function tryFromHome(services: Services): Promise<Trial> {
  // As the operator, who subscribes: the caller may be signed in as the API.
  const { pools, homeAddress, homeDatabaseName } = services;
  return tryFrom(services, "catalog", pools.open("home", homeAddress, homeDatabaseName));
}

async function tryFromRegion(services: Services, address: ServerAddress): Promise<Trial> {
  const inMaintenance = await services.pools.once(address, MAINTENANCE_DATABASE, (server) =>
    tryFrom(services, "directory", server),
  );
  // There a role that is no superuser may have no right to make one, or no extension for it; in a database of its own it
  // has both.
  return inMaintenance.kind === "may-not-try" ? tryInScratch(services, address) : inMaintenance;
}

function tryFrom(services: Services, direction: Direction, database: Database<DatabaseKind>): Promise<Trial> {
  const { border, installation } = services;
  return border.addresses().then((addresses) =>
    trySubscribing({
      name: linkName(installation, TRIED_DATABASE, direction),
      direction,
      told: border.tell(addresses, TRIED_DATABASE, direction, FIRST_GENERATION),
      subscriber: { database },
    }),
  );
}

async function tryInScratch(services: Services, address: ServerAddress): Promise<Trial> {
  const { pools, installation } = services;
  const name = `${namePrefix(installation)}try_${randomBytes(4).toString("hex")}`;
  return pools.once(address, MAINTENANCE_DATABASE, async (server) => {
    await server.query("gateway.try_create", `create database ${quoteIdentifier(name)} template template0`);
    try {
      return await pools.once(address, name, async (database) => {
        await prepareToSubscribe(database);
        return tryFrom(services, "directory", database);
      });
    } finally {
      await server.query("gateway.try_drop", `drop database if exists ${quoteIdentifier(name)} with (force)`);
    }
  });
}
