/** Numbered SQL files of a folder: `0001_name.sql`, applied in order, each in a transaction of its own. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/**
 * What a migration changes about the columns that flow between home and the tenant databases. Declared in a comment:
 * `-- replicated: add catalog resources.color`. Everything else that a migration adds stays where it is.
 */
export type FlowChange = {
  readonly change: "add" | "remove";
  readonly direction: "directory" | "catalog";
  readonly table: string;
  readonly column: string;
};

export type Migration = {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  readonly replicated: readonly FlowChange[];
};
export type MigrationSet = { readonly migrations: readonly Migration[]; readonly latestVersion: number };

export const HOME_SCHEMA: MigrationSet = load(new URL("../schema/home/", import.meta.url));
export const TENANT_SCHEMA: MigrationSet = load(new URL("../schema/tenant/", import.meta.url));

function load(folder: URL): MigrationSet {
  const migrations = readdirSync(folder)
    .filter((file) => file.endsWith(".sql"))
    .toSorted()
    .map((file, index): Migration => {
      const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file);
      const version = index + 1;
      if (match === null || Number(match[1]) !== version)
        throw new Error(`migration ${file} is misnamed or out of order: number ${version} was expected`);
      return readMigration(version, match[2] ?? "", readFileSync(new URL(file, folder), "utf8"));
    });
  return { migrations, latestVersion: migrations.length };
}

/** A migration from its text. Throws when a line that begins with `-- replicated:` cannot be understood. */
export function readMigration(version: number, name: string, sql: string): Migration {
  const replicated = [...sql.matchAll(/^--\s*replicated:(.*)$/gm)].map(([line, declared = ""]): FlowChange => {
    const match = /^\s*(add|remove) (directory|catalog) ([a-z_][a-z0-9_]*)\.([a-z_][a-z0-9_]*)\s*$/.exec(declared);
    if (match === null)
      throw new Error(
        `migration ${version} ${name}: ${JSON.stringify(line)} is not understood; write "-- replicated: add catalog resources.color"`,
      );
    const [, change, direction, table = "", column = ""] = match;
    return {
      change: change === "add" ? "add" : "remove",
      direction: direction === "catalog" ? "catalog" : "directory",
      table,
      column,
    };
  });
  return { version, name, sql, checksum: createHash("sha256").update(sql).digest("hex"), replicated };
}

/** The flow changes of the migrations up to and including this version, in order. */
export function flowChangesUpTo(set: MigrationSet, version: number): FlowChange[] {
  return set.migrations.slice(0, version).flatMap(({ replicated }) => replicated);
}

/**
 * Where what the two sets declare cannot work, in sentences. Home is always migrated first, by the start of the program,
 * and has to get on with tenant databases of the latest version and the one before it: a published column that the
 * subscriber lacks halts it, and a publisher cannot drop a column that it publishes.
 */
export function findOrderFaults(home: MigrationSet, tenant: MigrationSet): string[] {
  const nameOf = ({ direction, table, column }: FlowChange) => `${direction} ${table}.${column}`;
  const atHome = new Set(
    home.migrations
      .flatMap(({ replicated }) => replicated)
      .filter(({ change }) => change === "add")
      .map(nameOf),
  );
  const faults = flowChangesUpTo(tenant, tenant.latestVersion)
    .filter((change) => change.change === "add" && !atHome.has(nameOf(change)))
    .map((change) => `The tenant schema adds ${nameOf(change)} to what flows, and no home migration does.`);
  const removedBefore = new Set(
    flowChangesUpTo(tenant, tenant.latestVersion - 1)
      .filter(({ change }) => change === "remove")
      .map(nameOf),
  );
  for (const change of flowChangesUpTo(home, home.latestVersion))
    if (change.change === "remove" && !removedBefore.has(nameOf(change)))
      faults.push(
        `Home removes ${nameOf(change)}, which tenant databases that are served still need: remove it one tenant version after they stopped.`,
      );
  return faults;
}
