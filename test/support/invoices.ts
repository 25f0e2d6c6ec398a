/** The second app, of examples/invoices: what tests need to run the engine on its tables. */
import { readFileSync } from "node:fs";
import { invoices } from "../../examples/invoices/src/invoices.ts";
import type { Shape } from "../../src/api/graphql/shapes/shape.ts";
import type { Application } from "../../src/api/graphql/define-app.ts";
import { readEraseSql } from "../../src/engine/erasure/erase-sql.ts";
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

/** The declaration of a type of the second app, as operations are generated from it. */
export function shapeOf(name: string): Shape {
  const found = (invoices.parts as readonly Shape[]).find((part) => part.name === name);
  if (found === undefined) throw new Error(`the second app has no type ${name}`);
  return found;
}

/** What the second app does to its tables when somebody is erased. */
export const INVOICES_ERASE_SQL = readEraseSql(
  "db/erase.sql",
  readFileSync(new URL("../../examples/invoices/db/erase.sql", import.meta.url), "utf8"),
);

/** The second app as a whole, with its part of the API. */
export const INVOICES_APP: Application = {
  tenantSchema: invoicesWith(),
  eraseSql: INVOICES_ERASE_SQL,
  modules: [invoices],
};
