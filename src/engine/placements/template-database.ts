/** The database on a region's server that new tenant databases are copied from: empty, at the latest tenant schema. */
import { findReference, keepReference } from "#engine/home/reference-schemas";
import {
  type ActualSchema,
  describeLines,
  describeSchema,
  digestOf,
  type SchemaDescription,
} from "#engine/migrations/fingerprint";
import type { Migration } from "#engine/migrations/migration-set";
import { isBeyond, isSameVersion, latestOf, type SchemaVersion, totalOf } from "#engine/migrations/schema-version";
import { appliedOf, migrate } from "#engine/migrations/runner";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Queryable, ServerDatabase, Session } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { LOCK_CLASS, whileLocked } from "#base/postgres/session-lock";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { prepareToSubscribe } from "#engine/replication/subscription";
import { referenceName, templateName, templatePrefix } from "#engine/replication/names";
import type { Services } from "#engine/services";

const LOCK_TIMEOUT_MS = 60_000;
/** How long a copy from an old template may keep it from being dropped; it is dropped another time then. */
const DROP_TIMEOUT_MS = 2_000;

/** A region's server, and which region it is. */
export type RegionServerAt = { readonly regionId: string; readonly address: ServerAddress };

/**
 * Makes the template of the latest schema version when it is missing or cannot be copied, and returns its name. It is built under
 * another name and renamed when whole, so a template that exists is complete. Those of older versions go into it or go.
 */
export async function ensureTemplate(
  services: Services,
  server: ServerDatabase,
  region: RegionServerAt,
): Promise<string> {
  const { installation, tenantSchema } = services;
  const name = templateName(installation, latestOf(tenantSchema));
  if ((await lookAt(server, name)) === "FIT") return name;
  await locked(services, server, region, async (session) => {
    const found = await lookAt(session, name);
    if (found === "FIT") return;
    if (found === "UNFIT")
      await session.query("template.drop_unfit", `drop database ${quoteIdentifier(name)} with (force)`);
    await build(services, session, region, name);
    await dropOlder(services, session);
  });
  return name;
}

/** The same after a migration, when the template may be there already and older ones too. */
export async function refreshTemplates(
  services: Services,
  server: ServerDatabase,
  region: RegionServerAt,
): Promise<void> {
  await ensureTemplate(services, server, region);
  if ((await listOlder(services, server)).length === 0) return;
  await locked(services, server, region, (session) => dropOlder(services, session));
}

/**
 * What these migrations make of a new database on the region's server: in one that is dropped afterwards, which makes the server
 * write out what it has in memory. Home keeps the answer.
 */
export async function makeReference(
  services: Services,
  server: ServerDatabase,
  region: RegionServerAt,
  migrations: readonly Migration[],
): Promise<SchemaDescription> {
  const { pools, installation, apiRole } = services;
  const name = referenceName(installation);
  const drop = `drop database if exists ${quoteIdentifier(name)} with (force)`;
  let made: ActualSchema | undefined;
  await locked(services, server, region, async (session) => {
    await session.query("reference.drop_rest", drop);
    await create(session, name);
    const database = pools.open("tenant", region.address, name);
    try {
      await migrate(database, { migrations, latestVersion: migrations.length }, apiRole.name);
      made = await describeSchema(database);
    } finally {
      await pools.closeDatabase(region.address, name);
      await session.query("reference.drop", drop);
    }
  });
  if (made === undefined) throw new Error("the schema was not read");
  await keep(services, region, migrations, made);
  return made;
}

async function keep(
  services: Services,
  { regionId }: RegionServerAt,
  migrations: readonly Migration[],
  { lines, serverVersion }: ActualSchema,
): Promise<void> {
  await keepReference(
    services,
    { regionId, digest: digestOf(migrations, services.apiRole.name), serverVersion },
    lines,
  );
}

/** The lock is at home: whoever waits for it keeps no connection to the region's server from whoever has it. */
function locked(
  { home }: Services,
  server: ServerDatabase,
  { address: { host, port } }: RegionServerAt,
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
  region: RegionServerAt,
  name: string,
): Promise<void> {
  const { pools, tenantSchema, apiRole } = services;
  const { address } = region;
  const building = `${name}_new`;
  const quoted = quoteIdentifier(building);
  await session.query("template.drop_rest", `drop database if exists ${quoted} with (force)`);
  if (!(await takeOlder(services, session, region, building))) await create(session, building);
  const database = pools.open("tenant", address, building);
  await migrate(database, tenantSchema, apiRole.name);
  await keep(services, region, tenantSchema.migrations, await describeSchema(database));
  await prepareToSubscribe(database);
  await pools.closeDatabase(address, building);
  await close(session, building, apiRole.name);
  await session.query("template.rename", `alter database ${quoted} rename to ${quoteIdentifier(name)}`);
}

/**
 * Nobody may be connected to a template while it is copied, and nobody is to change it. A limit of 0 keeps out everybody but
 * superusers, the owner too. With ALLOW_CONNECTIONS false it would keep out pg_upgrade, which then refuses the whole server.
 */
async function close(session: Session<"server">, name: string, apiRole: string): Promise<void> {
  const quoted = quoteIdentifier(name);
  await session.script(
    "template.close",
    `revoke all on database ${quoted} from public, ${quoteIdentifier(apiRole)};
     alter database ${quoted} connection limit 0`,
  );
}

/**
 * Whether a template of this name can be copied. One that cannot is made anew: it is empty, and this program's. A collation that
 * has another version than when the template was made, as after an upgrade of the system, makes every copy fail; so does a drop
 * that was interrupted.
 */
async function lookAt(server: Queryable<"server">, name: string): Promise<"MISSING" | "FIT" | "UNFIT"> {
  const [row] = await server.query<{ fit: boolean }>(
    "template.look",
    `select coalesce(datallowconn and datconnlimit = 0 and pg_encoding_to_char(encoding) = 'UTF8'
                     and (datcollversion is null or datcollversion = pg_database_collation_actual_version(oid)), false) as fit
     from pg_catalog.pg_database where datname = $1`,
    [name],
  );
  if (row === undefined) return "MISSING";
  return row.fit ? "FIT" : "UNFIT";
}

async function create(session: Session<"server">, name: string): Promise<void> {
  await session.query("template.create", `create database ${quoteIdentifier(name)} template template0 encoding 'UTF8'`);
}

/**
 * Takes the template of the version before to build on. Making a new one and dropping the old one would be the same, but
 * DROP DATABASE forces a checkpoint, which all tenants of the server feel; and it took longer than the migration of 60
 * databases. False when there is none, when it is being copied, or when somebody has changed it: tenant databases are compared
 * with what it becomes.
 */
async function takeOlder(
  services: Services,
  session: Session<"server">,
  region: RegionServerAt,
  building: string,
): Promise<boolean> {
  const newest = (await listOlder(services, session)).findLast(({ whole }) => whole);
  if (newest === undefined || (await lookAt(session, newest.name)) !== "FIT") return false;
  try {
    await session.query("template.lock_timeout", `set lock_timeout = ${DROP_TIMEOUT_MS}`);
    const [from, to] = [quoteIdentifier(newest.name), quoteIdentifier(building)];
    await session.query("template.take", `alter database ${from} rename to ${to}`);
    await session.query("template.open", `alter database ${to} connection limit -1`);
  } catch (error) {
    if (!isInUse(error)) throw error;
    return false;
  }
  if (await isUntouched(services, region, building)) return true;
  await services.pools.closeDatabase(region.address, building);
  await session.query("template.drop_wrong", `drop database ${quoteIdentifier(building)} with (force)`);
  return false;
}

/** Whether a template is what it was when it was made. */
async function isUntouched(services: Services, { regionId, address }: RegionServerAt, name: string): Promise<boolean> {
  const { pools, tenantSchema, apiRole } = services;
  const { applied, serverVersion, fingerprint } = await describeSchema(pools.open("tenant", address, name));
  const digest = digestOf(appliedOf(applied, tenantSchema), apiRole.name);
  const lines = await findReference(services, { regionId, digest, serverVersion });
  return lines !== undefined && describeLines(lines).fingerprint === fingerprint;
}

/**
 * Drops this installation's templates of older versions. CREATE DATABASE holds a lock on its template until the copy is
 * done, so one that is being copied is waited for, and left when that takes too long. An older program that still runs
 * makes its own again when it needs it.
 */
async function dropOlder(services: Services, session: Session<"server">): Promise<void> {
  const older = await listOlder(services, session);
  if (older.length === 0) return;
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
  session: Queryable<"server">,
): Promise<{ name: string; version: SchemaVersion; whole: boolean }[]> {
  const latest = latestOf(tenantSchema);
  return (await listTemplates(session, installation))
    .flatMap((name) => {
      const [, engine, app, rest] = /^(\d+)_(\d+)(_new)?$/.exec(name.slice(templatePrefix(installation).length)) ?? [];
      if (engine === undefined || app === undefined) return [];
      return [{ name, version: { engine: Number(engine), app: Number(app) }, whole: rest === undefined }];
    })
    .filter(({ version }) => !isBeyond(version, latest) && !isSameVersion(version, latest))
    .toSorted((a, b) => totalOf(a.version) - totalOf(b.version));
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
