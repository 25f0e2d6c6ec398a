/**
 * Ready databases: tenant databases that are made ahead, so that a grant finds one and only says whose it is. The setting says how
 * many each region has. One is in every respect what a grant would have made, with its number, its name, its roles and its two
 * links, and belongs to nobody: its directory is empty, so row-level security lets nobody read a row.
 */
import { outsideCalls } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { delay, waitFor } from "#base/kernel/wait";
import type { Queryable } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import {
  beginLeaving,
  countReadyDatabases,
  forgetReadyDatabase,
  keepReady,
  listReadyDatabases,
  type ReadyDatabase,
  recordReadyDatabase,
} from "#engine/home/ready-databases";
import { onRegion, requestJob } from "#engine/jobs/job";
import type { JobRun } from "#engine/jobs/job-run";
import { linksAt, tenantLinks } from "#engine/links/tenant-links";
import { isBeyond, isSameVersion, latestOf } from "#engine/migrations/schema-version";
import { SchemaComparisons } from "#engine/placements/compare-schema";
import { namingWhatIsInTheWay } from "#engine/placements/in-the-way";
import { type DatabaseToMake, identify, lookAtServer, makeDatabase } from "#engine/placements/make-database";
import { readRoom } from "#engine/regions/region-room";
import { requireOwn } from "#engine/regions/own-database";
import { regionAddress, regionServer } from "#engine/regions/region-address";
import { removePublisher, removeSubscriber, removeTenantSide } from "#engine/replication/establish";
import type { Link } from "#engine/replication/link";
import { namePrefix } from "#engine/replication/names";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

/** Made in one run; then others of the region's jobs have their turn. */
const MOST_A_RUN = 4;
const REQUESTED_BY = "system";

/** Has a worker bring a region's ready databases to what the setting says. `compare`: it looks into each of them before. */
export async function requestReadyDatabases(
  home: Queryable<"home">,
  regionId: string,
  input: { compare?: boolean } = {},
): Promise<void> {
  await requestJob(home, REQUESTED_BY, { ...onRegion("keep-ready-databases", regionId), input });
}

/** Removes those that are too many or not what a grant would make now, and makes those that are missing. */
export async function keepReadyDatabases(services: Services, run: JobRun<"keep-ready-databases">): Promise<void> {
  const { regionId, input } = run.job;
  if (regionId === null) return;
  await run.step("compare", async () => {
    if (input["compare"] === true) await sortOut(services, regionId);
  });
  await run.step("remove", async () => {
    for (const one of surplusOf(services, await listReadyDatabases(services, regionId))) {
      run.signal.throwIfAborted();
      if (await beginLeaving(services, one.databaseId)) await remove(services, one);
    }
  });
  for (let made = 0; ; made += 1) {
    run.signal.throwIfAborted();
    const next = await nextToMake(services, regionId);
    if (next === undefined) return;
    if (made === MOST_A_RUN) return requestReadyDatabases(services.home, regionId);
    await letGrantsPass(services, regionId, run.signal);
    await makeOne(services, run, next);
  }
}

const CALM_MS = 1_000;
const MOST_WAIT_MS = 10_000;

/** Copying a database takes a core of the region's server: grants that follow one another closely go first. */
async function letGrantsPass({ home }: Pick<Services, "home">, regionId: string, signal: AbortSignal): Promise<void> {
  const isCalm = async () => {
    const rows = await home.query(
      "ready_databases.is_calm",
      `select from (select created_at from tenantry.placements where region_id = $1 order by id desc limit 1) last
       where created_at > now() - $2 * interval '1 millisecond'`,
      [regionId, CALM_MS],
    );
    return rows.length === 0 ? true : undefined;
  };
  await waitFor(isCalm, { timeoutMs: MOST_WAIT_MS, pauseMs: 100, maxPauseMs: 250, signal });
}

/** Takes out those that somebody has changed or dropped, and one when the servers have run out of room: a grant needs it more. */
async function sortOut(services: Services, regionId: string): Promise<void> {
  const comparisons = new SchemaComparisons(services);
  const address = await regionAddress(services, regionId);
  const ready = (await listReadyDatabases(services, regionId)).filter(({ state }) => state === "READY");
  const [first] = ready;
  if (first === undefined) return;
  await services.ownership.require(regionId);
  const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
  if ((await readRoom(services, server)).shortage !== undefined) await beginLeaving(services, first.databaseId);
  for (const { databaseId, database, schemaVersion } of ready) {
    // A program that is older does not know what a newer one makes.
    if (schemaVersion !== null && isBeyond(schemaVersion, latestOf(services.tenantSchema))) continue;
    const isThere = await services.ownership.requireDatabase(server, database);
    const differences = isThere
      ? (await comparisons.compare({ regionId, address }, database)).differences
      : ["it is gone"];
    if (differences.length === 0) continue;
    services.logger.warn({ differences }, `the ready database ${database} is not as a new one: another is made`);
    await beginLeaving(services, databaseId);
  }
}

/** Those of an older version are not migrated: making another is as fast, and nothing of theirs is worth keeping. */
function surplusOf(services: Pick<Services, "readyDatabases" | "tenantSchema">, all: readonly ReadyDatabase[]) {
  const isOld = ({ schemaVersion }: ReadyDatabase) =>
    schemaVersion !== null &&
    !isOfLatest(services, schemaVersion) &&
    !isBeyond(schemaVersion, latestOf(services.tenantSchema));
  const goes = all.filter((one) => one.state === "LEAVING" || (one.state === "READY" && isOld(one)));
  const ready = all.filter((one) => isTakeable(services, one));
  const making = all.filter(({ state }) => state === "MAKING");
  return [...goes, ...[...ready, ...making].slice(services.readyDatabases)];
}

function isOfLatest(
  { tenantSchema }: Pick<Services, "tenantSchema">,
  version: ReadyDatabase["schemaVersion"],
): boolean {
  return version !== null && isSameVersion(version, latestOf(tenantSchema));
}

function isTakeable(services: Pick<Services, "tenantSchema">, { state, schemaVersion }: ReadyDatabase): boolean {
  return state === "READY" && isOfLatest(services, schemaVersion);
}

/** One that was begun, or a new one where the servers keep room for as many grants that find none ready. */
async function nextToMake(services: Services, regionId: string): Promise<ReadyDatabase | undefined> {
  const { readyDatabases: wanted } = services;
  const all = await listReadyDatabases(services, regionId);
  const begun = all.find(({ state }) => state === "MAKING");
  if (begun !== undefined) return begun;
  if (all.filter((one) => isTakeable(services, one)).length >= wanted) return undefined;
  await services.ownership.require(regionId, { maxAgeMs: LOOKED_MS });
  const server = services.pools.open("server", await regionAddress(services, regionId), MAINTENANCE_DATABASE);
  const { shortage } = await readRoom(services, server, undefined, wanted + 1);
  if (shortage === undefined) return recordReadyDatabase(services, regionId, namePrefix(services.installation));
  services.logger.debug({ shortage }, "no database is made ahead: the servers have too little room");
  return undefined;
}

/** Whose the region is was asked at the beginning; what follows within this time does not ask again. */
const LOOKED_MS = 10_000;

async function makeOne(services: Services, run: JobRun<"keep-ready-databases">, one: ReadyDatabase): Promise<void> {
  const target = meantFor(one);
  const looked = await lookAtServer(services, one);
  if (looked.exists && !(await isNobodys(services, target, () => identify(services, target, { isNew: false })))) {
    if (await beginLeaving(services, one.databaseId)) await remove(services, one);
    return;
  }
  const version = await makeDatabase(services, run, target, looked);
  await run.step("keep", () => keepReady(services, one.databaseId, version));
}

function meantFor(one: ReadyDatabase): DatabaseToMake {
  return { ...one, isolation: "DEDICATED", organizationId: null };
}

/**
 * Whether a database that is there may be used and dropped. One that an older state of home takes for ready can be an
 * organization's by now: it stays as it is, and is the operator's to decide about.
 */
async function isNobodys(services: Services, one: ReadyDatabase | DatabaseToMake, look: () => Promise<unknown>) {
  const server = services.pools.open("server", await regionAddress(services, one.regionId), MAINTENANCE_DATABASE);
  if (!(await services.ownership.requireDatabase(server, one.database))) return false;
  try {
    await look();
    return true;
  } catch (error) {
    if (!(error instanceof TenantryError) || error.code !== "CONFLICT") throw error;
    services.logger.warn(`the database ${one.database} was to be a ready one and holds something: it stays as it is`);
    return false;
  }
}

/** Takes one that is LEAVING away, with its links. Works again after a crash anywhere. */
async function remove(services: Services, one: ReadyDatabase): Promise<void> {
  const { regionId, database: name } = one;
  const links = await tenantLinks(services, one, { despiteFence: true });
  const address = await regionAddress(services, regionId);
  const { tables } = services.tables.at(one.schemaVersion);
  const database = services.pools.open("tenant", address, name, { despiteFence: true });
  const isOurs = await isNobodys(services, one, () =>
    requireOwn(services, database, meantFor(one), tables, { isAlone: true }),
  );
  await removeSubscriber(links.catalog);
  if (isOurs) await removeTenantSide(links);
  await removePublisher(links.directory);
  if (isOurs) {
    const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
    await services.pools.closeDatabase(address, name);
    // Right before, as what came before may have taken long.
    await services.ownership.require(regionId);
    await namingWhatIsInTheWay(server, name, () =>
      server.query("databases.drop", `drop database if exists ${quoteIdentifier(name)} with (force)`),
    );
  }
  await forgetWithHomeSide(services, one, links);
}

/** Home's side once more: a carrier that was mending a link just then may have made it anew, and from now on it cannot. */
async function forgetWithHomeSide(
  services: Pick<Services, "home">,
  { databaseId }: ReadyDatabase,
  { directory, catalog }: Record<Link["direction"], Link>,
): Promise<void> {
  await removeSubscriber(catalog);
  await removePublisher(directory);
  await forgetReadyDatabase(services, databaseId);
}

/** All of a region that is being retired. With `abandonServer` nothing is asked of its server. */
export async function removeReadyDatabases(
  services: Services,
  regionId: string,
  { abandonServer, signal }: { abandonServer: boolean; signal: AbortSignal },
): Promise<void> {
  for (const one of await listReadyDatabases(services, regionId)) {
    signal.throwIfAborted();
    if (!(await beginLeaving(services, one.databaseId))) continue;
    if (abandonServer) await forgetWithHomeSide(services, one, await linksWithoutServer(services, one));
    else await remove(services, one);
  }
}

async function linksWithoutServer(services: Services, one: ReadyDatabase): Promise<Record<Link["direction"], Link>> {
  const [server, addresses, before] = await Promise.all([
    regionServer(services, one.regionId),
    services.border.addresses(),
    services.border.toldBefore(one.databaseId),
  ]);
  const links = linksAt(services, one, { server, addresses, before });
  if (links === undefined)
    throw new TenantryError(
      "CONFLICT",
      `The database ${one.database} is newer than this program: start the newer program.`,
    );
  return links;
}

const PAUSE_MS = 15_000;
/** What could not be brought to what is wanted is asked for again, and what is there is compared. */
const ASK_AGAIN_MS = 10 * 60_000;
const COMPARE_MS = 60 * 60_000;

/** Asks for what is missing and too much in every region, until the signal is aborted. Never rejects. */
export function startKeepingReady(
  services: Pick<Services, "home" | "logger" | "ownership" | "readyDatabases" | "tenantSchema">,
  stop: AbortSignal,
): Promise<void> {
  const asked = new Map<string, number>();
  const compared = new Map<string, number>();
  const isDue = (times: Map<string, number>, regionId: string, pauseMs: number) => {
    const last = times.get(regionId);
    return last === undefined || performance.now() - last >= pauseMs;
  };
  const look = async () => {
    for (const { regionId, ready, others } of await countReadyDatabases(services, latestOf(services.tenantSchema))) {
      if (services.ownership.isLost(regionId)) continue;
      const compare = ready > 0 && isDue(compared, regionId, COMPARE_MS);
      const isAsWanted = ready === services.readyDatabases && others === 0;
      if (!compare && (isAsWanted || !isDue(asked, regionId, ASK_AGAIN_MS))) continue;
      asked.set(regionId, performance.now());
      if (compare) compared.set(regionId, performance.now());
      await requestReadyDatabases(services.home, regionId, compare ? { compare } : {});
    }
  };
  return outsideCalls(async () => {
    while (!stop.aborted) {
      await look().catch((error: unknown) => {
        if (!stop.aborted) services.logger.warn({ err: error }, "ready databases were not looked after");
      });
      await delay(PAUSE_MS, stop).catch(() => undefined);
    }
  });
}
