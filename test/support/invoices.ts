/** The second app, of examples/invoices: what tests need to run the engine on its tables. */
import {
  loadMigrations,
  type MigrationSet,
  readMigration,
  tenantSchemaOf,
} from "../../src/engine/migrations/migration-set.ts";

const FOLDER = new URL("../../examples/invoices/db/tenant/", import.meta.url);

/** The tenant schema of the second app, with these migrations more. */
export function invoicesWith(...added: string[]): MigrationSet {
  const own = loadMigrations("app", FOLDER);
  return tenantSchemaOf([
    ...own,
    ...added.map((text, index) => readMigration("app", own.length + index + 1, `added_${index}`, text)),
  ]);
}
