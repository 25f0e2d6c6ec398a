import type { Actor } from "#auth/actor";
import { authorizeOperator } from "#auth/policy";
import { invalidInput, notFound, TenantryError } from "#kernel/errors";
import { newId } from "#kernel/ids";
import type { SecretBox } from "#kernel/secret-box";
import { validName, validRegionKey } from "#kernel/validation";
import {
  findUnreadableFile,
  formatPoolUrl,
  formatServerUrl,
  parsePoolUrl,
  parseServerUrl,
  type PoolerAddress,
  type ReplicationAddress,
  type ServerAddress,
} from "#postgres/connection-url";
import type { HomeDatabase } from "#postgres/database";
import type { Pools } from "#postgres/pools";
import type { ServerProbe, SubscriptionMethod } from "#postgres/probe";
import { SQL_STATE, sqlState, violatedConstraint } from "#postgres/sql-state";
import type { ApiRole } from "#directory/api-role";
import { requirePooler } from "#directory/pooler";
import { findObstacle } from "#directory/region-requirements";
import {
  regionReachedAt,
  replicationColumns,
  replicationSecretOf,
  requireSameServerAt,
} from "#directory/replication-address";
import { MAINTENANCE_DATABASE, probeAt } from "#directory/server-probe";
import { findPasswordObstacle } from "#directory/subscription-passwords";

/** A geo-located PostgreSQL server. Its URLs are not part of it: they never leave regions.ts. */
export type Region = {
  id: string;
  key: string;
  name: string;
  host: string;
  port: number;
  /** Where home's subscriptions reach it, when that is not host and port; else null. */
  replicationHost: string | null;
  replicationPort: number | null;
  subscriptionMethod: SubscriptionMethod;
  /** The pooler by which the API reaches the server; null: it reaches the server itself. Holds no secret. */
  poolUrl: string | null;
};

/** What may be changed of a region, which `key` names. */
export type RegionChange = {
  key: string;
  name?: string | null;
  connectionUrl?: string | null;
  /** Null: home's subscriptions take the connection URL again. */
  replicationUrl?: string | null | undefined;
  /** Null: the API reaches the server itself again. */
  poolUrl?: string | null | undefined;
};

export type RegionsContext = {
  home: HomeDatabase;
  homeAddress: ServerAddress;
  homeReachedAt: ReplicationAddress;
  homeDatabaseName: string;
  pools: Pools;
  secrets: SecretBox;
};
export type RegionsContextOfApi = RegionsContext & { apiRole: ApiRole };

const COLUMNS = `r.id, r.key, r.name, r.host, r.port, r.replication_host as "replicationHost",
  r.replication_port as "replicationPort", r.subscription_method as "subscriptionMethod", r.pool_url as "poolUrl"`;

/**
 * Registers a server as a region, after asking it what it is. INVALID_INPUT on a bad key, name or URL, also on a pooler that
 * will not do, REGION_UNAVAILABLE when it cannot be reached, CAPABILITY_MISSING with what to do when it lacks something,
 * CONFLICT when the key or the server is registered already, or another server answers at `replicationUrl`, which home's
 * subscriptions reach the server by and which is looked at as far as it leads anywhere from here. No message repeats a
 * URL's password.
 */
export async function registerRegion(
  context: RegionsContextOfApi,
  actor: Actor,
  input: { key: string; name: string; connectionUrl: string } & Pick<RegionChange, "replicationUrl" | "poolUrl">,
): Promise<Region> {
  authorizeOperator(actor);
  const key = validRegionKey("key", input.key);
  const name = validName("name", input.name);
  const address = parseServerUrl(input.connectionUrl, "connectionUrl");
  const replication = input.replicationUrl == null ? undefined : parseServerUrl(input.replicationUrl, "replicationUrl");
  const pooler = input.poolUrl == null ? null : parsePoolUrl(input.poolUrl, "poolUrl");
  const probe = await requireFit(context, address, regionReachedAt(address, replication));
  if (pooler !== null) await requirePoolerOf(context, pooler, address, probe.systemIdentifier);
  const id = newId();
  try {
    const [region] = await context.home.query<Region>(
      "regions.create",
      `insert into tenantry.regions as r
         (id, key, name, connection_url, host, port, system_identifier, server_version, subscription_method,
          replication_url, replication_host, replication_port, pool_url)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ${COLUMNS}`,
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
        ...replicationColumns(context.secrets, id, replication),
        pooler === null ? null : formatPoolUrl(pooler),
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
 * Probes the server at a URL that a person gave. CAPABILITY_MISSING with what to do when it will not serve as a region,
 * CONFLICT when it is to be a certain one and is not.
 */
async function requireFit(
  context: RegionsContext,
  address: ServerAddress,
  reachedAt: ReplicationAddress,
  systemIdentifier?: string,
): Promise<ServerProbe> {
  const unreadable = findUnreadableFile(address);
  if (unreadable !== undefined)
    throw invalidInput(
      "connectionUrl",
      `The file that ${unreadable} names cannot be read where Tenantry runs, or is not a regular file of at most 1 MB.`,
    );
  const probe = await probeAt(context.pools, address, "connectionUrl");
  const obstacle = findObstacle(probe);
  if (obstacle !== undefined) throw new TenantryError("CAPABILITY_MISSING", obstacle, { field: "connectionUrl" });
  if (systemIdentifier !== undefined && systemIdentifier !== probe.systemIdentifier)
    throw new TenantryError(
      "CONFLICT",
      "Another server answers there: a region stays on its server. Register the other one as a region of its own.",
      { field: "connectionUrl" },
    );
  await requireReplicationFit(context, reachedAt, probe);
  return probe;
}

/** The same of how subscriptions are to reach the server that is known by now. */
async function requireReplicationFit(
  context: RegionsContext,
  reachedAt: ReplicationAddress,
  probe: Pick<ServerProbe, "systemIdentifier"> & { subscriptionMethod: SubscriptionMethod | null },
): Promise<void> {
  const database = MAINTENANCE_DATABASE;
  if (reachedAt.setting === "replicationUrl")
    await requireSameServerAt(context.pools, reachedAt, { database, systemIdentifier: probe.systemIdentifier });
  const obstacle = await findPasswordObstacle(context, { reachedAt, database }, probe);
  if (obstacle !== undefined) throw new TenantryError("CAPABILITY_MISSING", obstacle, { field: reachedAt.setting });
}

/** INVALID_INPUT on `poolUrl` when the API cannot reach the server by the pooler. */
async function requirePoolerOf(
  context: RegionsContextOfApi,
  pooler: PoolerAddress,
  address: ServerAddress,
  systemIdentifier: string,
): Promise<void> {
  const database = MAINTENANCE_DATABASE;
  await context.pools.once(address, database, (server) =>
    requirePooler(context, pooler, { server, address, systemIdentifier, database }, "poolUrl"),
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
  return new TenantryError(
    "CONFLICT",
    `This server is registered already, as region ${other?.key ?? "of another key"}.`,
    {
      field: "connectionUrl",
    },
  );
}

/**
 * Changes a region's name, its pooler, and the addresses or passwords of its server after asking the server who it is. Left
 * out or null means as it was, but a `replicationUrl` or `poolUrl` of null takes that away. INVALID_INPUT and
 * REGION_UNAVAILABLE as when registering, CONFLICT when another server answers there. Returns whether an address changed.
 */
export async function changeRegion(
  context: RegionsContextOfApi,
  actor: Actor,
  input: RegionChange,
): Promise<{ region: Region; addressChanged: boolean }> {
  authorizeOperator(actor);
  const before = await getRegion(context, input.key);
  const name = input.name == null ? before.name : validName("name", input.name);
  const address = input.connectionUrl == null ? undefined : parseServerUrl(input.connectionUrl, "connectionUrl");
  const replication = input.replicationUrl == null ? undefined : parseServerUrl(input.replicationUrl, "replicationUrl");
  const addressChanged = address !== undefined || input.replicationUrl !== undefined;
  const probe = addressChanged
    ? await requireSameServer(context, before, {
        address,
        replication: input.replicationUrl === null ? null : replication,
      })
    : undefined;
  const pooler = input.poolUrl == null ? input.poolUrl : parsePoolUrl(input.poolUrl, "poolUrl");
  if (pooler != null) {
    const known = await regionServer(context, before.id);
    await requirePoolerOf(context, pooler, address ?? known.address, known.systemIdentifier);
  }
  const [region] = await context.home.query<Region>(
    "regions.change",
    `update tenantry.regions as r set name = $2, connection_url = coalesce($3, connection_url),
       host = coalesce($4, host), port = coalesce($5, port),
       subscription_method = coalesce($6, subscription_method), server_version = coalesce($7, server_version),
       replication_url = case when $8 then $9 else replication_url end,
       replication_host = case when $8 then $10 else replication_host end,
       replication_port = case when $8 then $11::int else replication_port end,
       pool_url = case when $12 then $13 else pool_url end
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
      input.replicationUrl !== undefined,
      ...replicationColumns(context.secrets, before.id, replication),
      pooler !== undefined,
      pooler == null ? null : formatPoolUrl(pooler),
    ],
  );
  if (region === undefined) throw notFound("Region");
  return { region, addressChanged };
}

/**
 * Looks at both addresses as they will be: a password that is rotated in one of them may have to be in the other. What was
 * probed is returned where the server is to be reached in another way.
 */
async function requireSameServer(
  context: RegionsContext,
  { id, subscriptionMethod }: Region,
  /** Undefined: as it was; null: taken away. */
  changed: { address: ServerAddress | undefined; replication: ServerAddress | null | undefined },
): Promise<ServerProbe | undefined> {
  const known = await regionServer(context, id);
  const replication = changed.replication === undefined ? known.replication : (changed.replication ?? undefined);
  const reachedAt = regionReachedAt(changed.address ?? known.address, replication);
  if (changed.address === undefined) {
    await requireReplicationFit(context, reachedAt, { ...known, subscriptionMethod });
    return undefined;
  }
  return requireFit(context, changed.address, reachedAt, known.systemIdentifier);
}

/** All regions that are not being retired, by key. There are few. */
export function listRegions({ home }: { home: HomeDatabase }): Promise<Region[]> {
  return home.query<Region>(
    "regions.list",
    `select ${COLUMNS} from tenantry.regions r where r.retired_at is null order by r.key`,
  );
}

/** The regions with these keys that are not being retired, in no particular order. */
export function findRegionsByKey({ home }: { home: HomeDatabase }, keys: readonly string[]): Promise<Region[]> {
  return home.query<Region>(
    "regions.get",
    `select ${COLUMNS} from tenantry.regions r where r.key = any($1::text[]) and r.retired_at is null`,
    [keys],
  );
}

/** The region with this key. NOT_FOUND when there is none. */
export async function getRegion(context: { home: HomeDatabase }, key: string): Promise<Region> {
  const [region] = await findRegionsByKey(context, [key]);
  if (region === undefined) throw notFound("Region");
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

/** How to reach the region's server. Holds the password: for opening connections and subscriptions only. */
export async function regionAddress(
  context: Pick<RegionsContext, "home" | "secrets">,
  regionId: string,
): Promise<ServerAddress> {
  return (await regionServer(context, regionId)).address;
}

/** A region's server, and how it is reached. Holds passwords. */
export type RegionServer = {
  /** How this program reaches it. */
  address: ServerAddress;
  /** The address that is for subscriptions only, where there is one. */
  replication: ServerAddress | undefined;
  /** How home's subscriptions reach it. */
  reachedAt: ReplicationAddress;
  systemIdentifier: string;
};

/** The same with which server it is, and how subscriptions reach it. */
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
    sealed: Buffer;
    sealedReplication: Buffer | null;
    systemIdentifier: string;
  }>(
    "regions.addresses",
    `select id, connection_url as sealed, replication_url as "sealedReplication",
            system_identifier as "systemIdentifier"
     from tenantry.regions where id = any($1::uuid[])`,
    [regionIds],
  );
  return new Map(
    rows.map(({ id, sealed, sealedReplication, systemIdentifier }) => {
      const address = parseServerUrl(secrets.open(sealed, id), "connectionUrl");
      const replication =
        sealedReplication === null
          ? undefined
          : parseServerUrl(secrets.open(sealedReplication, replicationSecretOf(id)), "replicationUrl");
      return [id, { address, replication, reachedAt: regionReachedAt(address, replication), systemIdentifier }];
    }),
  );
}
