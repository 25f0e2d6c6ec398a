/**
 * Subscriptions on the servers that hold something else than a link's credential for the gateway: a mistake, or somebody's
 * work, that would give one server's administrator the run of another server. The servers compare for themselves, so that no
 * password is sent. Reads only.
 */
import { listRegions, regionAddress } from "#directory/regions";
import { MAINTENANCE_DATABASE } from "#directory/server-probe";
import type { DatabaseKind, Queryable } from "#postgres/database";
import { isConnectionFailure } from "#postgres/sql-state";
import { namePrefix } from "#replication/names";
import type { Services } from "#operations/services";

/** What was found on one server. */
export type StrangeCredential = {
  /** A region's key, or `home`. */
  server: string;
  /** In one sentence, without a secret. */
  sentence: string;
};

/** Looks at every server that can be reached. One whose role may not read connection strings is left out. */
export async function findStrangeCredentials(services: Services): Promise<StrangeCredential[]> {
  const { home, pools } = services;
  const found = await lookAt(services, "home", home);
  for (const { id, key } of await listRegions(services)) {
    try {
      const address = await regionAddress(services, id);
      found.push(...(await lookAt(services, key, pools.open("server", address, MAINTENANCE_DATABASE))));
    } catch (error) {
      // A server that is away is the health's to report.
      if (!isConnectionFailure(error)) throw error;
    }
  }
  return found;
}

async function lookAt(services: Services, server: string, look: Queryable<DatabaseKind>): Promise<StrangeCredential[]> {
  if (!(await mayRead(look))) return [];
  const { installation, homeAddress, homeDatabaseName } = services;
  const rows = await look.query<{ name: string; database: string }>(
    "credentials.find",
    // A link's subscription signs in as the link and nothing else; any other one must not lead to home's database.
    `select left(s.subname, 100) as name, left(d.datname, 100) as database
     from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
     where case when starts_with(s.subname, $1) or starts_with(d.datname, $1)
             then position(' user=''' || s.subname || ''' ' in ' ' || s.subconninfo || ' ') = 0
             else position($2 in replace(s.subconninfo, '''', '')) > 0
               and position('port=' || $3 in replace(s.subconninfo, '''', '')) > 0
               and position('dbname=' || $4 in replace(s.subconninfo, '''', '')) > 0 end
     order by s.subname limit 100`,
    [namePrefix(installation), homeAddress.host, String(homeAddress.port), homeDatabaseName],
  );
  return rows.map(({ name, database }) => ({
    server,
    sentence: `The subscription ${name} in the database ${database} holds another credential than the gateway's. Drop it, and change the password that it held.`,
  }));
}

/** Superusers may, and roles that were granted it. */
async function mayRead(look: Queryable<DatabaseKind>): Promise<boolean> {
  const [row] = await look.query<{ may: boolean }>(
    "credentials.right",
    "select has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'select') as may",
  );
  return row?.may === true;
}
