/**
 * Whether a server that says it is home's is. The API's password for a server is made of the server's own identifier, so one
 * that claims home's would be shown home's.
 */
import { randomInt } from "node:crypto";
import { TenantryError } from "#base/kernel/errors";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";

type HomeServer = { homeAddress: ServerAddress; homeDatabaseName: string; homeSystemIdentifier: string; pools: Pools };

const MAX_INT4 = 2_147_483_647;

/**
 * CONFLICT when the server at the address claims home's identifier and is another one. A lock that is held at home is seen
 * in every database of home's server: it has to say the half of the lock's key that it was not told.
 */
export async function requireHonestIdentifier(
  { homeAddress, homeDatabaseName, homeSystemIdentifier, pools }: HomeServer,
  address: ServerAddress,
  claimed: string,
): Promise<void> {
  if (claimed !== homeSystemIdentifier) return;
  const [told, asked] = [randomInt(MAX_INT4), randomInt(MAX_INT4)];
  const said = await pools.visit("home", homeAddress, homeDatabaseName, async (session) => {
    // It ends with the session.
    await session.query("home_server.lock", "select pg_advisory_lock($1::int, $2::int)", [told, asked]);
    return pools.once(address, MAINTENANCE_DATABASE, (server) =>
      server.query<{ said: string }>(
        "home_server.ask",
        `select objid::text as said from pg_catalog.pg_locks
         where locktype = 'advisory' and classid::int8 = $1 limit 2`,
        [told],
      ),
    );
  });
  if (said.length === 1 && said[0]?.said === String(asked)) return;
  throw new TenantryError(
    "CONFLICT",
    "The server says that it is home's, and it is another one. A copy of a server needs an identifier of its own.",
    { field: "connectionUrl" },
  );
}

/** Which server it says that it is, now. */
export async function readSystemIdentifier(server: Queryable<DatabaseKind>): Promise<string> {
  const [row] = await server.query<{ is: unknown }>(
    "home_server.identifier",
    "select system_identifier::text as is from pg_control_system()",
  );
  return String(row?.is);
}
