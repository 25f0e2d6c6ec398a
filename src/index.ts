/**
 * The package `tenantry`. What is imported here loads on every Node, as configurations import it; what needs Node 24 is
 * loaded when it is called.
 */
import type { Tenantry, TenantryOptions } from "#library/index";
import { requireNode24 } from "#project/require-node";

export { type ErrorCode, TenantryError } from "#base/kernel/errors";
export { defineConfig, type TenantryConfig } from "#project/define-config";
export type * from "#library/index";
export { readTenantSchema } from "#library/tenant-schema";

/**
 * Opens Tenantry in a team's own server: with the tables of `tenantry.config.ts` in the working folder, and the environment of
 * `tenantry start`, unless the options say otherwise. Close it at the end. Throws on a Node before 24, and TenantryError with one
 * sentence: HOME_UNAVAILABLE when home cannot be reached, CONFLICT when its schema is not the one of the tables,
 * CAPABILITY_MISSING when its server lacks something, INVALID_INPUT for a setting that is wrong.
 *
 * @example
 * ```ts
 * const tenantry = await createTenantry();
 * const eu = await tenantry.tenant({ organizationId, regionKey: "eu", actor: { userId } });
 * const invoices = await eu.query<{ number: string }>("select number from app.invoices");
 * await tenantry.close();
 * ```
 */
export async function createTenantry(options: TenantryOptions = {}): Promise<Tenantry> {
  requireNode24();
  // Not before: an older Node cannot even read it.
  const library = await import("#library/index");
  return library.createTenantry(options);
}
