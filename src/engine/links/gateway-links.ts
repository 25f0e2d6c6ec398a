/** What the gateway knows of a stream that somebody signs in for, as home says it now. */
import type { GatewayLink } from "#engine/border/options";
import { FIRST_GENERATION, TRIED_DATABASE } from "#engine/border/border";
import { acceptedFlowsOf, flowsOf } from "#engine/border/flows";
import { movingTables, readMovingTables } from "#engine/border/moved-tables";
import type { ReadTable } from "#engine/border/protocol/pgoutput";
import { findLinkedDatabase } from "#engine/home/replicated-databases";
import { findStreamedMove, type MoveEnd, streamOf } from "#engine/home/moves";
import { numbersOf } from "#engine/home/placement-numbers";
import { regionServer, regionServers } from "#engine/regions/region-address";
import { notFound } from "#base/kernel/errors";
import { BoundedMap } from "#base/kernel/bounded-map";
import type { ServerAddress } from "#base/postgres/connection-url";
import { type Direction, parseStreamName } from "#engine/replication/names";
import type { Services } from "#engine/services";

/** The link of this name; undefined where nobody may stream by it now. */
export async function findGatewayLink(services: Services, name: string): Promise<GatewayLink | undefined> {
  const said = parseStreamName(services.installation, name);
  if (said === undefined) return undefined;
  return said.direction === "move"
    ? findMove(services, name, said)
    : findFlow(services, name, said.databaseId, said.direction);
}

async function findFlow(
  services: Services,
  name: string,
  databaseId: number,
  direction: Direction,
): Promise<GatewayLink | undefined> {
  const { border, ownership, tables, home, homeAddress, homeDatabaseName } = services;
  const common = { name, databaseId, direction };
  if (databaseId === TRIED_DATABASE) {
    const password = border.passwordOf(TRIED_DATABASE, direction, FIRST_GENERATION);
    return { ...common, region: null, password, tables: [], accepted: [], publisher: undefined };
  }
  const [database, before] = await Promise.all([
    findLinkedDatabase({ home }, databaseId),
    border.toldBefore(databaseId),
  ]);
  const flows = database && flowsOf(tables, database);
  const accepted = database && acceptedFlowsOf(tables, database);
  if (database === undefined || flows === undefined || accepted === undefined) return undefined;
  const { regionId } = database;
  if (ownership.isLost(regionId)) return undefined;
  const { address } = await regionServer(services, regionId);
  return {
    ...common,
    region: { id: regionId, key: database.regionKey },
    password: border.passwordOf(databaseId, direction, before.generation),
    tables: flows[direction],
    accepted: accepted[direction],
    publisher:
      direction === "directory"
        ? {
            address: homeAddress,
            database: homeDatabaseName,
            requireOwned: async () => ownership.requireForContent(regionId),
          }
        : { address, database: database.database, requireOwned: () => ownership.require(regionId) },
  };
}

/** The stream of a move: from the database in which the placement is to the other one, and in no other direction. */
async function findMove(
  services: Services,
  name: string,
  { databaseId, number }: { databaseId: number; number: number },
): Promise<GatewayLink | undefined> {
  const { border, ownership, tables, home } = services;
  const move = await findStreamedMove({ home }, { databaseId, number });
  if (move === undefined) return undefined;
  const { publisher, subscriber } = streamOf(move);
  if (ownership.isLost(publisher.regionId) || ownership.isLost(subscriber.regionId)) return undefined;
  const [servers, numbers, { generation }] = await Promise.all([
    regionServers(services, [publisher.regionId, subscriber.regionId]),
    numbersOf({ home }, move.placementId),
    border.toldBefore(subscriber.databaseId),
  ]);
  const [from, into] = [servers.get(publisher.regionId), servers.get(subscriber.regionId)];
  if (from === undefined || into === undefined) throw notFound("Region");
  const accepted = await columnsOf(services, subscriber, into.address, movingTables(tables, subscriber.schemaVersion));
  return {
    name,
    databaseId,
    direction: "move",
    region: { id: publisher.regionId, key: publisher.regionKey },
    move: {
      to: { id: subscriber.regionId, key: subscriber.regionKey },
      rows: {
        from: publisher.databaseId,
        into: subscriber.databaseId,
        organizationId: move.organizationId,
        number: move.number,
        numbers: new Set(numbers),
      },
    },
    password: border.passwordOfMove(databaseId, number, subscriber.databaseId, generation),
    tables: accepted,
    accepted,
    publisher: {
      address: from.address,
      database: publisher.database,
      requireOwned: async () => {
        await Promise.all([ownership.require(publisher.regionId), ownership.require(subscriber.regionId)]);
      },
    },
  };
}

/** Columns of tables, by database and version. They change with the version only, and while a placement moves it does not. */
const known = new BoundedMap<string, ReadTable[]>(1_000);

/**
 * Asked of the database that subscribes: a table has the columns that its migrations gave it there. It could take no others anyway, and
 * what the source would send besides is refused.
 */
async function columnsOf(
  { pools, installation }: Services,
  { databaseId, database, schemaVersion }: MoveEnd,
  address: ServerAddress,
  moving: Parameters<typeof readMovingTables>[1],
): Promise<ReadTable[]> {
  const key = `${installation} ${databaseId} ${JSON.stringify(schemaVersion)}`;
  const found = known.get(key) ?? (await readMovingTables(pools.open("tenant", address, database), moving));
  if (found.every(({ columns }) => columns.length > 0)) known.set(key, found);
  return found;
}
