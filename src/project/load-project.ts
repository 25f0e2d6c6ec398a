/** Finds a team's `tenantry.config.ts`, checks it, and reads the migrations that it names. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { TenantryError } from "#base/kernel/errors";
import { type EraseSql, readEraseSql } from "#engine/erasure/erase-sql";
import { type InvitationTemplate, readInvitationTemplate } from "#engine/people/invitation-template";
import { loadMigrations, type Migration, type MigrationSet, tenantSchemaOf } from "#engine/migrations/migration-set";
import type { TenantryConfig } from "#project/define-config";
import { type Manifest, readManifest, refuseOtherMigrations } from "#project/manifest";

/** A folder with a configuration in it, and what that leads to. */
export type Project = {
  /** Where the configuration is. */
  readonly folder: string;
  /** Its name, for messages. */
  readonly configFile: string;
  /** The folder of the migrations, and how it is called in messages: seen from the project's folder. */
  readonly migrationsFolder: string;
  readonly migrationsName: string;
  /** The team's own migrations, in their order. */
  readonly migrations: readonly Migration[];
  /** The same of the tables that are at home only; undefined: the configuration names no folder. */
  readonly home: { readonly name: string; readonly migrations: readonly Migration[] } | undefined;
  /** What home and tenant databases are brought to. */
  readonly tenantSchema: MigrationSet;
  /** What erasing somebody does to the team's tables; undefined: no more than the columns' declarations say. */
  readonly eraseSql: EraseSql | undefined;
  /** The team's letter of invitation; undefined: the one that ships. */
  readonly invitationTemplate: InvitationTemplate | undefined;
  /** Files with what the team adds to the API, as the configuration names them. */
  readonly modules: readonly string[];
  /** What `tenantry check` has written down; undefined: nothing yet. */
  readonly manifest: Manifest | undefined;
};

const CONFIG_FILES = ["tenantry.config.ts", "tenantry.config.mjs", "tenantry.config.js"];

const configSchema = z.strictObject({
  migrations: z.strictObject({ tenant: z.string().min(1), home: z.string().min(1).optional() }),
  modules: z.array(z.string().min(1)).max(100).optional(),
  erase: z.string().min(1).optional(),
  invitation: z.strictObject({ text: z.string().min(1), html: z.string().min(1).optional() }).optional(),
});

/**
 * The project in a folder; undefined: it has no configuration, so the app that ships is used. Throws INVALID_INPUT in one
 * sentence when the configuration or the names of the migrations are wrong.
 */
export async function findProject(folder: string): Promise<Project | undefined> {
  const found = CONFIG_FILES.filter((name) => existsSync(join(folder, name)));
  const [configFile, second] = found;
  if (configFile === undefined) return undefined;
  if (second !== undefined) throw wrong(`${configFile} and ${second} are both in ${folder}: keep one of them`);
  const { migrations: folders, modules = [], erase, invitation } = await readConfigFile(folder, configFile);
  const migrationsFolder = resolve(folder, folders.tenant);
  const migrationsName = nameOf(folder, migrationsFolder);
  const migrations = readMigrations("app", migrationsFolder, `${configFile}: migrations.tenant`);
  const home = folders.home === undefined ? undefined : readHome(folder, folders.home, migrationsFolder, configFile);
  return {
    folder,
    configFile,
    migrationsFolder,
    migrationsName,
    migrations,
    home,
    tenantSchema: tenantSchemaOf(migrations, { home: home?.migrations }),
    eraseSql: erase === undefined ? undefined : readErase(folder, configFile, erase),
    invitationTemplate: invitation === undefined ? undefined : readInvitation(folder, configFile, invitation),
    modules,
    manifest: readManifest(migrationsFolder),
  };
}

/** The same for whatever serves the tables: it also refuses migrations that the manifest does not know. Throws CONFLICT. */
export async function loadProject(folder: string): Promise<Project | undefined> {
  const project = await findProject(folder);
  if (project?.manifest !== undefined) refuseOtherMigrations(project.manifest, project);
  return project;
}

async function readConfigFile(folder: string, configFile: string): Promise<TenantryConfig> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(join(folder, configFile)).href)) as Record<string, unknown>;
  } catch (cause) {
    throw wrong(`${configFile} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (module["default"] === undefined)
    throw wrong(`${configFile} exports no configuration: write export default defineConfig({ … })`);
  const result = configSchema.safeParse(module["default"]);
  if (result.success) return result.data;
  throw wrong(`${configFile}: ${result.error.issues.map(describeIssue).join("; ")}`);
}

function describeIssue({ code, path, message, ...issue }: z.core.$ZodIssue): string {
  const at = path.join(".");
  if (code === "unrecognized_keys" && "keys" in issue)
    return `${issue.keys.map((key) => [...path, key].join(".")).join(", ")} is no setting that this version knows`;
  return at === "" ? message : `${at} is wrong: ${message}`;
}

function readHome(folder: string, given: string, tenantFolder: string, configFile: string): Project["home"] {
  const homeFolder = resolve(folder, given);
  if (homeFolder === tenantFolder)
    throw wrong(`${configFile}: migrations.home and migrations.tenant name the same folder`);
  const migrations = readMigrations("app_home", homeFolder, `${configFile}: migrations.home`);
  return { name: nameOf(folder, homeFolder), migrations };
}

/** How a folder is called in messages. */
function nameOf(folder: string, other: string): string {
  return relative(folder, other).replaceAll(sep, "/");
}

function readMigrations(part: "app" | "app_home", folder: string, setting: string): Migration[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw wrong(`${setting} names ${folder}, which is not a folder`);
  if (!readdirSync(folder).some((file) => file.endsWith(".sql")))
    throw wrong(`${setting} names ${folder}, which has no migration such as 0001_invoices.sql`);
  try {
    return loadMigrations(part, pathToFileURL(`${folder}${sep}`));
  } catch (cause) {
    throw wrong(`${folder}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function readErase(folder: string, configFile: string, erase: string): EraseSql {
  const { name, text } = readNamedFile(folder, `${configFile}: erase`, erase);
  return readEraseSql(name, text);
}

function readInvitation(
  folder: string,
  configFile: string,
  { text, html }: NonNullable<TenantryConfig["invitation"]>,
): InvitationTemplate {
  return readInvitationTemplate(
    readNamedFile(folder, `${configFile}: invitation.text`, text),
    html === undefined ? undefined : readNamedFile(folder, `${configFile}: invitation.html`, html),
  );
}

/** A file that the configuration names, and how messages call it. */
function readNamedFile(folder: string, setting: string, given: string): { name: string; text: string } {
  const file = resolve(folder, given);
  try {
    return { name: nameOf(folder, file), text: readFileSync(file, "utf8") };
  } catch (cause) {
    throw wrong(`${setting} names ${file}, which cannot be read`, cause);
  }
}

function wrong(message: string, cause?: unknown): TenantryError {
  return new TenantryError("INVALID_INPUT", `${message.replace(/\.$/, "")}.`, { cause });
}
