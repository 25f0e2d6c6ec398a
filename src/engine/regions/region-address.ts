/** How regions' servers are reached. */
import { notFound } from "#base/kernel/errors";
import { parseServerUrl, type ServerAddress } from "#base/postgres/connection-url";
import type { SecretBox } from "#base/kernel/secret-box";
import type { HomeDatabase } from "#base/postgres/database";

type Context = { home: HomeDatabase; secrets: SecretBox };

/** How to reach the region's server. Holds the password: for opening connections only. */
export async function regionAddress(context: Context, regionId: string): Promise<ServerAddress> {
  return (await regionServer(context, regionId)).address;
}

/** A region's server, and how it is reached. Holds the password. */
export type RegionServer = { key: string; address: ServerAddress; systemIdentifier: string };

/** The same with which server it is. */
export async function regionServer(context: Context, regionId: string): Promise<RegionServer> {
  const server = (await regionServers(context, [regionId])).get(regionId);
  if (server === undefined) throw notFound("Region");
  return server;
}

/** Those that there are. */
export async function regionServers(
  { home, secrets }: Context,
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
      {
        key,
        address: { ...parseServerUrl(secrets.open(sealed, id), "connectionUrl"), region: key },
        systemIdentifier,
      },
    ]),
  );
}
