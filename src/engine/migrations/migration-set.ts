/**
 * Numbered SQL files of a folder: `0001_name.sql`, applied in order, each in a transaction of its own. They may begin at 0000,
 * as drizzle-kit numbers them; PostgreSQL skips its `--> statement-breakpoint`. Other files and folders are not
 * looked at.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** Whose migrations they are, each numbered from 1: the engine's, which a database has first, and the app's. */
export type Part = "both" | "home" | "tenant" | "app";

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

/** All that one kind of database is brought to. A database's version is how many it has. */
export type MigrationSet = {
  readonly migrations: readonly Migration[];
  readonly latestVersion: number;
};

/** What home and every tenant database have in common: rules of values, and what a table is to Tenantry. */
const BOTH = loadMigrations("both", new URL("../schema/both/", import.meta.url));
const HOME = loadMigrations("home", new URL("../schema/home/", import.meta.url));
const TENANT = loadMigrations("tenant", new URL("../schema/tenant/", import.meta.url));

/** The tenant schema of an app: what every tenant database is brought to. */
export function tenantSchemaOf(app: readonly Migration[]): MigrationSet {
  const migrations = [...BOTH, ...TENANT, ...app];
  return { migrations, latestVersion: migrations.length };
}

/** What home is brought to: it has the app's tables too, for the default organization and to make the catalog. */
export function homeSchemaOf(tenant: MigrationSet): MigrationSet {
  const migrations = [...BOTH, ...HOME, ...tenant.migrations.filter(({ part }) => part === "app")];
  return { migrations, latestVersion: migrations.length };
}

/** The migrations in a folder. Throws where a file's name is not the next number's. */
export function loadMigrations(part: Part, folder: URL): Migration[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .toSorted();
  const first = files[0]?.startsWith("0000_") === true ? 0 : 1;
  return files.map((file, index): Migration => {
    const [, digits = "", name = ""] = /^(\d{4})_([A-Za-z0-9_-]+)\.sql$/.exec(file) ?? [];
    const expected = String(first + index).padStart(4, "0");
    if (digits !== expected)
      throw new Error(`migration ${file} is misnamed or out of order: ${expected}_<name>.sql was expected`);
    return readMigration(part, index + 1, name, readFileSync(new URL(file, folder), "utf8"), file);
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
