import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { currentCause } from "#base/kernel/call";
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
import type { HomeDatabase, ServerDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import { probeServer, type ServerProbe, type SubscriptionMethod } from "#base/postgres/probe";
import { SQL_STATE, sqlState, violatedConstraint } from "#base/postgres/sql-state";
import { type Coordinates, COORDINATES_OF_REGION, validCoordinates } from "#engine/regions/coordinates";
import type { ApiRole } from "#engine/regions/api-role";
import type { Marks } from "#engine/regions/mark";
import { requireHonestIdentifier } from "#engine/home/home-server";
import { requirePooler } from "#engine/regions/pooler";
import { whyUnfit } from "#engine/servers/region-requirements";
import { regionServer, type RegionServer } from "#engine/regions/region-address";
import { explainingAbsence, MAINTENANCE_DATABASE } from "#engine/servers/server-probe";

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

/** A server that a person named, while it is looked at: on connections of its own, which are closed afterwards. */
export type NamedServer = { server: ServerDatabase; address: ServerAddress };

/** What is asked of a server that a person named, beside what it is. All throw what a caller may read. */
export type ServerChecks = {
  /** Has the server do what it will have to. */
  requireTrials: (at: NamedServer, probe: ServerProbe, marks: Marks) => Promise<void>;
  /** What this home left on the server. CONFLICT for another home's. */
  recognise: (server: ServerDatabase) => Promise<Marks>;
  /** Marks it as this region, if `marks` still are what is there. */
  claim: (at: NamedServer, systemIdentifier: string, regionId: string, marks: Marks) => Promise<void>;
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
  const id = newId();
  const probe = await lookingAt(context, address, checks, async (at, probed, marks) => {
    await refuseRegistered(context.home, marks.mark?.regionId ?? null);
    await checks.requireTrials(at, probed, marks);
    if (pooler !== null) await requirePoolerOf(context, pooler, address, probed.systemIdentifier);
    await refuseTaken(context.home, key, probed);
    await checks.claim(at, probed.systemIdentifier, id, marks);
    return probed;
  });
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

/**
 * Probes the server at a URL that a person gave, and reads its marks beside it. CAPABILITY_MISSING with what to do when it will not
 * serve as a region.
 */
async function lookingAt<Result>(
  context: RegionsContext,
  address: ServerAddress,
  checks: ServerChecks,
  work: (at: NamedServer, probe: ServerProbe, marks: Marks) => Promise<Result>,
): Promise<Result> {
  const field = "connectionUrl";
  const unreadable = findUnreadableFile(address);
  if (unreadable !== undefined)
    throw invalidInput(
      field,
      `The file that ${unreadable} names cannot be read where Tenantry runs, or is not a regular file of at most 1 MB.`,
    );
  const look = async (server: ServerDatabase) => {
    const recognising = checks.recognise(server);
    // Why it cannot be reached is said first.
    recognising.catch(() => undefined);
    const probe = await explainingAbsence(address, () => probeServer(server), field);
    const obstacle = whyUnfit(probe);
    if (obstacle !== undefined) throw new TenantryError("CAPABILITY_MISSING", obstacle, { field });
    await requireHonestIdentifier(context, address, probe.systemIdentifier);
    return work({ server, address }, probe, await recognising);
  };
  // Two, as the server may be far away: much is asked side by side.
  return context.pools.once(address, MAINTENANCE_DATABASE, look, { connections: 2 });
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
  const look = async (at: NamedServer, probed: ServerProbe, marks: Marks) => {
    requireSame({ ...known, id: before.id }, probed, marks.mark?.regionId ?? null);
    // One that claims another region's identifier would be shown the API's password there.
    if (probed.systemIdentifier !== known.systemIdentifier) await refuseTaken(context.home, "", probed);
    if (given !== undefined) await checks.requireTrials(at, probed, marks);
    if (pooler != null)
      await requirePoolerOf(context, pooler, at.address, known.systemIdentifier, probed.systemIdentifier);
    // Last: the API's password there is made of the identifier, and goes by what home has recorded.
    await checks.claim(at, probed.systemIdentifier, before.id, marks);
    return probed;
  };
  const probe = address === undefined ? undefined : await lookingAt(context, address, checks, look);
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
  currentCause()?.note?.regions.add(region.key);
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
