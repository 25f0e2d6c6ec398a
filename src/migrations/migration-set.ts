/** Numbered SQL files of a folder: `0001_name.sql`, applied in order, each in a transaction of its own. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

export type Migration = { version: number; name: string; sql: string; checksum: string };
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
      const sql = readFileSync(new URL(file, folder), "utf8");
      return { version, name: match[2] ?? "", sql, checksum: createHash("sha256").update(sql).digest("hex") };
    });
  return { migrations, latestVersion: migrations.length };
}
