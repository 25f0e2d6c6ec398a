import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import type { SecretBox } from "#base/kernel/secret-box";
import { isRegionKey, validName, validRegionKey } from "#base/kernel/validation";
import {
  findUnreadableFile,
  formatPoolUrl,
  formatServerUrl,
  parsePoolUrl,
  parseServerUrl,
  type PoolerAddress,
  type ServerAddress,
} from "#base/postgres/connection-url";
import type { HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import type { ServerProbe, SubscriptionMethod } from "#base/postgres/probe";
import { SQL_STATE, sqlState, violatedConstraint } from "#base/postgres/sql-state";
import { type Coordinates, COORDINATES_OF_REGION, validCoordinates } from "#engine/regions/coordinates";
import type { ApiRole } from "#engine/regions/api-role";
import { requireHonestIdentifier } from "#engine/home/home-server";
import { requirePooler } from "#engine/regions/pooler";
import { whyUnfit } from "#engine/servers/region-requirements";
import { MAINTENANCE_DATABASE, probeAt } from "#engine/servers/server-probe";

/** Channel on which home announces the id of a region whose address, name or standing changed. */
export const REGION_CHANNEL = "tenantry_region";

/** A geo-located PostgreSQL server. Its URLs are not part of it: they never leave regions.ts. */
export type Region = {
  id: string;
  key: string;
  name: string;
  host: string;
  port: number;
  subscriptionMethod: SubscriptionMethod;
  /** The pooler by which the API reaches the server; null: it reaches the server itself. Holds no secret. */
  poolUrl: string | null;
  /** Where it is on the map; null: nobody has said. */
  coordinates: Coordinates | null;
};

/** What may be changed of a region, which `key` names. */
export type RegionChange = {
  key: string;
  name?: string | null;
  connectionUrl?: string | null;
  /** Null: the API reaches the server itself again. */
  poolUrl?: string | null | undefined;
  /** Null: it has a place on the map no longer. */
  coordinates?: Coordinates | null | undefined;
};

/** `changed`: what became of the server that nobody asked for, in one sentence; undefined: nothing. */
export type ChangedRegion = Region & { changed: string | undefined };

export type RegionsContext = {
  home: HomeDatabase;
  homeAddress: ServerAddress;
  homeDatabaseName: string;
  homeSystemIdentifier: string;
  pools: Pools;
  secrets: SecretBox;
};
export type RegionsContextOfApi = RegionsContext & { apiRole: ApiRole };

/** What is asked of a server that a person named, beside what it is. All throw what a caller may read. */
export type ServerChecks = {
  /** Has the server do what it will have to. */
  requireTrials: (address: ServerAddress, probe: ServerProbe) => Promise<void>;
  /** The id of the region whose mark this home left on the server; null: it has none. CONFLICT for another home's. */
  recognise: (address: ServerAddress) => Promise<string | null>;
  /** Marks it as this region. */
  claim: (address: ServerAddress, systemIdentifier: string, regionId: string) => Promise<void>;
};

const COLUMNS = `r.id, r.key, r.name, r.host, r.port, r.subscription_method as "subscriptionMethod",
  r.pool_url as "poolUrl", ${COORDINATES_OF_REGION} as coordinates`;

/**
 * Registers a server as a region, after asking it what it is. INVALID_INPUT on a bad key, name or URL, also on a pooler that
 * will not do, REGION_UNAVAILABLE when it cannot be reached, CAPABILITY_MISSING with what to do when it lacks something,
 * CONFLICT when the key or the server is registered already. No message repeats a URL's password.
 */
export async function registerRegion(
  context: RegionsContextOfApi,
  actor: Actor,
  input: { key: string; name: string; connectionUrl: string } & Pick<RegionChange, "poolUrl" | "coordinates">,
  checks: ServerChecks,
): Promise<Region> {
  authorizeOperator(actor);
  const key = validRegionKey("key", input.key);
  const name = validName("name", input.name);
  const address = parseServerUrl(input.connectionUrl, "connectionUrl");
  const pooler = input.poolUrl == null ? null : parsePoolUrl(input.poolUrl, "poolUrl");
  const place = input.coordinates == null ? null : validCoordinates("coordinates", input.coordinates);
  const probe = await requireFit(context, address);
  await refuseRegistered(context.home, await checks.recognise(address));
  await checks.requireTrials(address, probe);
  if (pooler !== null) await requirePoolerOf(context, pooler, address, probe.systemIdentifier);
  const id = newId();
  await refuseTaken(context.home, key, probe);
  await checks.claim(address, probe.systemIdentifier, id);
  try {
    const [region] = await context.home.query<Region>(
      "regions.create",
      `insert into tenantry.regions as r
         (id, key, name, connection_url, host, port, system_identifier, server_version, subscription_method, pool_url,
          latitude, longitude)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning ${COLUMNS}`,
      [
        id,
        key,
        name,
        context.secrets.seal(formatServerUrl(address), id),
        address.host,
        address.port,
        probe.systemIdentifier,
        probe.versionNumber,
        probe.subscriptionMethod,
        pooler === null ? null : formatPoolUrl(pooler),
        place?.latitude ?? null,
        place?.longitude ?? null,
      ],
    );
    if (region === undefined) throw new Error("the insert returned no row");
    return region;
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.uniqueViolation) throw error;
    throw await describeConflict(context.home, violatedConstraint(error), key, probe);
  }
}

/** Probes the server at a URL that a person gave. CAPABILITY_MISSING with what to do when it will not serve as a region. */
async function requireFit(context: RegionsContext, address: ServerAddress): Promise<ServerProbe> {
  const unreadable = findUnreadableFile(address);
  if (unreadable !== undefined)
    throw invalidInput(
      "connectionUrl",
      `The file that ${unreadable} names cannot be read where Tenantry runs, or is not a regular file of at most 1 MB.`,
    );
  const probe = await probeAt(context.pools, address, "connectionUrl");
  const obstacle = whyUnfit(probe);
  if (obstacle !== undefined) throw new TenantryError("CAPABILITY_MISSING", obstacle, { field: "connectionUrl" });
  await requireHonestIdentifier(context, address, probe.systemIdentifier);
  return probe;
}

/**
 * CONFLICT when another server than the region's answers. The mark says which region a server is: pg_upgrade gives it another
 * identifier and keeps the mark. One that lost its mark is known by its identifier.
 */
function requireSame(known: { id: string; systemIdentifier: string }, probe: ServerProbe, marked: string | null): void {
  if (marked === null ? probe.systemIdentifier === known.systemIdentifier : marked === known.id) return;
  throw new TenantryError(
    "CONFLICT",
    "Another server answers there: a region stays on its server. Register the other one as a region of its own.",
    { field: "connectionUrl" },
  );
}

/** CONFLICT when a server has the mark of a region that home knows. One that home has forgotten may be registered again. */
async function refuseRegistered(home: HomeDatabase, regionId: string | null): Promise<void> {
  const [known] = regionId === null ? [] : await findRegions({ home }, [regionId]);
  if (known !== undefined) throw registeredAs(known.key);
}

/** Before the server is marked. What comes between is refused by the keys. */
async function refuseTaken(home: HomeDatabase, key: string, probe: ServerProbe): Promise<void> {
  const taken = await home.query<{ constraint: string }>(
    "regions.taken",
    `select case when key = $1 then 'regions_key_key' else 'regions_system_identifier_key' end as constraint
     from tenantry.regions where key = $1 or system_identifier = $2`,
    [key, probe.systemIdentifier],
  );
  const [first] = taken;
  if (first !== undefined) throw await describeConflict(home, first.constraint, key, probe);
}

function registeredAs(key: string): TenantryError {
  return new TenantryError("CONFLICT", `This server is registered already, as region ${key}.`, {
    field: "connectionUrl",
  });
}

/**
 * INVALID_INPUT on `poolUrl` when the API cannot reach the server by the pooler. `answering`: the identifier that the server has
 * now, where home knows it by another one.
 */
async function requirePoolerOf(
  context: RegionsContextOfApi,
  pooler: PoolerAddress,
  address: ServerAddress,
  systemIdentifier: string,
  answering = systemIdentifier,
): Promise<void> {
  const database = MAINTENANCE_DATABASE;
  // A person says that something has changed: the role is looked at again.
  context.apiRole.seenOn.delete(systemIdentifier);
  await context.pools.once(address, database, (server) =>
    requirePooler(context, pooler, { server, address, systemIdentifier, database }, "poolUrl", answering),
  );
}

async function describeConflict(
  home: HomeDatabase,
  constraint: string | undefined,
  key: string,
  probe: ServerProbe,
): Promise<TenantryError> {
  if (constraint === "regions_key_key")
    return new TenantryError("CONFLICT", `A region with the key ${key} exists already.`, { field: "key" });
  const [other] = await home.query<{ key: string }>(
    "regions.by_system_identifier",
    "select key from tenantry.regions where system_identifier = $1",
    [probe.systemIdentifier],
  );
  return registeredAs(other?.key ?? "of another key");
}

/**
 * Changes a region's name, its pooler, its place on the map, and the address or password of its server after asking the server who it is. Left
 * out or null means as it was, but null as `poolUrl` or `coordinates` takes those away. INVALID_INPUT and REGION_UNAVAILABLE as when
 * registering, CONFLICT when another server answers there: which it is, its mark says. A new address is used at once;
 * subscriptions know nothing of it.
 */
export async function changeRegion(
  context: RegionsContextOfApi,
  actor: Actor,
  input: RegionChange,
  checks: ServerChecks,
): Promise<ChangedRegion> {
  authorizeOperator(actor);
  const before = await getRegion(context, input.key);
  const known = await regionServer(context, before.id);
  const name = input.name == null ? before.name : validName("name", input.name);
  const pooler = input.poolUrl == null ? input.poolUrl : parsePoolUrl(input.poolUrl, "poolUrl");
  const place = input.coordinates == null ? input.coordinates : validCoordinates("coordinates", input.coordinates);
  const given = input.connectionUrl == null ? undefined : parseServerUrl(input.connectionUrl, "connectionUrl");
  // The pooler has to lead to the server that answers now.
  const address = given ?? (pooler == null ? undefined : known.address);
  let probe: ServerProbe | undefined;
  if (address !== undefined) {
    probe = await requireFit(context, address);
    requireSame({ ...known, id: before.id }, probe, await checks.recognise(address));
    // One that claims another region's identifier would be shown the API's password there.
    if (probe.systemIdentifier !== known.systemIdentifier) await refuseTaken(context.home, "", probe);
    if (given !== undefined) await checks.requireTrials(address, probe);
    if (pooler != null) await requirePoolerOf(context, pooler, address, known.systemIdentifier, probe.systemIdentifier);
    // Last: the API's password there is made of the identifier, and goes by what home has recorded.
    await checks.claim(address, probe.systemIdentifier, before.id);
  }
  const { systemIdentifier = known.systemIdentifier } = probe ?? {};
  const [region] = await context.home.query<Region>(
    "regions.change",
    `update tenantry.regions as r set name = $2, connection_url = coalesce($3, connection_url),
       host = coalesce($4, host), port = coalesce($5, port),
       subscription_method = coalesce($6, subscription_method), server_version = coalesce($7, server_version),
       pool_url = case when $8 then $9 else pool_url end, system_identifier = coalesce($10, system_identifier),
       latitude = case when $11 then $12 else latitude end, longitude = case when $11 then $13 else longitude end
     where id = $1 returning ${COLUMNS}`,
    [
      before.id,
      name,
      address === undefined ? null : context.secrets.seal(formatServerUrl(address), before.id),
      address?.host ?? null,
      address?.port ?? null,
      // Another role may have another way.
      probe?.subscriptionMethod ?? null,
      probe?.versionNumber ?? null,
      pooler !== undefined,
      pooler == null ? null : formatPoolUrl(pooler),
      // Only what was read now: another caller may have changed it meanwhile.
      probe?.systemIdentifier ?? null,
      place !== undefined,
      place?.latitude ?? null,
      place?.longitude ?? null,
    ],
  );
  if (region === undefined) throw notFound("Region");
  return { ...region, changed: describeChange(known, systemIdentifier) };
}

/** Undefined where the server is known by the identifier that it had. */
function describeChange(known: RegionServer, systemIdentifier: string): string | undefined {
  if (known.systemIdentifier === systemIdentifier) return undefined;
  return `The server of region ${known.key} has another system identifier: ${systemIdentifier} in place of ${known.systemIdentifier}. Its mark says that it is the region's, as after pg_upgrade.`;
}

/** All regions that are not being retired, by key. There are few. */
export function listRegions({ home }: { home: HomeDatabase }): Promise<Region[]> {
  return home.query<Region>(
    "regions.list",
    `select ${COLUMNS} from tenantry.regions r where r.retired_at is null order by r.key`,
  );
}

/** All regions, those that are being retired too, by key. */
export function listRegionsToTheLast({ home }: { home: HomeDatabase }): Promise<Region[]> {
  return home.query<Region>("regions.list_to_the_last", `select ${COLUMNS} from tenantry.regions r order by r.key`);
}

/** The regions with these keys that are not being retired, in no particular order. */
export function findRegionsByKey({ home }: { home: HomeDatabase }, keys: readonly string[]): Promise<Region[]> {
  return home.query<Region>(
    "regions.get",
    `select ${COLUMNS} from tenantry.regions r where r.key = any($1::text[]) and r.retired_at is null`,
    [keys],
  );
}

function noRegion(key: string): TenantryError {
  if (!isRegionKey(key)) return notFound("Region");
  return new TenantryError("NOT_FOUND", `There is no region with the key ${key}.`);
}

/** The region with this key. NOT_FOUND when there is none. */
export async function getRegion(context: { home: HomeDatabase }, key: string): Promise<Region> {
  const [region] = await findRegionsByKey(context, [key]);
  if (region === undefined) throw noRegion(key);
  return region;
}

export function findRegions({ home }: { home: HomeDatabase }, ids: readonly string[]): Promise<Region[]> {
  return home.query<Region>("regions.find", `select ${COLUMNS} from tenantry.regions r where r.id = any($1::uuid[])`, [
    ids,
  ]);
}

/** The regions of tenant databases, for rows that name only the database. */
export function findRegionsOfDatabases(
  { home }: { home: HomeDatabase },
  databaseIds: readonly number[],
): Promise<(Region & { databaseId: number })[]> {
  return home.query<Region & { databaseId: number }>(
    "regions.of_databases",
    `select ${COLUMNS}, d.id as "databaseId" from tenantry.tenant_databases d
     join tenantry.regions r on r.id = d.region_id where d.id = any($1::int[])`,
    [databaseIds],
  );
}

/** How to reach the region's server. Holds the password: for opening connections only. */
export async function regionAddress(
  context: Pick<RegionsContext, "home" | "secrets">,
  regionId: string,
): Promise<ServerAddress> {
  return (await regionServer(context, regionId)).address;
}

/** A region's server, and how it is reached. Holds the password. */
export type RegionServer = { key: string; address: ServerAddress; systemIdentifier: string };

/** The same with which server it is. */
export async function regionServer(
  context: Pick<RegionsContext, "home" | "secrets">,
  regionId: string,
): Promise<RegionServer> {
  const server = (await regionServers(context, [regionId])).get(regionId);
  if (server === undefined) throw notFound("Region");
  return server;
}

/** Those that there are. */
export async function regionServers(
  { home, secrets }: Pick<RegionsContext, "home" | "secrets">,
  regionIds: readonly string[],
): Promise<Map<string, RegionServer>> {
  const rows = await home.query<{
    id: string;
    key: string;
    sealed: Buffer;
    systemIdentifier: string;
  }>(
    "regions.addresses",
    `select id, key, connection_url as sealed, system_identifier as "systemIdentifier"
     from tenantry.regions where id = any($1::uuid[])`,
    [regionIds],
  );
  return new Map(
    rows.map(({ id, key, sealed, systemIdentifier }) => [
      id,
      { key, address: parseServerUrl(secrets.open(sealed, id), "connectionUrl"), systemIdentifier },
    ]),
  );
}
