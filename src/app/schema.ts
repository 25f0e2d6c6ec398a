/** The tables of the app that ships, and what a tenant database looks like with them. */
import { loadMigrations, tenantSchemaOf } from "#engine/migrations/migration-set";
import { readManifest } from "#engine/migrations/manifest";

const FOLDER = new URL("./schema/", import.meta.url);

/** What tenant databases are migrated to. */
export const TENANT_SCHEMA = tenantSchemaOf(loadMigrations("app", FOLDER), (version) => readManifest(FOLDER, version));
