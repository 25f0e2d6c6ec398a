/**
 * Takes a placement's content out of a tenant database, or the whole database when nobody else is in it. Each function reads what
 * is still there, so that it can run again after a crash at any point.
 */
import { forgetEntries } from "#engine/audit/prune";
import { unprojectPlacement } from "#engine/home/forget-placement";
import type { Placement } from "#engine/home/placements";
import { closeWithLast } from "#engine/home/shared-databases";
import { ownedPieces } from "#engine/regions/owned-pieces";
import { requireOwn } from "#engine/regions/own-database";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { clockMs } from "#base/kernel/clock";
import { TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { ServerDatabase, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral } from "#base/postgres/identifiers";
import { removePublisher, removeSubscriber, removeTenantSide } from "#engine/replication/establish";
import type { Link } from "#engine/replication/link";
import { namingWhatIsInTheWay } from "#engine/placements/in-the-way";
import type { JobRun } from "#engine/jobs/job-run";
import type { Services } from "#engine/services";
import { closeForGood, WRITERS_TIMEOUT_MS, waitForWriters } from "#engine/placements/closed-placements";
import { deleteContent, firstLeft } from "#engine/placements/shared-content";
import { countRows } from "#engine/placements/count-rows";

/** A line of a receipt. */
export type Removed = { what: string; where: string; at: string };
/** What a table held when writing had stopped. `checksum` does not depend on the rows' order. */
export type CountedTable = { table: string; rows: number; checksum: string };

/** The placement's content in one database. */
export type TakenOut = Pick<
  Placement,
  "id" | "number" | "organizationId" | "regionId" | "databaseId" | "database" | "isolation" | "schemaVersion"
>;

export type TakingOut = {
  services: Services;
  run: Pick<JobRun, "job" | "save" | "signal">;
  placement: TakenOut;
  address: ServerAddress;
  server: ServerDatabase;
  database: TenantDatabase;
  /** Nobody else is in the database: it goes as a whole. */
  isAlone: boolean;
};

/** Opens both the database and its server. Nothing is asked of either. */
export async function beginTakingOut(
  services: Services,
  run: TakingOut["run"],
  placement: TakenOut,
): Promise<TakingOut> {
  const address = await regionAddress(services, placement.regionId);
  const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const database = services.pools.open("tenant", address, placement.database);
  return { services, run, placement, address, server, database, isAlone: true };
}

/** Without any member leaving. */
const DIRECTORY_TIMEOUT_MS = 10_000;
/** For all of them: a region's server can answer what it likes. */
const DIRECTORY_LIMIT_MS = 3_600_000;
const NUDGE_TIMEOUT_MS = 1_000;

/**
 * Finds out whether somebody else is in the database. Where nobody is, a database that placements share takes no more of them from now
 * on.
 */
export async function findOthers(context: TakingOut): Promise<void> {
  const { services, placement } = context;
  context.isAlone = placement.isolation === "DEDICATED" || (await closeWithLast(services, placement));
}

/** Has nobody write the content any more, after {@link findOthers}. CONFLICT where the database is not the placement's. */
export async function stopWriting(context: TakingOut): Promise<void> {
  const { services, placement, server, database } = context;
  const { tables } = services.tables.at(placement.schemaVersion);
  await requireOwn(services, database, placement, tables, { isAlone: context.isAlone });
  if (!context.isAlone) {
    // Also to a process that has not heard of its end.
    await closeForGood(database, placement.number);
    await waitForWriters(database, placement.number, WRITERS_TIMEOUT_MS);
    return;
  }
  // Another process may not have heard of it yet, and a statement may be under way. One message, as the server may be far away,
  // and two transactions: whoever comes after the first one was hung up on is fenced.
  await server.query(
    "databases.fence",
    `do $fence$ begin
       alter database ${quoteIdentifier(placement.database)} set default_transaction_read_only = on;
       commit;
       perform pg_terminate_backend(pid, 5000) from pg_stat_activity
         where datname = ${quoteLiteral(placement.database)} and backend_type = 'client backend' and pid <> pg_backend_pid();
     end $fence$`,
  );
}

/** Counts the rows of all tables, and those of the directory. */
export function countContent({ services, run, placement, database }: TakingOut): Promise<CountedTable[]> {
  // What the receipt names must be what is there: an undeclared table would go without a line.
  const declared = services.tables.at(placement.schemaVersion);
  const counted = [
    ...declared.tables.map(({ name }) => ({ name, key: "id" })),
    ...declared.flows.directory.map(({ from, key }) => ({ name: from, key: key.at(-1) ?? "" })),
  ];
  return countRows(database, placement, counted, run.signal);
}

export async function dropDatabase(context: TakingOut): Promise<void> {
  const { services, placement, address, server } = context;
  await services.pools.closeDatabase(address, placement.database);
  // Right before, as what came before may have taken long.
  await services.ownership.require(placement.regionId);
  await namingWhatIsInTheWay(server, placement.database, () =>
    server.query("databases.drop", `drop database if exists ${quoteIdentifier(placement.database)} with (force)`),
  );
  await noteRemoved(context, "database", `region, ${placement.database}`);
}

/** From a database that others go on using. */
export async function deleteRows(context: TakingOut): Promise<void> {
  // Counting and exporting may have taken long, and so may this.
  const owned = await ownedPieces(context.services, context.placement.regionId);
  await deleteContent(
    context.database,
    context.placement,
    context.services.tables.at(context.placement.schemaVersion).tables,
    owned,
    context.run.signal,
  );
  await forgetEntries(context.database, context.placement.organizationId, owned);
  await noteRemoved(context, "rows of all tables and their audit entries", `region, ${context.placement.database}`);
}

/** Takes the organization and its members out of the region, and waits until they are. */
export async function withdrawDirectory(context: TakingOut): Promise<void> {
  const { services, run, placement, database } = context;
  await unprojectPlacement(services, placement, run.signal);
  const links = [{ databaseId: placement.databaseId, direction: "directory" as const }];
  const until = performance.now() + DIRECTORY_LIMIT_MS;
  // They leave in the order in which they were taken out, so the first who is left says whether it goes on.
  for (let first = await firstLeft(database, placement); first !== undefined; ) {
    const before = first;
    const moved = await waitFor(
      async () => {
        // Again and again: a nudge is lost when whoever carries the region is just being replaced.
        await services.nudges.carry(links, NUDGE_TIMEOUT_MS);
        const now = await firstLeft(database, placement);
        return now === before ? undefined : { now };
      },
      { timeoutMs: DIRECTORY_TIMEOUT_MS, signal: run.signal },
    );
    if (moved === undefined || performance.now() > until)
      throw new TenantryError(
        "NOT_SYNCED",
        "The organization's members have not left the region yet; it is tried again.",
      );
    first = moved.now;
  }
  await noteRemoved(context, "organization and members", `region, ${placement.database}`);
}

/** Home's side of the catalog first: nobody reads the region's slot then, which goes with the rest there in one message. */
export async function dropLinks(
  context: TakingOut,
  links: Record<Link["direction"], Link>,
  exists: boolean,
): Promise<void> {
  const { directory, catalog } = links;
  await removeSubscriber(catalog);
  await noteRemoved(context, "subscription", `home, ${catalog.name}`);
  if (exists) {
    await context.services.ownership.require(context.placement.regionId);
    await removeTenantSide(links);
    await noteRemoved(context, "subscription", `region, ${directory.name}`);
    await noteRemoved(context, "publication and slot", `region, ${catalog.name}`);
  }
  await removePublisher(directory);
  await noteRemoved(context, "publication and slot", `home, ${directory.name}`);
}

export async function dropHomeSide({ directory, catalog }: Record<Link["direction"], Link>): Promise<void> {
  await removeSubscriber(catalog);
  await removePublisher(directory);
}

/** Adds to the receipt, once however often the step runs. */
export async function noteRemoved({ run }: TakingOut, what: string, where: string): Promise<void> {
  const before = (run.job.result?.["removed"] as Removed[] | undefined) ?? [];
  if (before.some((one) => one.what === what && one.where === where)) return;
  await run.save({ removed: [...before, { what, where, at: new Date(clockMs()).toISOString() }] });
}
