/**
 * A tenant database and its two links, made where they are not there. Reads the real state of the servers and does what is
 * missing, so that it can run again after a crash at any point.
 */
import { ensureApiRoleIn, requireApiIn } from "#engine/regions/api-role-in-region";
import { describingOwn, ensureIdentity } from "#engine/regions/own-database";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Placement } from "#engine/home/placements";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { TenantryError } from "#base/kernel/errors";
import type { ServerDatabase } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { capacityIn, capacityStatement, type ServerCapacity } from "#base/postgres/server-capacity";
import { readServerHistory } from "#base/postgres/server-history";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { establishLink } from "#engine/replication/establish";
import { learnStrategy } from "#engine/replication/choose-subscription-strategy";
import { namePrefix } from "#engine/replication/names";
import { projectMembers } from "#engine/placements/project-members";
import { readRoom } from "#engine/regions/region-room";
import { ensureTemplate, type TemplateSeen, templatesStatement } from "#engine/placements/template-database";
import type { Services } from "#engine/services";
import { tenantLinks } from "#engine/links/tenant-links";

/** Whose the region is was asked at the beginning; what follows within this time does not ask again. */
const LOOKED_MS = 10_000;

/** The steps of making it, in order. */
export type MakingStep =
  | "project-members"
  | "make-template"
  | "create-database"
  | "protect"
  | "identify"
  | "link-directory"
  | "link-catalog";

/** Whoever makes it: names the steps, and ends it. */
export type Making = {
  readonly signal: AbortSignal;
  step: <Result>(name: MakingStep, work: () => Promise<Result>) => Promise<Result>;
};

/** The tenant database that is made, for whose placement. */
export type Made = Pick<
  Placement,
  "regionId" | "database" | "databaseId" | "isolation" | "organizationId" | "migratingTo" | "schemaVersion"
>;

/**
 * Makes it whole, with the organization's members in it and both links parked. Returns the version of its schema.
 * LIMIT_EXCEEDED where its server has no room.
 */
export async function makeDatabase(services: Services, run: Making, placement: Made): Promise<SchemaVersion> {
  const address = await regionAddress(services, placement.regionId);
  const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const { exists, capacity, templates } = await lookAtServer(services, placement);
  const { shortage } = await readRoom(services, server, capacity);
  // Running out in the middle would leave tables that never get ready: see before beginning.
  if (!exists && shortage !== undefined) throw new TenantryError("LIMIT_EXCEEDED", shortage);
  // At home alone, and before the directory is copied.
  await run.step("project-members", () => projectMembers(services, placement, run.signal));
  const { template, isKeptOut } = await run.step("make-template", async () => {
    const refusal = await ensureApiRoleIn(services, placement.regionId, { maxAgeMs: LOOKED_MS });
    const region = { regionId: placement.regionId, address };
    return { isKeptOut: refusal !== undefined, template: await ensureTemplate(services, server, region, templates) };
  });
  // False where an attempt before this one has made it, and was cut off.
  const isNew = await run.step("create-database", () => createDatabase(services, server, template, placement));
  const database = services.pools.open("tenant", address, placement.database);
  // What is made by one of these is needed by none of the others. The database holds nothing of anybody's before its links.
  const [, history, schemaVersion] = await Promise.all([
    run.step("protect", async () => {
      await protectDatabase(services, server, placement);
      // Its pg_hba.conf can let the role into tenant databases and nowhere else.
      if (isKeptOut) await requireApiIn(services, placement);
    }),
    readServerHistory(server),
    run.step("identify", () =>
      ensureIdentity(services, database, placement, (version) => services.tables.at(version).tables, { isNew }),
    ),
    // Each link needs a connection, and the way may be long.
    learnStrategy(database),
  ]);
  const links = await tenantLinks(services, { ...placement, schemaVersion });
  const made = isNew ? { tenantHistory: history } : undefined;
  await Promise.all([
    run.step("link-directory", () => establishLink(links.directory, made)),
    run.step("link-catalog", () => establishLink(links.catalog, made)),
  ]);
  return schemaVersion;
}

/** Records that a tenant database is made, and with which schema. */
export async function recordMade(
  { home }: Pick<Services, "home">,
  databaseId: number,
  { engine, app }: SchemaVersion,
): Promise<void> {
  await home.query(
    "tenant_databases.set_version",
    "update tenantry.tenant_databases set engine_version = $2, app_version = $3, made_at = clock_timestamp() where id = $1 and engine_version is null",
    [databaseId, engine, app],
  );
}

/** Whose the region is, and what a grant goes by. One message, as the server may be far away. */
async function lookAtServer(
  { ownership, installation }: Pick<Services, "installation" | "ownership">,
  { regionId, database }: Made,
): Promise<{ exists: boolean; capacity: ServerCapacity; templates: TemplateSeen[] }> {
  const [named = [], capacity = [], templates = []] = await ownership.requireAnd(regionId, "grant.look", [
    { text: "select from pg_catalog.pg_database where datname = $1", values: [database] },
    capacityStatement({ prefix: namePrefix(installation), home: null }),
    templatesStatement(installation),
  ]);
  return { exists: named.length > 0, capacity: capacityIn(capacity), templates: templates as TemplateSeen[] };
}

/** Returns whether it was made now. */
async function createDatabase(
  services: Pick<Services, "ownership">,
  server: ServerDatabase,
  template: string,
  placement: Made,
): Promise<boolean> {
  try {
    await server.query(
      "databases.create",
      `create database ${quoteIdentifier(placement.database)} template ${quoteIdentifier(template)} strategy wal_log`,
    );
    return true;
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.duplicateDatabase) throw error;
    await services.ownership.requireDatabase(server, placement.database);
    return false;
  }
}

/** Says whose it is, and keeps everybody out whom nobody admitted. */
async function protectDatabase(
  services: Pick<Services, "apiRole" | "installation" | "ownership">,
  server: ServerDatabase,
  placement: Made,
): Promise<void> {
  const { apiRole } = services;
  const name = quoteIdentifier(placement.database);
  const describe = await describingOwn(services, placement);
  // By default every role of the server may connect to a new database. One message, as the server may be far away.
  const protect = `revoke all on database ${name} from public`;
  const admit = `grant connect on database ${name} to ${quoteIdentifier(apiRole.name)}`;
  await server.query("databases.protect", [protect, admit, describe].join("; "));
}
