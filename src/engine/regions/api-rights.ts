/** What the API's role may do in a database: looked at, and made good where a restore has lost it. */
import { listReplicatedDatabases } from "#engine/home/replicated-databases";
import type { DatabaseKind, HomeDatabase, Queryable } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import type { Pools } from "#base/postgres/pools";
import type { SecretBox } from "#base/kernel/secret-box";
import type { ApiRole } from "#engine/regions/api-role";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";

type Context = { home: HomeDatabase; pools: Pools; secrets: SecretBox; apiRole: ApiRole };

/** One sentence for each right that the role lacks in this database. */
export async function findMissingRights(database: Queryable<DatabaseKind>, role: string): Promise<string[]> {
  const missing = await database.query<{ kind: string; object: string; privileges: string }>(
    "api_rights.missing",
    `select kind, object, string_agg(privilege, ', ' order by privilege) as privileges from tenantry.missing_rights($1)
     group by kind, object order by kind, object limit 100`,
    [role],
  );
  return missing.map(({ kind, object, privileges }) =>
    kind === "role" ? `the role ${role} is missing` : `the role ${role} lacks ${privileges} on ${kind} ${object}`,
  );
}

/**
 * Gives the API's role its rights in the region's tenant databases that do not let it in: those that were restored without their
 * roles. One statement finds them. Returns their names.
 */
export async function mendApiRights(context: Context, regionId: string): Promise<string[]> {
  const { pools, apiRole } = context;
  const address = await regionAddress(context, regionId);
  const server = pools.open("server", address, MAINTENANCE_DATABASE);
  const databases = await listReplicatedDatabases(context, { regionId });
  const closed = await server.query<{ name: string }>(
    "api_rights.closed",
    `select datname as name from pg_catalog.pg_database d
     where datname = any($1::text[]) and not exists (
       select from aclexplode(d.datacl) a join pg_catalog.pg_roles r on r.oid = a.grantee
       where r.rolname = $2 and a.privilege_type = 'CONNECT')`,
    [databases.map(({ database }) => database), apiRole.name],
  );
  for (const { name } of closed) {
    // By default every role of the server may connect to a restored database.
    await server.query("databases.protect", `revoke all on database ${quoteIdentifier(name)} from public`);
    await pools.visit("tenant", address, name, (session) =>
      session.query("api_rights.admit", "select tenantry.admit_api($1)", [apiRole.name]),
    );
  }
  return closed.map(({ name }) => name);
}
