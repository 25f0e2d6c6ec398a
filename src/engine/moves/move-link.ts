/**
 * The stream of a move: what is written of a placement in the database where it is goes to the other one, through the gateway.
 * A publication and a slot there, a subscription here, all with the name of the move. Every function can run again after a crash.
 */
import { MARKS_TABLE, type MovingTable, movingTables } from "#engine/border/moved-tables";
import { type Move, type MoveEnd, MOVES_CHANNEL, noteStream, readStreamRecord, streamOf } from "#engine/home/moves";
import { publicationIsWhole, remakingPublication, requireIdentities } from "#engine/moves/move-publication";
import { regionServer } from "#engine/regions/region-address";
import type { Database, HomeDatabase } from "#base/postgres/database";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import type { Publishing, Subscribing } from "#engine/replication/link";
import { moveLinkName } from "#engine/replication/names";
import { createSlot, dropSlot, findSlot } from "#engine/replication/slot";
import {
  createSubscription,
  disableSubscription,
  dropSubscription,
  enableSubscription,
  findSubscription,
  refreshConnection,
} from "#engine/replication/subscription";
import type { Services } from "#engine/services";

export type MoveServices = Pick<
  Services,
  "home" | "secrets" | "installation" | "pools" | "border" | "ledger" | "ownership" | "tables"
>;

/** One side of a move's stream. */
export type MoveSide = Pick<MoveEnd, "databaseId" | "regionId" | "regionKey"> & {
  readonly name: string;
  readonly database: Database<"tenant">;
};

export type MoveLink = Publishing &
  Subscribing & {
    readonly direction: "move";
    readonly placementId: string;
    readonly organizationId: string;
    /** Of the placement. */
    readonly number: number;
    readonly publisher: MoveSide;
    readonly subscriber: MoveSide;
    readonly tables: readonly (MovingTable & { readonly into: string })[];
    readonly home: HomeDatabase;
  };

/**
 * The stream of a move as it goes now: from the database where the placement is to the other one. CONFLICT where another home owns
 * a region. `despiteFence`: to take it apart also where a database is set to be read only.
 */
export async function openMoveLink(
  services: MoveServices,
  move: Move,
  options: { despiteFence?: boolean } = {},
): Promise<MoveLink> {
  const { home, installation, border, ledger, tables } = services;
  const ends = streamOf(move);
  const [publisher, subscriber, addresses, { generation }] = await Promise.all([
    openSide(services, ends.publisher, options),
    openSide(services, ends.subscriber, options),
    border.addresses(),
    border.toldBefore(ends.subscriber.databaseId),
  ]);
  const { number, organizationId, placementId } = move;
  const stream = { publisher: publisher.databaseId, number, subscriber: subscriber.databaseId };
  return {
    name: moveLinkName(installation, publisher.databaseId, number),
    direction: "move",
    placementId,
    organizationId,
    number,
    publisher,
    subscriber,
    tables: movingTables(tables, ends.publisher.schemaVersion).map(({ name, roles }) => ({
      name,
      roles,
      into: name,
    })),
    told: border.tellMove(addresses, stream, generation),
    // Whoever makes it: the owner of the tables, whom row-level security does not hold unless it is forced.
    owner: undefined,
    ledger: {
      wrongTables: () =>
        ledger.refused({
          databaseId: subscriber.databaseId,
          direction: "move",
          code: "subscription-changed",
          sentence: "The subscription of a move took other tables than its placement has, and was not enabled.",
        }),
    },
    home,
  };
}

async function openSide(services: MoveServices, end: MoveEnd, options: { despiteFence?: boolean }): Promise<MoveSide> {
  await services.ownership.require(end.regionId, { maxAgeMs: LOOKED_MS });
  const { address } = await regionServer(services, end.regionId);
  const { databaseId, regionId, regionKey, database: name } = end;
  const database = services.pools.open("tenant", address, name, options);
  return { databaseId, regionId, regionKey, name, database };
}

/** What opens a link has looked a moment ago, as a rule. */
const LOOKED_MS = 10_000;

/**
 * Publishes the placement's rows and keeps from now on what is written of them. `isNew`: the slot was made just now, so whatever was
 * copied before does not go together with it. CONFLICT where a table cannot be published.
 */
export async function publish(link: MoveLink): Promise<{ isNew: boolean }> {
  const { database } = link.publisher;
  await requireIdentities(database, link);
  const [slot, isWhole] = await Promise.all([findSlot(link), publicationIsWhole(database, link)]);
  if (slot !== undefined && slot.walStatus !== "lost" && isWhole) return { isNew: false };
  // A subscription that was there goes by a slot that is no more. A change from before the publication would halt the next one.
  await dropSubscription(link);
  await dropSlot(link);
  await createSlot(link, isWhole ? {} : { before: remakingPublication(link) });
  await noteStream(link, link.placementId, { breach: null });
  return { isNew: true };
}

/**
 * Has the other database take in what was published: makes the subscription where there is none, tells it what to connect by where that
 * changed, and enables it. Also to be called while a move goes on, as its password may be another one. REGION_UNAVAILABLE when its
 * server cannot connect to the gateway.
 */
export async function subscribe(link: MoveLink): Promise<void> {
  const { told, placementId, subscriber, name } = link;
  const [found, record] = await Promise.all([
    findSubscription(subscriber.database, name),
    readStreamRecord(link, placementId),
  ]);
  if (found?.slotName !== name) {
    await dropSubscription(link);
    await createSubscription(link);
  } else if (record.told !== told.mark) await refreshConnection(link);
  if (record.told !== told.mark) await noteStream(link, placementId, { told: told.mark });
  if (found?.enabled !== true) await enableSubscription(link);
}

/** Has the other database take in no more. What is written meanwhile is kept. */
export function disable(link: MoveLink): Promise<void> {
  return disableSubscription(link);
}

/** Gateways look again at who streams. To be called when a move has turned round or is over. */
export async function recheckGateways({ home }: Pick<MoveLink, "home">): Promise<void> {
  await home.query("moves.recheck", `select pg_notify('${MOVES_CHANNEL}', '')`);
}

/** Something of a stream that could not be taken away, and where it is. */
export type Left = { regionKey: string; kind: "slot" | "subscription"; name: string; cause: unknown };

/**
 * Takes away whatever there is of the stream on both sides, also when one of them cannot be reached. Returns what is left. Run again
 * it goes on.
 */
export async function remove(link: MoveLink): Promise<Left[]> {
  const { name, publisher, subscriber } = link;
  const attempts = [
    // First: it would ask for its slot until the end.
    { kind: "subscription", side: subscriber, work: () => dropSubscription(link) },
    { kind: "slot", side: publisher, work: () => dropSlot(link, { withPublication: true }) },
  ] as const;
  const left: Left[] = [];
  for (const { kind, side, work } of attempts) {
    try {
      await work();
      await forgetMarks(side.database, link.number);
      if (kind === "slot" && (await findSlot(link)) !== undefined) throw new Error("somebody streams from the slot");
    } catch (cause) {
      // With the database went what was in it, its slot too.
      if (sqlState(cause) === SQL_STATE.undefinedDatabase) continue;
      left.push({ regionKey: side.regionKey, kind, name, cause });
    }
  }
  await noteStream(link, link.placementId, { told: null });
  return left;
}

async function forgetMarks(database: Database<"tenant">, number: number): Promise<void> {
  await database.query("moves.forget_marks", `delete from ${MARKS_TABLE} where number = $1`, [number]);
}

/** How many bytes of WAL the other database has yet to confirm; undefined where there is no slot. Most of them may be other rows'. */
export async function lagBytes({ publisher, name }: Pick<MoveLink, "publisher" | "name">): Promise<number | undefined> {
  const [row] = await publisher.database.query<{ lag: number | null }>(
    "moves.lag",
    `select greatest(0, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), confirmed_flush_lsn))::float8 as lag
     from pg_replication_slots where slot_name = $1 and database = current_database()`,
    [name],
  );
  return row?.lag ?? undefined;
}
