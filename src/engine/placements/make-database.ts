/**
 * Makes a tenant database real, with its two links: for a placement, or ahead of a grant. Reads the real state of the servers and
 * does what is missing, so that it can run again after a crash at any point.
 */
import { ensureApiRoleIn, requireApiIn } from "#engine/regions/api-role-in-region";
import { describingOwn, ensureIdentity, type Meant } from "#engine/regions/own-database";
import { regionAddress } from "#engine/regions/region-address";
import { readRoom } from "#engine/regions/region-room";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { ReplicatedDatabase } from "#engine/home/replicated-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { TenantryError } from "#base/kernel/errors";
import type { ServerDatabase } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { capacityIn, capacityStatement, type ServerCapacity } from "#base/postgres/server-capacity";
import { readServerHistory } from "#base/postgres/server-history";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { establishLink, type MadeNow, mend } from "#engine/replication/establish";
import { learnStrategy } from "#engine/replication/choose-subscription-strategy";
import type { Link } from "#engine/replication/link";
import { namePrefix } from "#engine/replication/names";
import { ensureTemplate, type TemplateSeen, templatesStatement } from "#engine/placements/template-database";
import type { Services } from "#engine/services";
import { tenantLinks } from "#engine/links/tenant-links";

/** Whose the region is was asked at the beginning; what follows within this time does not ask again. */
const LOOKED_MS = 10_000;

/** What is made. Without an organization it is made ahead of a grant. */
export type DatabaseToMake = ReplicatedDatabase & Pick<Meant, "isolation" | "organizationId">;

type MakingStep = "make-template" | "create-database" | "protect" | "identify" | "link-directory" | "link-catalog";
/** A run of a job of any kind that makes a database. */
export type MakingRun = { step: <Result>(name: MakingStep, work: () => Promise<Result>) => Promise<Result> };

/** What a grant goes by. */
export type LookedServer = { exists: boolean; capacity: ServerCapacity; templates: TemplateSeen[] };

/** Whose the region is, and what a grant goes by. One message, as the server may be far away. */
export async function lookAtServer(
  { ownership, installation }: Pick<Services, "installation" | "ownership">,
  { regionId, database }: Pick<ReplicatedDatabase, "database" | "regionId">,
): Promise<LookedServer> {
  const [named = [], capacity = [], templates = []] = await ownership.requireAnd(regionId, "grant.look", [
    { text: "select from pg_catalog.pg_database where datname = $1", values: [database] },
    capacityStatement({ prefix: namePrefix(installation), home: null }),
    templatesStatement(installation),
  ]);
  return { exists: named.length > 0, capacity: capacityIn(capacity), templates: templates as TemplateSeen[] };
}

/**
 * Throws LIMIT_EXCEEDED where the servers have no room for so many more. Running out in the middle would leave tables that never
 * get ready: see before beginning.
 */
export async function requireRoom(
  services: Services,
  server: ServerDatabase,
  { capacity }: LookedServer,
  databases = 1,
): Promise<void> {
  const { shortage } = await readRoom(services, server, capacity, databases);
  if (shortage !== undefined) throw new TenantryError("LIMIT_EXCEEDED", shortage);
}

/** Makes it, or completes it. Returns the version of its schema. */
export async function makeDatabase(
  services: Services,
  run: MakingRun,
  target: DatabaseToMake,
  { templates }: LookedServer,
): Promise<SchemaVersion> {
  const address = await regionAddress(services, target.regionId);
  const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const { template, isKeptOut } = await run.step("make-template", async () => {
    const refusal = await ensureApiRoleIn(services, target.regionId, { maxAgeMs: LOOKED_MS });
    const region = { regionId: target.regionId, address };
    return { isKeptOut: refusal !== undefined, template: await ensureTemplate(services, server, region, templates) };
  });
  // False where an attempt before this one has made it, and was cut off.
  const isNew = await run.step("create-database", () => createDatabase(services, server, template, target));
  const database = services.pools.open("tenant", address, target.database);
  // What is made by one of these is needed by none of the others. The database holds nothing of anybody's before its links.
  const [, history, schemaVersion] = await Promise.all([
    run.step("protect", async () => {
      await protectDatabase(services, server, target);
      // Its pg_hba.conf can let the role into tenant databases and nowhere else.
      if (isKeptOut) await requireApiIn(services, target);
    }),
    readServerHistory(server),
    run.step("identify", () => identify(services, target, { isNew })),
    // Each link needs a connection, and the way may be long.
    learnStrategy(database),
  ]);
  await makeLinks(services, run, { ...target, schemaVersion }, isNew ? { tenantHistory: history } : undefined);
  return schemaVersion;
}

/** Refuses a database that is another one, or holds what is not the organization's. Returns the version of its schema. */
export async function identify(
  services: Services,
  target: DatabaseToMake,
  { isNew }: { isNew: boolean },
): Promise<SchemaVersion> {
  const address = await regionAddress(services, target.regionId);
  const database = services.pools.open("tenant", address, target.database);
  return ensureIdentity(services, database, target, (version) => services.tables.at(version).tables, { isNew });
}

/** Makes what is missing of the two links. `made`: nothing is there yet. */
export async function makeLinks(
  services: Services,
  run: MakingRun,
  target: DatabaseToMake,
  made?: MadeNow,
): Promise<void> {
  const links = await tenantLinks(services, target);
  // Without a placement nobody mends it while it is made, and home may have been another one since: it is seeded anew.
  const make = async (link: Link) => {
    if (target.organizationId === null && made === undefined) await mend(link, { reseed: true });
    else await establishLink(link, made);
  };
  await Promise.all([
    run.step("link-directory", () => make(links.directory)),
    run.step("link-catalog", () => make(links.catalog)),
  ]);
}

/** Returns whether it was made now. */
async function createDatabase(
  services: Pick<Services, "ownership">,
  server: ServerDatabase,
  template: string,
  { database }: DatabaseToMake,
): Promise<boolean> {
  try {
    await server.query(
      "databases.create",
      `create database ${quoteIdentifier(database)} template ${quoteIdentifier(template)} strategy wal_log`,
    );
    return true;
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.duplicateDatabase) throw error;
    await services.ownership.requireDatabase(server, database);
    return false;
  }
}

/** Says whose it is, and keeps everybody out whom nobody admitted. */
async function protectDatabase(
  services: Pick<Services, "apiRole" | "installation" | "ownership">,
  server: ServerDatabase,
  target: DatabaseToMake,
): Promise<void> {
  const { apiRole } = services;
  const name = quoteIdentifier(target.database);
  const describe = await describingOwn(services, target);
  // By default every role of the server may connect to a new database. One message, as the server may be far away.
  const protect = `revoke all on database ${name} from public`;
  const admit = `grant connect on database ${name} to ${quoteIdentifier(apiRole.name)}`;
  await server.query("databases.protect", [protect, admit, describe].join("; "));
}
