/** The database on a region's server that new tenant databases are copied from: empty, at the latest tenant schema. */
import { describeSchema } from "#engine/migrations/fingerprint";
import { migrate } from "#engine/migrations/runner";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Queryable, ServerDatabase, Session } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { LOCK_CLASS, whileLocked } from "#base/postgres/session-lock";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { prepareToSubscribe } from "#engine/replication/subscription";
import { templateName, templatePrefix } from "#engine/replication/names";
import type { Services } from "#engine/services";

const LOCK_TIMEOUT_MS = 60_000;
/** How long a copy from an old template may keep it from being dropped; it is dropped another time then. */
const DROP_TIMEOUT_MS = 2_000;

/**
 * Makes the template of the latest schema version when it is missing and returns its name. It is built under
 * another name and renamed when whole, so a template that exists is complete. Those of older versions go into it or go.
 */
export async function ensureTemplate(
  services: Services,
  server: ServerDatabase,
  address: ServerAddress,
): Promise<string> {
  const { installation, tenantSchema } = services;
  const name = templateName(installation, tenantSchema.latestVersion);
  if (await databaseExists(server, name)) return name;
  await locked(services, server, address, async (session) => {
    if (await databaseExists(session, name)) return;
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
  await locked(services, server, address, (session) => dropOlder(services, session));
}

/** The lock is at home: whoever waits for it keeps no connection to the region's server from whoever has it. */
function locked(
  { home }: Services,
  server: ServerDatabase,
  { host, port }: ServerAddress,
  work: (session: Session<"server">) => Promise<void>,
): Promise<void> {
  return whileLocked(home, LOCK_CLASS.template, `${host}:${port}`, LOCK_TIMEOUT_MS, () =>
    server.session(async (session) => {
      await work(session);
      await session.query("template.lock_timeout", "reset lock_timeout");
    }),
  );
}

async function build(
  services: Services,
  session: Session<"server">,
  address: ServerAddress,
  name: string,
): Promise<void> {
  const { pools, tenantSchema, apiRole } = services;
  const building = `${name}_new`;
  const quoted = quoteIdentifier(building);
  await session.query("template.drop_rest", `drop database if exists ${quoted} with (force)`);
  const reused = await takeOlder(services, session, building);
  if (!reused) await create(session, building);
  await migrate(pools.open("tenant", address, building), tenantSchema, apiRole.name);
  const isRight = !reused || (await isAsExpected(services, address, building));
  if (isRight) await prepareToSubscribe(pools.open("tenant", address, building));
  await pools.closeDatabase(address, building);
  if (!isRight) {
    await session.query("template.drop_wrong", `drop database ${quoted} with (force)`);
    await create(session, building);
    await migrate(pools.open("tenant", address, building), tenantSchema, apiRole.name);
    await prepareToSubscribe(pools.open("tenant", address, building));
    await pools.closeDatabase(address, building);
  }
  await session.query("template.protect", `revoke all on database ${quoted} from public`);
  await session.query("template.rename", `alter database ${quoted} rename to ${quoteIdentifier(name)}`);
  // Nobody may be connected to a template while it is copied.
  await session.query("template.close", `alter database ${quoteIdentifier(name)} allow_connections false`);
}

async function create(session: Session<"server">, name: string): Promise<void> {
  await session.query("template.create", `create database ${quoteIdentifier(name)} template template0 encoding 'UTF8'`);
}

/**
 * Takes the template of the version before to build on. Making a new one and dropping the old one would be the same, but
 * DROP DATABASE forces a checkpoint, which all tenants of the server feel; and it took longer than the migration of 60
 * databases. False when there is none, or it is being copied.
 */
async function takeOlder(services: Services, session: Session<"server">, building: string): Promise<boolean> {
  const newest = (await listOlder(services, session)).findLast(({ whole }) => whole);
  if (newest === undefined) return false;
  try {
    await session.query("template.lock_timeout", `set lock_timeout = ${DROP_TIMEOUT_MS}`);
    const [from, to] = [quoteIdentifier(newest.name), quoteIdentifier(building)];
    await session.query("template.take", `alter database ${from} rename to ${to}`);
    await session.query("template.open", `alter database ${to} allow_connections true`);
    return true;
  } catch (error) {
    if (!isInUse(error)) throw error;
    return false;
  }
}

/** Whether a template that was migrated is what a new one would be; where that is not known, it is taken to be. */
async function isAsExpected({ pools, tenantSchema }: Services, address: ServerAddress, name: string): Promise<boolean> {
  const expected = tenantSchema.expected?.(tenantSchema.latestVersion);
  if (expected === undefined) return true;
  return (await describeSchema(pools.open("tenant", address, name))).fingerprint === expected.fingerprint;
}

/**
 * Drops this installation's templates of older versions. CREATE DATABASE holds a lock on its template until the copy is
 * done, so one that is being copied is waited for, and left when that takes too long. An older program that still runs
 * makes its own again when it needs it.
 */
async function dropOlder(services: Services, session: Session<"server">): Promise<void> {
  const older = await listOlder(services, session);
  await session.query("template.lock_timeout", `set lock_timeout = ${DROP_TIMEOUT_MS}`);
  for (const { name } of older)
    try {
      await session.query("template.drop", `drop database if exists ${quoteIdentifier(name)}`);
    } catch (error) {
      if (!isInUse(error)) throw error;
    }
}

/** Templates of older versions, the newest last. With the lock held nobody builds one, so what is not whole is a rest. */
async function listOlder(
  { installation, tenantSchema }: Services,
  session: Session<"server">,
): Promise<{ name: string; version: number; whole: boolean }[]> {
  return (await listTemplates(session, installation))
    .flatMap((name) => {
      const [, version, rest] = /^(\d+)(_new)?$/.exec(name.slice(templatePrefix(installation).length)) ?? [];
      return version === undefined ? [] : [{ name, version: Number(version), whole: rest === undefined }];
    })
    .filter(({ version }) => version < tenantSchema.latestVersion)
    .toSorted((a, b) => a.version - b.version);
}

async function listTemplates(server: Queryable<"server">, installation: string): Promise<string[]> {
  const rows = await server.query<{ name: string }>(
    "template.list",
    "select datname as name from pg_database where starts_with(datname, $1)",
    [templatePrefix(installation)],
  );
  return rows.map(({ name }) => name);
}

function isInUse(error: unknown): boolean {
  const state = sqlState(error);
  return state === SQL_STATE.lockNotAvailable || state === SQL_STATE.objectInUse;
}

export async function databaseExists(server: Queryable<"server">, name: string): Promise<boolean> {
  const rows = await server.query("databases.exists", "select from pg_database where datname = $1", [name]);
  return rows.length > 0;
}

/** Drops this installation's templates of every version, when nobody makes one. */
export async function dropTemplates(server: ServerDatabase, installation: string): Promise<void> {
  for (const name of await listTemplates(server, installation))
    await server.query("template.drop", `drop database if exists ${quoteIdentifier(name)} with (force)`);
}
