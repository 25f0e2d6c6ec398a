/** The database on a region's server that new tenant databases are copied from: empty, at the latest tenant schema. */
import { migrate } from "#migrations/runner";
import type { ServerAddress } from "#postgres/connection-url";
import type { ServerDatabase, Session } from "#postgres/database";
import { quoteIdentifier } from "#postgres/identifiers";
import { SQL_STATE, sqlState } from "#postgres/sql-state";
import { templateName } from "#replication/names";
import type { Services } from "#operations/services";

// Advisory locks are per database; everyone who makes templates connects to the same maintenance database.
const LOCK_KEY = 7_365_002;
const LOCK_TIMEOUT_MS = 60_000;
/** How long a copy from an old template may keep it from being dropped; it is dropped another time then. */
const DROP_TIMEOUT_MS = 2_000;

/**
 * Makes the template of the latest schema version when it is missing and returns its name. It is built under
 * another name and renamed when whole, so a template that exists is complete. Those of older versions go.
 */
export async function ensureTemplate(
  services: Services,
  server: ServerDatabase,
  address: ServerAddress,
): Promise<string> {
  const { installation, tenantSchema } = services;
  const name = templateName(installation, tenantSchema.latestVersion);
  if (await databaseExists(server, name)) return name;
  await locked(server, async (session) => {
    if (await databaseExists(server, name)) return;
    await build(services, session, address, name);
    await dropOlder(services, session);
  });
  return name;
}

/** The same after a migration, when the template may be there already and older ones too. */
export async function refreshTemplates(
  services: Services,
  server: ServerDatabase,
  address: ServerAddress,
): Promise<void> {
  await ensureTemplate(services, server, address);
  await locked(server, (session) => dropOlder(services, session));
}

function locked(server: ServerDatabase, work: (session: Session<"server">) => Promise<void>): Promise<void> {
  return server.session(async (session) => {
    await session.query("template.lock_timeout", `set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await session.query("template.lock", `select pg_advisory_lock(${LOCK_KEY})`);
    await work(session);
    await session.query("template.unlock", `select pg_advisory_unlock(${LOCK_KEY})`);
    await session.query("template.lock_timeout", "reset lock_timeout");
  });
}

async function build(
  { pools, tenantSchema }: Services,
  session: Session<"server">,
  address: ServerAddress,
  name: string,
): Promise<void> {
  const building = `${name}_new`;
  await session.query("template.drop_rest", `drop database if exists ${quoteIdentifier(building)} with (force)`);
  await session.query(
    "template.create",
    `create database ${quoteIdentifier(building)} template template0 encoding 'UTF8'`,
  );
  await migrate(pools.open("tenant", address, building), tenantSchema);
  await pools.closeDatabase(address, building);
  await session.query("template.protect", `revoke all on database ${quoteIdentifier(building)} from public`);
  await session.query(
    "template.rename",
    `alter database ${quoteIdentifier(building)} rename to ${quoteIdentifier(name)}`,
  );
  // Nobody may be connected to a template while it is copied.
  await session.query("template.close", `alter database ${quoteIdentifier(name)} allow_connections false`);
}

/**
 * Drops this installation's templates of older versions. CREATE DATABASE holds a lock on its template until the copy is
 * done, so one that is being copied is waited for, and left when that takes too long. An older program that still runs
 * makes its own again when it needs it.
 */
async function dropOlder({ installation, tenantSchema }: Services, session: Session<"server">): Promise<void> {
  const prefix = templateName(installation, 0).slice(0, -1);
  const found = await session.query<{ name: string }>(
    "template.older",
    "select datname as name from pg_database where starts_with(datname, $1)",
    [prefix],
  );
  // With the lock held nobody builds one, so what is half-built is a rest.
  const older = found.filter(({ name }) => {
    const version = /^(\d+)(_new)?$/.exec(name.slice(prefix.length))?.[1];
    return version !== undefined && Number(version) < tenantSchema.latestVersion;
  });
  await session.query("template.lock_timeout", `set lock_timeout = ${DROP_TIMEOUT_MS}`);
  for (const { name } of older)
    try {
      await session.query("template.drop", `drop database if exists ${quoteIdentifier(name)}`);
    } catch (error) {
      const state = sqlState(error);
      if (state !== SQL_STATE.lockNotAvailable && state !== SQL_STATE.objectInUse) throw error;
    }
}

export async function databaseExists(server: ServerDatabase, name: string): Promise<boolean> {
  const rows = await server.query("databases.exists", "select from pg_database where datname = $1", [name]);
  return rows.length > 0;
}
