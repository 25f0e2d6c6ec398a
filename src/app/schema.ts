/** The tables of the app that ships. */
import { loadMigrations, tenantSchemaOf } from "#engine/migrations/migration-set";

/** What tenant databases are migrated to. */
export const TENANT_SCHEMA = tenantSchemaOf(loadMigrations("app", new URL("./schema/", import.meta.url)));
