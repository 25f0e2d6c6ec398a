/**
 * Erase: takes a person's id out of every database of a region, or out of home's own tables. Each step can run again after a
 * crash at any point. One database that fails does not hold the others back.
 */
import { forEachLimit } from "#base/kernel/semaphore";
import { TenantryError } from "#base/kernel/errors";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { DatabaseKind, Session } from "#base/postgres/database";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { type Erasure, eraseColumns } from "#engine/erasure/erase-columns";
import { runEraseSql } from "#engine/erasure/erase-sql";
import { type DueDatabase, findErasure, listDue, noteDone, noteDoneAtHome } from "#engine/erasure/erasure-record";
import { noteBegun, noteDoneThere } from "#engine/erasure/ledger";
import { listReplicatedDatabases } from "#engine/home/replicated-databases";
import { classifyFailure } from "#engine/jobs/failure";
import type { JobRun } from "#engine/jobs/job-run";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { type OwnedPieces, ownedPieces, requireOrWait } from "#engine/regions/owned-pieces";
import { regionAddress } from "#engine/regions/region-address";
import type { LinkId } from "#engine/replication/nudge";
import type { Services } from "#engine/services";
import type { TenantTable } from "#engine/tables";

/** Databases of one region at a time, each with one connection of its own. */
const CONCURRENCY = 2;
/** How long a database's links are waited for. What is late arrives all the same, and is looked at with the next attempt. */
const CARRY_TIMEOUT_MS = 10_000;
/** A piece reads a few megabytes. */
const STATEMENT_TIMEOUT_MS = 60_000;
const LOCK_TIMEOUT_MS = 5_000;
const MAX_NAMED = 20;

type Run = JobRun<"erase-user">;

/** What came of it; the job's result. */
type Result = {
  /** Databases that it has reached so far. */
  done: number;
  /** Those that it has yet to reach, the first of them by name. */
  due: number;
  pending: string[];
  /** The SHA-256 of the erase.sql that has run. Null when the team has no erase.sql. */
  eraseSql: string | null;
};

/** Runs the part of an erasure that is a region's, or home's. Returns without doing anything when that is done. */
export async function eraseEverywhere(services: Services, run: Run): Promise<void> {
  const erasure = await findErasure(services.home, String(run.job.input["userId"]));
  if (erasure === undefined) return;
  if (typeof run.job.input["eraseSql"] === "string" && services.eraseSql === undefined)
    throw new TenantryError(
      "NOT_SYNCED",
      "A program with an erase.sql has asked for it, and the one that runs jobs has none: start it with the same tenantry.config.ts.",
    );
  if (run.job.regionId !== null) return eraseInRegion(services, run, erasure, run.job.regionId);
  if (erasure.homeIsDue) await eraseAtHome(services, run, erasure);
}

async function eraseAtHome(services: Services, run: Run, erasure: Erasure): Promise<void> {
  const { homeAddress, homeDatabaseName, tables } = services;
  const visit = (work: (session: Session<"home">) => Promise<void>) =>
    services.pools.visit("home", homeAddress, homeDatabaseName, work);
  await run.step("run-erase-sql", () => eraseByTeam(services, erasure, visit));
  await run.step("erase-columns", () => visit((session) => eraseColumnsIn(session, tables.at(null).tables, erasure)));
  await run.step("note-done", () => noteDoneAtHome(services.home, erasure.userId));
  const result: Result = { done: 1, due: 0, pending: [], eraseSql: services.eraseSql?.checksum ?? null };
  await run.save(result);
}

async function eraseInRegion(services: Services, run: Run, erasure: Erasure, regionId: string): Promise<void> {
  await requireOrWait(services, regionId);
  const due = await listDue(services.home, erasure.userId, regionId);
  const address = due.length === 0 ? undefined : await regionAddress(services, regionId);
  const owned = await ownedPieces(services, regionId, { isAsked: true });
  const failures: { name: string; error: unknown }[] = [];
  let isAway = false;
  await forEachLimit(due, CONCURRENCY, async (one) => {
    // When the server is away, none of its databases can be reached.
    if (address === undefined || isAway) return;
    try {
      run.signal.throwIfAborted();
      await eraseInDatabase(services, run, erasure, { ...one, address, owned });
    } catch (error) {
      isAway ||= isConnectionFailure(error) && sqlState(error) !== SQL_STATE.undefinedDatabase;
      failures.push({ name: one.name, error });
    }
  });
  run.signal.throwIfAborted();
  const left = await listDue(services.home, erasure.userId, regionId);
  const before = (run.job.result as Partial<Result> | null)?.done ?? 0;
  await run.save({
    done: before + Math.max(0, due.length - left.length),
    due: left.length,
    pending: left.slice(0, MAX_NAMED).map(({ name }) => name),
    eraseSql: services.eraseSql?.checksum ?? null,
  } satisfies Result);
  const [first] = failures;
  if (first === undefined) return;
  const away = failures.find(({ error }) => isConnectionFailure(error));
  if (isAway) throw away?.error ?? first.error;
  throw new TenantryError(
    "NOT_SYNCED",
    `It is not done in ${left.length} of the region's databases, and is tried again. ${first.name}: ${classifyFailure(first.error).sentence}`,
  );
}

async function eraseInDatabase(
  services: Services,
  run: Run,
  erasure: Erasure,
  due: DueDatabase & { address: ServerAddress; owned: OwnedPieces },
): Promise<void> {
  const { databaseId, name, schemaVersion, isImporting, address, owned } = due;
  // The import may write rows with this user's id.
  if (isImporting) throw new TenantryError("NOT_SYNCED", "An import into the database is under way.");
  const tables = tablesOf(services, schemaVersion);
  const visit = <Seen>(work: (session: Session<"tenant">) => Promise<Seen>) =>
    services.pools.visit("tenant", address, name, work);
  await run.step("run-erase-sql", async () => {
    await visit((session) => noteBegun(session, services.border, erasure));
    await eraseByTeam(services, erasure, visit, owned);
  });
  await run.step("erase-columns", () => visit((session) => eraseColumnsIn(session, tables, erasure, owned)));
  await run.step("carry", async () => carry(services, databaseId, await visit(findWaiting)));
  await run.step("note-done", async () => {
    await visit((session) => noteDoneThere(session, erasure.userId));
    await noteDone(services.home, erasure.userId, due);
  });
}

/** What the latest version says, as it may have declared a column that was there before, and what it has dropped. */
function tablesOf({ tables }: Pick<Services, "tables">, schemaVersion: SchemaVersion): TenantTable[] {
  const latest = tables.at(null).tables;
  const dropped = tables.at(schemaVersion).tables.filter(({ name }) => !latest.some((one) => one.name === name));
  return [...latest, ...dropped];
}

/** In a session of its own, before the columns lose the id that it goes by. */
export async function eraseByTeam<Kind extends DatabaseKind>(
  { eraseSql }: Pick<Services, "eraseSql">,
  { userId }: Erasure,
  visit: (work: (session: Session<Kind>) => Promise<void>) => Promise<void>,
  owned?: OwnedPieces,
): Promise<void> {
  if (eraseSql !== undefined) await visit((session) => runEraseSql(session, eraseSql, userId, owned));
}

async function eraseColumnsIn<Kind extends DatabaseKind>(
  session: Session<Kind>,
  tables: readonly TenantTable[],
  erasure: Erasure,
  owned?: OwnedPieces,
): Promise<void> {
  await session.query(
    "erasure.bound",
    "select set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false)",
    [String(STATEMENT_TIMEOUT_MS), String(LOCK_TIMEOUT_MS)],
  );
  await eraseColumns(session, tables, erasure, owned);
}

/** Whether something that flows to the catalog has changed there and not arrived yet. */
async function findWaiting(session: Session<"tenant">): Promise<boolean> {
  return (await session.query("erasure.catalog_waits", "select from tenantry.catalog_changes limit 1")).length > 0;
}

/**
 * Waits until the region knows the user without a name, and home's catalog has no rows with the id. Links with nothing to carry
 * stay parked: most databases of a fleet do not know the user.
 */
async function carry(
  services: Pick<Services, "home" | "nudges">,
  databaseId: number,
  catalogWaits: boolean,
): Promise<void> {
  const changed = await services.home.query(
    "erasure.directory_waits",
    "select from tenantry.directory_changes where database_id = $1 limit 1",
    [databaseId],
  );
  const links: LinkId[] = [];
  if (changed.length > 0) links.push({ databaseId, direction: "directory" });
  if (catalogWaits) links.push({ databaseId, direction: "catalog" });
  if (links.length === 0 || (await listReplicatedDatabases(services, { databaseId })).length === 0) return;
  const [late] = await services.nudges.carry(links, CARRY_TIMEOUT_MS);
  if (late !== undefined)
    throw new TenantryError(
      "NOT_SYNCED",
      `It has not been carried between home and the region yet (${late.direction}).`,
    );
}
