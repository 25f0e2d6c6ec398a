/**
 * What stands on the servers under this installation's name and belongs to nothing at home, and what home wants and nobody
 * works on. Reads only; `repair` and `doctor` share it.
 */
import { type LookedServer, onEachServer } from "#engine/doctor/servers";
import type { ServerAddress } from "#base/postgres/connection-url";
import { findUndeclared } from "#engine/tables";
import { quoteQualified } from "#base/postgres/identifiers";
import { namePrefix, templatePrefix } from "#engine/replication/names";
import type { Services } from "#engine/services";

/** Something on a server that home knows nothing of. */
export type Orphan = {
  /** A region's key, or `home`. */
  server: string;
  address: ServerAddress;
  kind: "database" | "slot" | "subscription" | "publication";
  name: string;
  /** The database that it is in. */
  database: string;
  /** Rows of the app in an orphaned database; null: it could not be read, or it is no database. */
  rows: number | null;
};

/** A placement that is not as it should be and that no job works on. */
export type StuckPlacement = {
  id: string;
  organizationId: string;
  regionId: string;
  state: string;
  failure: string | null;
  /** Of a suspended one: when it is to be dropped. */
  dropAfter: Date | null;
  /** Whether a job will try again by itself. */
  isWaiting: boolean;
};

type Found = Pick<Orphan, "kind" | "name" | "database">;
type Known = {
  id: number;
  name: string;
  regionId: string;
  /** Numbers of the placements that are being moved from or to it, with the database on the other side. */
  moves: { number: number; other: string; otherRegionId: string }[];
};

/** Looks at every server that can be reached. One that cannot is the health's to report. */
export function findOrphans(services: Services): Promise<Orphan[]> {
  return onEachServer(services, (server) => findOn(services, server));
}

async function findOn(
  services: Pick<Services, "home" | "homeDatabaseName" | "installation" | "pools">,
  server: LookedServer,
): Promise<Orphan[]> {
  const before = await lookAround(services, server);
  const known = await readKnown(services);
  const unknown = before.filter((found) => !belongs(services, server, found, known));
  // A second look leaves out objects that were just being removed.
  const after = unknown.length === 0 ? [] : await lookAround(services, server);
  const orphans: Orphan[] = [];
  for (const found of unknown)
    if (after.some(({ kind, name }) => kind === found.kind && name === found.name))
      orphans.push({
        ...found,
        server: server.name,
        address: server.address,
        rows: found.kind === "database" ? await countRows(services, server, found.name) : null,
      });
  return orphans;
}

/** Slots and subscriptions of all databases, and publications of home's: those of a tenant database go with it. */
async function lookAround(
  services: Pick<Services, "home" | "installation">,
  { isHome, look }: LookedServer,
): Promise<Found[]> {
  const prefix = namePrefix(services.installation);
  const found = await look.query<Found>(
    "orphans.look",
    `select 'database' as kind, datname as name, datname as database
     from pg_database where starts_with(datname, $1)
     union all
     select 'slot', slot_name, database from pg_replication_slots where starts_with(slot_name, $1) and not temporary
     union all
     select 'subscription', s.subname, d.datname
     from pg_subscription s join pg_database d on d.oid = s.subdbid where starts_with(s.subname, $1)`,
    [prefix],
  );
  if (!isHome) return found;
  const published = await services.home.query<Found>(
    "orphans.publications",
    `select 'publication' as kind, pubname as name, current_database() as database
     from pg_publication where starts_with(pubname, $1)`,
    [prefix],
  );
  return [...found, ...published];
}

function readKnown({ home }: Pick<Services, "home">): Promise<Known[]> {
  return home.query<Known>(
    "orphans.known",
    `select d.id, d.name, d.region_id as "regionId",
       coalesce((select json_agg(json_build_object('number', p.number, 'other', o.name, 'otherRegionId', o.region_id))
                 from tenantry.moves m join tenantry.placements p on p.id = m.placement_id
                 join tenantry.tenant_databases o on o.id in (m.from_database_id, m.to_database_id) and o.id <> d.id
                 where d.id in (m.from_database_id, m.to_database_id)), '[]') as moves
     from tenantry.tenant_databases d`,
  );
}

function belongs(
  services: Pick<Services, "homeDatabaseName" | "installation">,
  server: LookedServer,
  { kind, name, database }: Found,
  known: readonly Known[],
): boolean {
  if (kind === "database") {
    // Templates of other versions too: migrating drops them, and an older program may still run.
    if (name.startsWith(templatePrefix(services.installation))) return true;
    return known.some((one) => one.name === name && server.regionIds.has(one.regionId));
  }
  const stream = /^(.*)_move_(\d+)$/.exec(name);
  if (stream !== null) {
    const publisher = known.find((one) => one.name === stream[1]);
    const move = publisher?.moves.find(({ number }) => String(number) === stream[2]);
    if (publisher === undefined || move === undefined) return false;
    return kind === "slot"
      ? server.regionIds.has(publisher.regionId) && database === publisher.name
      : server.regionIds.has(move.otherRegionId) && database === move.other;
  }
  const owner = known.find((one) => name === `${one.name}_directory` || name === `${one.name}_catalog`);
  if (owner === undefined) return false;
  // A directory is published at home and subscribed to in the region, a catalog the reverse.
  const atHome = name.endsWith("_directory") === (kind !== "subscription");
  return atHome
    ? server.isHome && database === services.homeDatabaseName
    : server.regionIds.has(owner.regionId) && database === owner.name;
}

/** Null when it is no tenant database, or cannot be read. */
async function countRows(
  services: Pick<Services, "pools">,
  { address }: LookedServer,
  name: string,
): Promise<number | null> {
  try {
    return await services.pools.once(address, name, async (database) => {
      const [app] = await database.query<{ made: boolean }>(
        "orphans.app",
        "select to_regnamespace('app') is not null as made",
      );
      if (app?.made !== true) return null;
      let rows = 0;
      // Whatever tables it has: home knows nothing of it.
      for (const table of await findUndeclared(database, [])) {
        const [row] = await database.query<{ rows: string }>(
          "orphans.rows",
          `select count(*)::text as rows from ${quoteQualified(table)}`,
        );
        rows += Number(row?.rows ?? 0);
      }
      return rows;
    });
  } catch {
    return null;
  }
}

/** Placements that are FAILED, or on their way without a job that takes them there. */
export function findStuckPlacements({ home }: Pick<Services, "home">): Promise<StuckPlacement[]> {
  return home.query<StuckPlacement>(
    "placements.stuck",
    `select p.id, p.organization_id as "organizationId", p.region_id as "regionId", p.state, p.failure,
            p.drop_after as "dropAfter", o.id is not null as "isWaiting"
     from tenantry.placements p
     left join tenantry.jobs o on o.placement_id = p.id and o.state in ('WAITING', 'RUNNING')
     where p.state = 'FAILED' or (p.state in ('PROVISIONING', 'MOVING', 'REVOKING', 'SUSPENDED') and o.id is null)
     order by p.id`,
  );
}
