/**
 * Numbered SQL files of a folder: `0001_name.sql`, applied in order, each in a transaction of its own. They may begin at 0000,
 * as drizzle-kit numbers them; PostgreSQL skips its `--> statement-breakpoint`. Other files and folders are not
 * looked at.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/**
 * Whose migrations they are, each numbered from 1: the engine's, which a database has first, and the app's. `app_home`: of the
 * tables that the app has at home only.
 */
export type Part = "both" | "home" | "tenant" | "app" | "app_home";

export type Migration = {
  readonly part: Part;
  /** Within its part. */
  readonly number: number;
  readonly name: string;
  /** Its file in its folder. */
  readonly file: string;
  readonly sql: string;
  readonly checksum: string;
};

/**
 * What the engine makes: in home and in every tenant database, in home only, in tenant databases only. Files of these folders
 * that belong together have the same number, and a folder need not have each number: what has the lower number runs first.
 */
export type EngineMigrations = Readonly<Record<"both" | "home" | "tenant", readonly Migration[]>>;

/** All that one kind of database is brought to, in their order. */
export type MigrationSet = {
  readonly migrations: readonly Migration[];
  /** How many there are. */
  readonly latestVersion: number;
  /** What the app has at home only; left out: nothing. */
  readonly home?: readonly Migration[] | undefined;
  /** Left out: those of this program. */
  readonly engine?: EngineMigrations | undefined;
};

export const ENGINE_MIGRATIONS: EngineMigrations = {
  both: loadMigrations("both", new URL("../schema/both/", import.meta.url)),
  home: loadMigrations("home", new URL("../schema/home/", import.meta.url)),
  tenant: loadMigrations("tenant", new URL("../schema/tenant/", import.meta.url)),
};

/**
 * The tenant schema of an app: what every tenant database is brought to. `home`: what the app has at home only. `engine`: for
 * tests, of another program.
 */
export function tenantSchemaOf(
  app: readonly Migration[],
  { home, engine }: Pick<MigrationSet, "home" | "engine"> = {},
): MigrationSet {
  const { both, tenant } = engine ?? ENGINE_MIGRATIONS;
  const migrations = [...inSteps(both, tenant), ...app];
  return { migrations, latestVersion: migrations.length, home, engine };
}

/** What home is brought to: it has the app's tables too, for the default organization and to make the catalog. */
export function homeSchemaOf(tenant: MigrationSet): MigrationSet {
  const { both, home } = tenant.engine ?? ENGINE_MIGRATIONS;
  const app = tenant.migrations.filter(({ part }) => part === "app");
  const migrations = [...inSteps(both, home), ...app, ...(tenant.home ?? [])];
  return { migrations, latestVersion: migrations.length };
}

/** By number; of one number those of `both` first. */
function inSteps(both: readonly Migration[], others: readonly Migration[]): Migration[] {
  return [...both, ...others].toSorted((a, b) => a.number - b.number);
}

/** The migrations in a folder. Throws where a file's name is not the next number's; the engine's may leave some out. */
export function loadMigrations(part: Part, folder: URL): Migration[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .toSorted();
  const first = files[0]?.startsWith("0000_") === true ? 0 : 1;
  return files.map((file, index): Migration => {
    const [, digits = "", name = ""] = /^(\d{4})_([A-Za-z0-9_-]+)\.sql$/.exec(file) ?? [];
    const isApps = part === "app" || part === "app_home";
    const expected = isApps ? String(first + index).padStart(4, "0") : digits;
    if (digits === "" || digits !== expected)
      throw new Error(`migration ${file} is misnamed or out of order: ${expected}_<name>.sql was expected`);
    const number = isApps ? index + 1 : Number(digits);
    return readMigration(part, number, name, readFileSync(new URL(file, folder), "utf8"), file);
  });
}

/** A migration from its text. */
export function readMigration(
  part: Part,
  number: number,
  name: string,
  sql: string,
  file = `${String(number).padStart(4, "0")}_${name}.sql`,
): Migration {
  return { part, number, name, file, sql, checksum: createHash("sha256").update(sql).digest("hex") };
}

/** How a message names a migration. */
export function labelOf({ part, file }: Pick<Migration, "part" | "file">): string {
  return `migration ${part}/${file.replace(/\.sql$/, "")}`;
}
