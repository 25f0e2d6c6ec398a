/** Applies a team's migrations to scratch databases, as home and as a tenant database, and says what would hurt. */
import { randomBytes, randomUUID } from "node:crypto";
import { TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import { parseServerUrl } from "#base/postgres/connection-url";
import type { Database, DatabaseKind } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { withName } from "#base/postgres/prepared-statements";
import { Pools } from "#base/postgres/pools";
import { homeSchemaOf, labelOf, type MigrationSet } from "#engine/migrations/migration-set";
import { protectHome } from "#engine/migrations/protect-home";
import { migrate } from "#engine/migrations/runner";
import { DeclaredTables } from "#engine/tables";
import { ERASE_SQL_STATEMENT, type EraseSql, runEraseSql } from "#engine/erasure/erase-sql";
import type { Project } from "#project/load-project";
import { describeChanges, findChangedFlows, type Manifest, manifestOf } from "#project/manifest";

export type Check = {
  /** What would hurt, one sentence each; empty: the migrations will do. */
  refusals: string[];
  /** What the migrations say; undefined when they could not be applied. */
  manifest: Manifest | undefined;
  /** What is otherwise than in the manifest that is there, one line each. */
  changes: string[];
};

/**
 * Checks a project on the PostgreSQL server of `serverUrl`, in two databases that are dropped afterwards. Throws when the server
 * cannot be reached or used.
 */
export async function checkProject(project: Project, serverUrl: string): Promise<Check> {
  const address = parseServerUrl(serverUrl, "server");
  const pools = new Pools(() => undefined);
  const run = `tenantry_check_${randomBytes(4).toString("hex")}`;
  const [asHome, asTenant, tenantRole] = [`${run}_home`, `${run}_tenant`, `${run}_api`];
  const server = pools.open("server", address, "postgres");
  try {
    for (const name of [asHome, asTenant])
      await server.query("check.create", `create database ${quoteIdentifier(name)} template template0 encoding 'UTF8'`);
    const home = pools.open("home", address, asHome);
    const tenant = pools.open("tenant", address, asTenant);
    const failed =
      (await apply(home, homeSchemaOf(project.tenantSchema), "", project)) ??
      (await apply(tenant, project.tenantSchema, tenantRole, project)) ??
      (await tryEraseSql(home, project.eraseSql)) ??
      (await tryEraseSql(tenant, project.eraseSql));
    if (failed !== undefined) return { refusals: [failed], manifest: undefined, changes: [] };
    return await examine(home, project);
  } finally {
    const roles = [tenantRole, ...(await installationRoles(pools.open("home", address, asHome)))];
    for (const name of [asHome, asTenant]) {
      await pools.closeDatabase(address, name);
      await server.query("check.drop", `drop database if exists ${quoteIdentifier(name)} with (force)`);
    }
    for (const role of roles) await server.query("check.drop", `drop role if exists ${quoteIdentifier(role)}`);
    await pools.close();
  }
}

async function examine(home: Database<"home">, project: Project): Promise<Check> {
  const { tables, gaps } = await DeclaredTables.examine(home, project.tenantSchema);
  if (gaps.length > 0) return { refusals: gaps, manifest: undefined, changes: [] };
  await protectHome(home, tables.served());
  const manifest = manifestOf(project, tables);
  const before = project.manifest ?? { versions: [] };
  const changed = findChangedFlows(before, manifest);
  return {
    refusals: changed === undefined ? [] : [refuseChangedFlows(changed)],
    manifest,
    changes: describeChanges(before, manifest),
  };
}

function refuseChangedFlows({ migration, lines }: { migration: string; lines: string[] }): string {
  return `${migration} lets flow something else than when the manifest was written (${lines.join("; ")}): say it in a new migration. If nobody has run this one yet, delete manifest.json and check again.`;
}

/** Migrates; returns why a migration of the team cannot be applied, in one sentence. */
async function apply<Kind extends DatabaseKind>(
  database: Database<Kind>,
  set: MigrationSet,
  apiRole: string,
  { migrationsName, home }: Project,
): Promise<string | undefined> {
  try {
    await migrate(database, set, apiRole);
    return undefined;
  } catch (error) {
    const done = await database.query<{ count: number }>(
      "check.applied",
      "select count(*)::int as count from tenantry.migrations",
    );
    const failed = set.migrations[done[0]?.count ?? 0];
    if (failed?.part !== "app" && failed?.part !== "app_home") throw error;
    // What we ourselves refuse names the file.
    if (error instanceof TenantryError) return error.message;
    const folder = failed.part === "app" ? migrationsName : home?.name;
    const message = redactedMessage(error).replace(/\.$/, "");
    return `${folder}/${failed.file}${lineOf(error, failed.sql, labelOf(failed))}: ${message}.`;
  }
}

/** Runs it for nobody; returns why it cannot run, in one sentence. */
async function tryEraseSql<Kind extends DatabaseKind>(
  database: Database<Kind>,
  eraseSql: EraseSql | undefined,
): Promise<string | undefined> {
  if (eraseSql === undefined) return undefined;
  try {
    await database.session((session) => runEraseSql(session, eraseSql, randomUUID()));
    return undefined;
  } catch (error) {
    if (error instanceof TenantryError) return error.message;
    const message = redactedMessage(error).replace(/\.$/, "");
    return `${eraseSql.name}${lineOf(error, eraseSql.text, ERASE_SQL_STATEMENT)}: ${message}.`;
  }
}

/** Where in the file PostgreSQL has stopped, as far as it says so. */
function lineOf(error: unknown, sql: string, label: string): string {
  if (typeof error !== "object" || error === null || !("position" in error)) return "";
  // Characters, counted from 1, of what was sent: the statement's name is in front.
  const position = Number(error.position) - withName(label, "").length;
  return Number.isNaN(position) ? "" : ` line ${sql.slice(0, Math.max(0, position)).split("\n").length}`;
}

/** The roles that home's own migrations have made on the server; none where they did not get there. */
async function installationRoles(home: Database<"home">): Promise<string[]> {
  try {
    const rows = await home.query<{ name: string }>(
      "check.roles",
      "select rolname as name from pg_roles, tenantry.installation where starts_with(rolname, 'tenantry_' || id || '_')",
    );
    return rows.map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Refuses a check of nothing. */
export function requireProject(project: Project | undefined): Project {
  if (project !== undefined) return project;
  throw new TenantryError(
    "INVALID_INPUT",
    "There is no tenantry.config.ts here: run tenantry init to make one, or go to the folder that has it.",
  );
}
