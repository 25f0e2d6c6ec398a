/** The database on a region's server that new tenant databases are copied from: empty, at the latest tenant schema. */
import { TENANT_SCHEMA } from "#migrations/migration-set";
import { migrate } from "#migrations/runner";
import type { ServerAddress } from "#postgres/connection-url";
import type { ServerDatabase } from "#postgres/database";
import { quoteIdentifier } from "#postgres/identifiers";
import type { Pools } from "#postgres/pools";
import { templateName } from "#replication/names";

// Advisory locks are per database; everyone who makes templates connects to the same maintenance database.
const LOCK_KEY = 7_365_002;
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Makes the template of the latest schema version when it is missing and returns its name. It is built under
 * another name and renamed when whole, so a template that exists is complete.
 */
export async function ensureTemplate(options: {
  pools: Pools;
  server: ServerDatabase;
  address: ServerAddress;
  installation: string;
}): Promise<string> {
  const { server, pools, address } = options;
  const name = templateName(options.installation, TENANT_SCHEMA.latestVersion);
  if (await databaseExists(server, name)) return name;
  await server.session(async (session) => {
    await session.query("template.lock_timeout", `set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await session.query("template.lock", `select pg_advisory_lock(${LOCK_KEY})`);
    if (!(await databaseExists(server, name))) {
      const building = `${name}_new`;
      await session.query("template.drop_rest", `drop database if exists ${quoteIdentifier(building)} with (force)`);
      await session.query(
        "template.create",
        `create database ${quoteIdentifier(building)} template template0 encoding 'UTF8'`,
      );
      await migrate(pools.open("tenant", address, building), TENANT_SCHEMA);
      await pools.closeDatabase(address, building);
      await session.query("template.protect", `revoke all on database ${quoteIdentifier(building)} from public`);
      await session.query(
        "template.rename",
        `alter database ${quoteIdentifier(building)} rename to ${quoteIdentifier(name)}`,
      );
      // Nobody may be connected to a template while it is copied.
      await session.query("template.close", `alter database ${quoteIdentifier(name)} allow_connections false`);
    }
    await session.query("template.unlock", `select pg_advisory_unlock(${LOCK_KEY})`);
    await session.query("template.lock_timeout", "reset lock_timeout");
  });
  return name;
}

export async function databaseExists(server: ServerDatabase, name: string): Promise<boolean> {
  const rows = await server.query("databases.exists", "select from pg_database where datname = $1", [name]);
  return rows.length > 0;
}

/** Drops this installation's templates of every version, when nobody makes one. */
export async function dropTemplates(server: ServerDatabase, installation: string): Promise<void> {
  const prefix = templateName(installation, 0).slice(0, -1);
  const rows = await server.query<{ name: string }>(
    "template.list",
    "select datname as name from pg_database where starts_with(datname, $1)",
    [prefix],
  );
  for (const { name } of rows)
    await server.query("template.drop", `drop database if exists ${quoteIdentifier(name)} with (force)`);
}
