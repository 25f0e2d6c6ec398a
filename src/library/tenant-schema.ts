import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { loadMigrations, type MigrationSet, tenantSchemaOf } from "#engine/migrations/migration-set";

/** The migrations of an app's tables, behind those of Tenantry itself. */
export type TenantSchema = MigrationSet;

/**
 * Reads the migrations of your tables from a folder: `0001_name.sql`, `0002_…`. `folder`: a path, or a URL such as
 * `new URL("./db/tenant/", import.meta.url)`. `home`: the folder of the tables that are at home only, where there is one.
 * Throws where a file is missing or misnamed.
 */
export function readTenantSchema(folder: string | URL, { home }: { home?: string | URL } = {}): TenantSchema {
  return tenantSchemaOf(loadMigrations("app", urlOf(folder)), {
    home: home === undefined ? undefined : loadMigrations("app_home", urlOf(home)),
  });
}

function urlOf(folder: string | URL): URL {
  return typeof folder === "string" ? pathToFileURL(`${resolve(folder)}/`) : folder;
}
