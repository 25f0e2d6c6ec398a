/**
 * Whether home and regions will do, found out by having them do what they will have to: the server that subscribes makes a
 * subscription at the gateway to a link that streams nothing, and takes it back; the API signs in. Rights and settings that
 * look right are not enough: `pg_hba.conf`, an extension's schema and the network are seen in no catalog.
 */
import { randomBytes } from "node:crypto";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { ensureApiRole, trySigningInAsApi } from "#engine/regions/api-role";
import { listRegions, type Region } from "#engine/regions/regions";
import { type RegionServer, regionServer } from "#engine/regions/region-address";
import { quoteServer } from "#engine/failures/connect-failure";
import { howToSubscribe } from "#engine/servers/region-requirements";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { forEachLimit } from "#base/kernel/semaphore";
import { TenantryError } from "#base/kernel/errors";
import type { ServerAddress } from "#base/postgres/connection-url";
import { quoteIdentifier } from "#base/postgres/identifiers";
import type { Database, DatabaseKind, ServerDatabase } from "#base/postgres/database";
import { probeServer, type ServerProbe } from "#base/postgres/probe";
import { isConnectionFailure, sqlState } from "#base/postgres/sql-state";
import { noteMethod } from "#engine/replication/choose-subscription-strategy";
import type { Marks } from "#engine/regions/mark";
import { type Direction, linkName, namePrefix } from "#engine/replication/names";
import { type Trial, trySubscribing } from "#engine/replication/subscription";
import { WrongTables } from "#engine/replication/subscription-strategy";
import { FIRST_GENERATION, TRIED_DATABASE } from "#engine/border/border";
import type { Services } from "#engine/services";

const TRIED_AT_ONCE = 4;

type Options = {
  /** What only a database of its own can tell is left out without it. */
  mayMakeDatabase: boolean;
};
type At = Pick<RegionServer, "address" | "systemIdentifier">;

/**
 * Tries both servers of a region, for the operator. Returns a sentence for each thing that does not work. Where it needs one, a
 * database is made on the region's server for the time of the trial.
 */
export async function tryRegion(services: Services, actor: Actor, { id }: Pick<Region, "id">): Promise<string[]> {
  const [ofHome, ofRegion] = await Promise.all([
    tryHome(services, actor),
    tryRegionsServer(services, id, { mayMakeDatabase: true }),
  ]);
  return [...new Set([...ofHome, ...ofRegion])];
}

/** The same of home's server alone. */
export async function tryHome(services: Services, actor: Actor): Promise<string[]> {
  authorizeOperator(actor);
  return (await findHomeObstacles(services)).map(({ message }) => message);
}

/** What does not work, and where: home, or a region by its key. */
type Found = { server: string; sentence: string };

/** The same of home and of every region that can be reached, without making a database. */
export async function tryAllServers(services: Services, actor: Actor): Promise<Found[]> {
  const found = (await tryHome(services, actor)).map((sentence): Found => ({ server: "home", sentence }));
  await forEachLimit(await listRegions(services), TRIED_AT_ONCE, async ({ id, key }) => {
    try {
      for (const sentence of await tryRegionsServer(services, id, { mayMakeDatabase: false }))
        found.push({ server: key, sentence });
    } catch (error) {
      // A server that is away is the health's to report.
      if (!isConnectionFailure(error)) throw error;
    }
  });
  return found;
}

/** What does not work on a region's server, without making a database there. Whoever asks has checked that the caller may. */
export function findServerObstacles(services: Services, id: string): Promise<string[]> {
  return tryRegionsServer(services, id, { mayMakeDatabase: false });
}

/** One that another home owns is asked nothing. */
async function tryRegionsServer(services: Services, id: string, options: Options): Promise<string[]> {
  if (services.ownership.isLost(id)) return [];
  const at = await regionServer(services, id);
  const obstacles = await services.pools.once(at.address, MAINTENANCE_DATABASE, async (server) => {
    const probe = await probeServer(server);
    return findObstacles(services, at, { probe, server }, () => trySigningIn(services, at, id), options);
  });
  return obstacles.map(({ message }) => message);
}

/**
 * What a region's server that a person gave has to do, and home's for it. Makes the API's role there. Throws the first
 * obstacle, as REGION_UNAVAILABLE or CAPABILITY_MISSING.
 */
export async function requireTrials(
  services: Services,
  { server, address }: { server: ServerDatabase; address: ServerAddress },
  probe: ServerProbe,
  { hasRole }: Pick<Marks, "hasRole">,
): Promise<void> {
  const { pools, apiRole } = services;
  const { systemIdentifier } = probe;
  // What was seen before may hold no more.
  apiRole.seenOn.delete(systemIdentifier);
  const database = MAINTENANCE_DATABASE;
  const there = findObstacles(
    services,
    { address, systemIdentifier },
    { probe, server },
    () => ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database }, { isMissing: !hasRole }),
    { mayMakeDatabase: true },
  );
  const [[ofRegion], ofHome] = await Promise.all([there, tryAtHome(services)]);
  if (ofRegion !== undefined)
    throw new TenantryError(ofRegion.code, ofRegion.message, { field: "connectionUrl", cause: ofRegion.cause });
  if (ofHome !== undefined) throw ofHome;
}

async function findHomeObstacles(services: Services): Promise<TenantryError[]> {
  const { pools, apiRole, homeAddress: address, homeDatabaseName: database, homeSystemIdentifier } = services;
  const [subscribing, signingIn] = await Promise.all([
    tryAtHome(services),
    trySigningInAsApi(pools, apiRole, { address, systemIdentifier: homeSystemIdentifier, database }),
  ]);
  return [subscribing, signingIn].filter((obstacle) => obstacle !== undefined);
}

async function tryAtHome(
  services: Pick<Services, "border" | "homeAddress" | "homeDatabaseName" | "installation" | "pools">,
): Promise<TenantryError | undefined> {
  // As the operator, who subscribes: the caller may be signed in as the API.
  const { pools, homeAddress, homeDatabaseName } = services;
  const home = pools.open("home", homeAddress, homeDatabaseName);
  const trial = await tryFrom(services, "catalog", home);
  if (trial.kind !== "may-not-try") return obstacleOf(trial);
  return describeUnable(trial, homeAddress, await probeServer(home), `in the database ${homeDatabaseName}`);
}

/** As the API will: in a tenant database, where there is one. */
async function trySigningIn(
  services: Pick<Services, "apiRole" | "home" | "pools">,
  at: At,
  regionId: string,
): Promise<TenantryError | undefined> {
  const [tenant] = await services.home.query<{ name: string }>(
    "trial.tenant_database",
    `select name from tenantry.tenant_databases
     where region_id = $1 and engine_version is not null and closing_at is null order by id limit 1`,
    [regionId],
  );
  const database = tenant?.name ?? MAINTENANCE_DATABASE;
  return trySigningInAsApi(services.pools, services.apiRole, { ...at, database });
}

/**
 * What a region's server cannot do. In the maintenance database where that tells; else in a database that is made for it as
 * tenant databases are: there a role that is no superuser has rights that it has nowhere else, an extension may be missing that
 * the maintenance database has, and `pg_hba.conf` may know the API's role.
 */
async function findObstacles(
  services: Pick<Services, "apiRole" | "border" | "installation" | "pools">,
  at: At,
  { probe, server }: { probe: ServerProbe; server: ServerDatabase },
  signIn: () => Promise<TenantryError | undefined>,
  { mayMakeDatabase }: Options,
): Promise<TenantryError[]> {
  const hasExtensionOnly = mayMakeDatabase && probe.subscriptionMethod === "AIVEN_EXTRAS";
  if (probe.subscriptionMethod !== null) noteMethod(server, probe.subscriptionMethod);
  // Side by side, as the server may be far away.
  const [trial, [keptOut, isUtf8]] = await Promise.all([
    hasExtensionOnly ? undefined : tryFrom(services, "directory", server),
    signIn().then(async (refusal) => [refusal, mayMakeDatabase && (await mayHoldUtf8(server))] as const),
  ]);
  if (!mayMakeDatabase)
    return [trial === undefined ? undefined : obstacleOf(trial), keptOut].filter((obstacle) => obstacle !== undefined);
  const isEnough = trial !== undefined && trial.kind !== "may-not-try" && keptOut === undefined;
  if (isEnough && isUtf8) return [obstacleOf(trial)].filter((obstacle) => obstacle !== undefined);
  return inScratch(services, at, server, async (name) => {
    const again = await services.pools.once(at.address, name, async (database) => {
      if (trial !== undefined && trial.kind !== "may-not-try") return trial;
      return tryFrom(services, "directory", database);
    });
    const subscribing =
      again.kind === "may-not-try" ? describeUnable(again, at.address, probe, "in a new database") : obstacleOf(again);
    const signingIn =
      keptOut === undefined
        ? undefined
        : await trySigningInAsApi(services.pools, services.apiRole, { ...at, database: name });
    return [subscribing, signingIn].filter((obstacle) => obstacle !== undefined);
  });
}

/** False where that is not known: the locale that new databases have may be one of another encoding. */
async function mayHoldUtf8(server: ServerDatabase): Promise<boolean> {
  const rows = await server.query(
    "trial.encoding",
    `select from pg_database where datname = 'template0'
       and (pg_encoding_to_char(encoding) = 'UTF8' or datctype in ('C', 'POSIX'))`,
  );
  return rows.length > 0;
}

async function inScratch(
  services: Pick<Services, "installation">,
  { address: { host, port } }: At,
  server: ServerDatabase,
  work: (database: string) => Promise<TenantryError[]>,
): Promise<TenantryError[]> {
  const name = `${namePrefix(services.installation)}try_${randomBytes(4).toString("hex")}`;
  try {
    await server.query(
      "trial.create",
      `create database ${quoteIdentifier(name)} template template0 encoding 'UTF8' strategy wal_log`,
    );
  } catch (cause) {
    if (sqlState(cause) === undefined) throw cause;
    const sentence = `The server at ${host}:${port} cannot make a database with the encoding UTF8, which tenant databases have: its cluster needs a locale for UTF8, or C.`;
    return [new TenantryError("CAPABILITY_MISSING", `${sentence} ${quoteServer(cause)}`, { cause })];
  }
  try {
    return await work(name);
  } finally {
    await server.query("trial.drop", `drop database if exists ${quoteIdentifier(name)} with (force)`);
  }
}

function obstacleOf(trial: Trial): TenantryError | undefined {
  return trial.kind === "obstacle" ? new TenantryError("REGION_UNAVAILABLE", trial.sentence) : undefined;
}

/** Which right for which object on which server is missing, and PostgreSQL's words behind ours. */
function describeUnable(
  { cause }: Trial & { kind: "may-not-try" },
  { host, port }: ServerAddress,
  probe: ServerProbe,
  where: string,
): TenantryError {
  if (cause instanceof WrongTables) return cause;
  const byExtension = probe.subscriptionMethod === "AIVEN_EXTRAS";
  const cannot = `The role ${probe.role} cannot make subscriptions${byExtension ? " with the extension aiven_extras" : ""} ${where} of the server at ${host}:${port}.`;
  const remedy =
    byExtension && probe.versionNumber < 160_000
      ? "Let it create the extension in every new database, and use the schema aiven_extras there, or register with a superuser."
      : howToSubscribe(probe);
  const said = cause instanceof TenantryError ? cause.message : quoteServer(cause);
  return new TenantryError("CAPABILITY_MISSING", `${cannot} ${remedy} ${said}`, { cause });
}

async function tryFrom(
  services: Pick<Services, "border" | "installation">,
  direction: Direction,
  database: Database<DatabaseKind>,
): Promise<Trial> {
  const { border, installation } = services;
  const addresses = await border.addresses();
  return trySubscribing({
    name: linkName(installation, TRIED_DATABASE, direction),
    direction,
    told: border.tell(addresses, TRIED_DATABASE, direction, FIRST_GENERATION),
    subscriber: { database },
  });
}
