/**
 * Revoke: takes a placement's tenant database and everything about it away, and writes a receipt. Each step reads what is
 * still there, so that it can run again after a crash at any point.
 */
import { join } from "node:path";
import { forgetEntries } from "#engine/audit/prune";
import { OPERATOR } from "#engine/auth/actor";
import { getOrganization } from "#engine/home/organizations";
import { forgetPlacement, unprojectPlacement } from "#engine/home/forget-placement";
import { beginRevoking, findPlacementById, type Placement } from "#engine/home/placements";
import { ownedPieces } from "#engine/regions/owned-pieces";
import { requireOwn } from "#engine/regions/own-database";
import { findRegions } from "#engine/regions/regions";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { closeWithLast, whileHoldingDatabase } from "#engine/home/shared-databases";
import { clockMs } from "#base/kernel/clock";
import { TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { ServerDatabase, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral } from "#base/postgres/identifiers";
import { learnStrategy } from "#engine/replication/choose-subscription-strategy";
import { removePublisher, removeSubscriber, removeTenantSide } from "#engine/replication/establish";
import type { Link } from "#engine/replication/link";
import { findManifest } from "#engine/transfer/export-format";
import { exportPlacement } from "#engine/transfer/export-placement";
import { namingWhatIsInTheWay } from "#engine/placements/in-the-way";
import type { JobRun } from "#engine/jobs/job-run";
import { cancelJob, placementSubject } from "#engine/jobs/job";
import type { Services } from "#engine/services";
import { closeForGood, WRITERS_TIMEOUT_MS, waitForWriters } from "#engine/placements/closed-placements";
import { deleteContent, firstLeft } from "#engine/placements/shared-content";
import { countRows } from "#engine/placements/count-rows";
import { tenantLinks } from "#engine/links/tenant-links";

/** What was removed; the job's result. The organization's owners read it: hosts and roles are the operator's. */
export type Receipt = {
  organization: { id: string; name: string };
  region: { key: string };
  database: string;
  /** Rows that the tenant database held when writing had stopped. `checksum` does not depend on their order. */
  tables: { table: string; rows: number; checksum: string }[];
  /** The folder's name in the export folder of where Tenantry runs; null: nothing was exported. */
  exportedTo: string | null;
  removed: { what: string; where: string; at: string }[];
  /** What this cannot reach. */
  remaining: string;
};

/** Without any member leaving. */
const DIRECTORY_TIMEOUT_MS = 10_000;
/** For all of them: a region's server can answer what it likes. */
const DIRECTORY_LIMIT_MS = 3_600_000;
const NUDGE_TIMEOUT_MS = 1_000;

const REMAINING =
  "Backups and WAL archives of the region's and of home's servers may hold the data until they expire; so may exports and the servers' statement logs. Where the database was shared, its files hold deleted rows until VACUUM has run.";

type Run = JobRun<"revoke-placement">;
type Context = {
  services: Services;
  run: Run;
  placement: Placement;
  address: ServerAddress;
  server: ServerDatabase;
  database: TenantDatabase;
  /** Nobody else is in the database: it goes as a whole. */
  isAlone: boolean;
};

/** Takes the placement away. Returns without doing anything when that was undone or is over. */
export async function revokePlacement(services: Services, run: Run): Promise<void> {
  const placement = await findPlacementById(services, run.job.placementId ?? "");
  if (placement === undefined) return;
  await whileHoldingDatabase(services, placement, () => revoke(services, run, placement));
}

async function revoke(services: Services, run: Run, placement: Placement): Promise<void> {
  const isThere = await services.ownership.requireWithDatabase(placement.regionId, placement.database);
  const address = await regionAddress(services, placement.regionId);
  const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const database = services.pools.open("tenant", address, placement.database);
  const context: Context = { services, run, placement, address, server, database, isAlone: true };
  const stopped = await run.step("stop-writes", () => stopWrites(context, isThere));
  if (stopped === undefined) return;
  const { exists } = stopped;
  const { isAlone } = context;
  const links = await tenantLinks(services, placement, { despiteFence: true });
  if (exists) {
    await Promise.all([
      run.step("count", () => count(context)),
      // Through a pool of their own, and the way may be long.
      isAlone ? learnStrategy(links.directory.subscriber.database).catch(() => undefined) : Promise.resolve(),
    ]);
    await run.step("export", () => exportFirst(context));
  }
  await run.step("delete-rows", async () => (isAlone || !exists ? undefined : deleteRows(context)));
  await run.step("withdraw-directory", async () => (isAlone || !exists ? undefined : withdrawDirectory(context)));
  await run.step("drop-links", async () => (isAlone ? dropLinks(context, links, exists) : undefined));
  await run.step("drop-database", async () => (isAlone ? dropDatabase(context) : undefined));
  // Home's side once more: a carrier that was mending the link just then may have made parts of it anew, and from now on
  // it cannot.
  await run.step("drop-remains", async () => (isAlone ? dropHomeSide(links) : undefined));
  await run.step("forget", async () => {
    await noteRemoved(context, "catalog, directory and placement", "home");
    await cancelJob(services.home, "provision-placement", placementSubject(placement.id));
    await forgetPlacement(services, placement, { withDatabase: isAlone, signal: run.signal });
  });
}

/**
 * Undefined when the revocation was undone. From here on it cannot be. Finds out whether somebody else is in the database.
 */
async function stopWrites(context: Context, isThere: boolean): Promise<{ exists: boolean } | undefined> {
  const { services, placement, server, database } = context;
  if (!(await beginRevoking(services, placement.id))) return undefined;
  context.isAlone = placement.isolation === "DEDICATED" || (await closeWithLast(services, placement));
  if (!isThere) return { exists: false };
  const { tables } = services.tables.at(placement.schemaVersion);
  await requireOwn(services, database, placement, tables, { isAlone: context.isAlone });
  if (!context.isAlone) {
    // Also to a process that has not heard of its end.
    await closeForGood(database, placement.number);
    await waitForWriters(database, placement.number, WRITERS_TIMEOUT_MS);
    return { exists: true };
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
  return { exists: true };
}

async function dropDatabase(context: Context): Promise<void> {
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
async function deleteRows(context: Context): Promise<void> {
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
async function withdrawDirectory(context: Context): Promise<void> {
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

async function count({ services, run, placement, database }: Context): Promise<void> {
  // An attempt before this one has counted, and may have deleted since.
  if (run.job.result?.["tables"] !== undefined) return;
  // What the receipt names must be what is there: an undeclared table would go without a line.
  const declared = services.tables.at(placement.schemaVersion);
  const counted = [
    ...declared.tables.map(({ name }) => ({ name, key: "id" })),
    ...declared.flows.directory.map(({ from, key }) => ({ name: from, key: key.at(-1) ?? "" })),
  ];
  const tables: Receipt["tables"] = await countRows(database, placement, counted, run.signal);
  const [organization, [region]] = await Promise.all([
    getOrganization(services, OPERATOR, placement.organizationId),
    findRegions(services, [placement.regionId]),
  ]);
  await run.save({
    organization: { id: placement.organizationId, name: organization.name },
    region: { key: region?.key ?? "" },
    database: placement.database,
    tables,
    exportedTo: null,
    remaining: REMAINING,
  } satisfies Omit<Receipt, "removed">);
}

async function exportFirst({ services, run, placement }: Context): Promise<void> {
  if (run.job.input["export"] !== true) return;
  if (services.exportFolder === undefined)
    throw new TenantryError("CAPABILITY_MISSING", "There is no export folder: set TENANTRY_EXPORT_DIR, then retry.");
  // One for each job: what an earlier export holds may be older than what is dropped now.
  const name = `${placement.id}-${run.job.id}`;
  const folder = join(services.exportFolder, name);
  // An attempt of this job before this one may have finished it; nothing was written since.
  if ((await findManifest(folder)) === undefined) await exportPlacement(services, placement, folder);
  await run.save({ exportedTo: name });
}

/** Home's side of the catalog first: nobody reads the region's slot then, which goes with the rest there in one message. */
async function dropLinks(context: Context, links: Record<Link["direction"], Link>, exists: boolean): Promise<void> {
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

async function dropHomeSide({ directory, catalog }: Record<Link["direction"], Link>): Promise<void> {
  await removeSubscriber(catalog);
  await removePublisher(directory);
}

/** Adds to the receipt, once however often the step runs. */
async function noteRemoved({ run }: Context, what: string, where: string): Promise<void> {
  const before = (run.job.result?.["removed"] as Receipt["removed"] | undefined) ?? [];
  if (before.some((one) => one.what === what && one.where === where)) return;
  await run.save({ removed: [...before, { what, where, at: new Date(clockMs()).toISOString() }] });
}
