/** The database on a region's server that new tenant databases are copied from: empty, at the latest tenant schema. */
import type { Applied } from "#engine/migrations/applied";
import { findReference, keepReference } from "#engine/home/reference-schemas";
import {
  type ActualSchema,
  DESCRIBE_SCRIPT,
  describedIn,
  describeLines,
  describeSchema,
  digestOf,
  type SchemaDescription,
} from "#engine/migrations/fingerprint";
import type { Migration } from "#engine/migrations/migration-set";
import { isBeyond, isSameVersion, latestOf, type SchemaVersion, totalOf } from "#engine/migrations/schema-version";
import { appliedOf, migrateAtOnce } from "#engine/migrations/runner";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Queryable, ServerDatabase, Session, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { LOCK_CLASS, whileLocked } from "#base/postgres/session-lock";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { learnStrategy } from "#engine/replication/choose-subscription-strategy";
import { prepareToSubscribe } from "#engine/replication/subscription";
import { referenceName, templateName, templatePrefix } from "#engine/replication/names";
import type { Services } from "#engine/services";

const LOCK_TIMEOUT_MS = 60_000;
/** How long a copy from an old template may keep it from being dropped; it is dropped another time then. */
const DROP_TIMEOUT_MS = 2_000;

/** A region's server, and which region it is. */
export type RegionServerAt = { readonly regionId: string; readonly address: ServerAddress };

/** A template of this installation as the server has it, in any version. */
export type TemplateSeen = { name: string; isFit: boolean };

/**
 * Makes the template of the latest schema version when it is missing or cannot be copied, and returns its name. It is built under
 * another name and renamed when whole, so a template that exists is complete. Those of older versions go into it or go. `seen`:
 * what the server has said a moment ago.
 */
export async function ensureTemplate(
  services: Pick<Services, "apiRole" | "home" | "installation" | "pools" | "tenantSchema">,
  server: ServerDatabase,
  region: RegionServerAt,
  seen?: readonly TemplateSeen[],
): Promise<string> {
  const { installation, tenantSchema } = services;
  const name = templateName(installation, latestOf(tenantSchema));
  const before = seen ?? (await listTemplates(server, installation));
  if (before.some((one) => one.name === name && one.isFit)) return name;
  await locked(services, server, region, async (session) => {
    const { left, isMade } = await makeMissing(services, session, region, await listTemplates(session, installation));
    if (isMade) await dropOlder(services, session, left);
  });
  return name;
}

/** The same after a migration, when the template may be there already and older ones too. Returns the server's version. */
export async function refreshTemplates(
  services: Pick<Services, "apiRole" | "home" | "installation" | "pools" | "tenantSchema">,
  server: ServerDatabase,
  region: RegionServerAt,
): Promise<number> {
  let serverVersion = 0;
  await locked(services, server, region, async (session) => {
    const [templates = [], versions = []] = await session.batch("template.list", [
      templatesStatement(services.installation),
      { text: "select current_setting('server_version_num')::int as version" },
    ]);
    serverVersion = (versions as { version: number }[])[0]?.version ?? 0;
    const { left } = await makeMissing(services, session, region, templates as TemplateSeen[]);
    await dropOlder(services, session, left);
  });
  return serverVersion;
}

/** Makes the template of the latest version where it is not there and fit. Returns the others that are left of those that there were. */
async function makeMissing(
  services: Pick<Services, "apiRole" | "home" | "installation" | "pools" | "tenantSchema">,
  session: Session<"server">,
  region: RegionServerAt,
  templates: readonly TemplateSeen[],
): Promise<{ left: readonly TemplateSeen[]; isMade: boolean }> {
  const name = templateName(services.installation, latestOf(services.tenantSchema));
  const found = templates.find((one) => one.name === name);
  if (found?.isFit === true) return { left: templates, isMade: false };
  if (found !== undefined)
    await session.query("template.drop_unfit", `drop database ${quoteIdentifier(name)} with (force)`);
  return { left: await build(services, session, region, name, templates), isMade: true };
}

/**
 * What these migrations make of a new database on the region's server: in one that is dropped afterwards, which makes the server
 * write out what it has in memory. Home keeps the answer.
 */
export async function makeReference(
  services: Pick<Services, "apiRole" | "home" | "installation" | "pools">,
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
      const set = { migrations, latestVersion: migrations.length };
      made = describedIn(await migrateAtOnce(database, { set, apiRole: apiRole.name, applied: [] }, DESCRIBE_SCRIPT));
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
  services: Pick<Services, "apiRole" | "home">,
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
  { home }: Pick<Services, "home">,
  server: ServerDatabase,
  { address: { host, port } }: RegionServerAt,
  work: (session: Session<"server">) => Promise<void>,
): Promise<void> {
  return whileLocked(home, LOCK_CLASS.template, `${host}:${port}`, LOCK_TIMEOUT_MS, () => server.session(work));
}

/** Returns the other templates that are left, of those that there were. */
async function build(
  services: Pick<Services, "apiRole" | "home" | "installation" | "pools" | "tenantSchema">,
  session: Session<"server">,
  region: RegionServerAt,
  name: string,
  templates: readonly TemplateSeen[],
): Promise<readonly TemplateSeen[]> {
  const { pools, tenantSchema, apiRole } = services;
  const { address } = region;
  const building = `${name}_new`;
  if (templates.some((one) => one.name === building))
    await session.query("template.drop_rest", `drop database if exists ${quoteIdentifier(building)} with (force)`);
  const taken = await takeOlder(services, session, region, building, templates);
  if (taken === undefined) await create(session, building);
  const database = pools.open("tenant", address, building);
  const [made] = await Promise.all([
    migrateAtOnce(
      database,
      { set: tenantSchema, apiRole: apiRole.name, applied: taken?.applied ?? [] },
      DESCRIBE_SCRIPT,
    ).then(describedIn),
    learnAhead(database),
  ]);
  await keep(services, region, tenantSchema.migrations, made);
  await prepareToSubscribe(database);
  await pools.closeDatabase(address, building);
  await close(session, { from: building, to: name }, apiRole.name);
  return templates.filter((one) => one.name !== taken?.name && one.name !== building && one.name !== name);
}

/** On a connection of its own, beside what takes one anyway. Where it cannot be learned, whatever asks for it next says so. */
function learnAhead(database: TenantDatabase): Promise<void> {
  return learnStrategy(database).catch(() => undefined);
}

/**
 * Nobody may be connected to a template while it is copied, and nobody is to change it. A limit of 0 keeps out everybody but
 * superusers, the owner too. With ALLOW_CONNECTIONS false it would keep out pg_upgrade, which then refuses the whole server.
 */
async function close(
  session: Session<"server">,
  { from, to }: { from: string; to: string },
  apiRole: string,
): Promise<void> {
  const quoted = quoteIdentifier(from);
  // One message, as the server may be far away, and one transaction.
  await session.script(
    "template.close",
    `revoke all on database ${quoted} from public, ${quoteIdentifier(apiRole)};
     alter database ${quoted} connection limit 0;
     alter database ${quoted} rename to ${quoteIdentifier(to)}`,
  );
}

async function create(session: Session<"server">, name: string): Promise<void> {
  await session.query("template.create", `create database ${quoteIdentifier(name)} template template0 encoding 'UTF8'`);
}

/**
 * Takes the template of the version before to build on. Making a new one and dropping the old one would be the same, but
 * DROP DATABASE forces a checkpoint, which all tenants of the server feel; and it took longer than the migration of 60
 * databases. Returns what it had; undefined when there is none, when it is being copied, or when somebody has changed it: tenant
 * databases are compared with what it becomes.
 */
async function takeOlder(
  services: Pick<Services, "apiRole" | "home" | "installation" | "pools" | "tenantSchema">,
  session: Session<"server">,
  region: RegionServerAt,
  building: string,
  templates: readonly TemplateSeen[],
): Promise<{ name: string; applied: readonly Applied[] } | undefined> {
  const newest = olderOf(services, templates).findLast(({ whole }) => whole);
  if (newest === undefined || !newest.isFit) return undefined;
  try {
    const [from, to] = [quoteIdentifier(newest.name), quoteIdentifier(building)];
    await session.script(
      "template.take",
      `set local lock_timeout = ${DROP_TIMEOUT_MS};
       alter database ${from} rename to ${to};
       alter database ${to} connection limit -1`,
    );
  } catch (error) {
    if (!isInUse(error)) throw error;
    return undefined;
  }
  const [{ isUntouched, applied }] = await Promise.all([
    lookAtTemplate(services, region, building),
    learnAhead(services.pools.open("tenant", region.address, building)),
  ]);
  if (isUntouched) return { name: newest.name, applied };
  await services.pools.closeDatabase(region.address, building);
  await session.query("template.drop_wrong", `drop database ${quoteIdentifier(building)} with (force)`);
  return undefined;
}

/** What a template has, and whether that is what it had when it was made. */
async function lookAtTemplate(
  services: Pick<Services, "apiRole" | "home" | "pools" | "tenantSchema">,
  { regionId, address }: RegionServerAt,
  name: string,
): Promise<{ isUntouched: boolean; applied: readonly Applied[] }> {
  const { pools, tenantSchema, apiRole } = services;
  const { applied, serverVersion, fingerprint } = await describeSchema(pools.open("tenant", address, name));
  const digest = digestOf(appliedOf(applied, tenantSchema), apiRole.name);
  const lines = await findReference(services, { regionId, digest, serverVersion });
  return { isUntouched: lines !== undefined && describeLines(lines).fingerprint === fingerprint, applied };
}

/**
 * Drops this installation's templates of older versions. CREATE DATABASE holds a lock on its template until the copy is
 * done, so one that is being copied is waited for, and left when that takes too long. An older program that still runs
 * makes its own again when it needs it.
 */
async function dropOlder(
  services: Pick<Services, "installation" | "tenantSchema">,
  session: Session<"server">,
  templates: readonly TemplateSeen[],
): Promise<void> {
  const older = olderOf(services, templates);
  if (older.length === 0) return;
  await session.query("template.lock_timeout", `set lock_timeout = ${DROP_TIMEOUT_MS}`);
  for (const { name } of older)
    try {
      await session.query("template.drop", `drop database if exists ${quoteIdentifier(name)}`);
    } catch (error) {
      if (!isInUse(error)) throw error;
    }
  await session.query("template.lock_timeout", "reset lock_timeout");
}

/** Templates of older versions, the newest last. With the lock held nobody builds one, so what is not whole is a rest. */
function olderOf(
  { installation, tenantSchema }: Pick<Services, "installation" | "tenantSchema">,
  templates: readonly TemplateSeen[],
): (TemplateSeen & { version: SchemaVersion; whole: boolean })[] {
  const latest = latestOf(tenantSchema);
  return templates
    .flatMap((one) => {
      const [, engine, app, rest] =
        /^(\d+)_(\d+)(_new)?$/.exec(one.name.slice(templatePrefix(installation).length)) ?? [];
      if (engine === undefined || app === undefined) return [];
      return [{ ...one, version: { engine: Number(engine), app: Number(app) }, whole: rest === undefined }];
    })
    .filter(({ version }) => !isBeyond(version, latest) && !isSameVersion(version, latest))
    .toSorted((a, b) => totalOf(a.version) - totalOf(b.version));
}

function listTemplates(server: Queryable<"server">, installation: string): Promise<TemplateSeen[]> {
  const { text, values } = templatesStatement(installation);
  return server.query<TemplateSeen>("template.list", text, values);
}

/**
 * All of this installation, and whether each can be copied. One that cannot is made anew: it is empty, and this program's. A
 * collation that has another version than when the template was made, as after an upgrade of the system, makes every copy fail; so
 * does a drop that was interrupted. To go in one message with others.
 */
export function templatesStatement(installation: string): { text: string; values: string[] } {
  return {
    text: `select datname as name, coalesce(datallowconn and datconnlimit = 0 and pg_encoding_to_char(encoding) = 'UTF8'
             and (datcollversion is null or datcollversion = pg_database_collation_actual_version(oid)), false) as "isFit"
           from pg_catalog.pg_database where starts_with(datname, $1)`,
    values: [templatePrefix(installation)],
  };
}

function isInUse(error: unknown): boolean {
  const state = sqlState(error);
  return state === SQL_STATE.lockNotAvailable || state === SQL_STATE.objectInUse;
}

/** Drops this installation's templates of every version, when nobody makes one. */
export async function dropTemplates(server: ServerDatabase, installation: string): Promise<void> {
  for (const { name } of await listTemplates(server, installation))
    await server.query("template.drop", `drop database if exists ${quoteIdentifier(name)} with (force)`);
}
