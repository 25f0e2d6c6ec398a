/** `tenantry/testing`: a team's tables on real servers, for tests. */
import { requireNode24 } from "#project/require-node";
import type { TestOptions, TestTenantry } from "#testing/test-tenantry";

export type { TestOptions, TestOrganization, TestTenantry } from "#testing/test-tenantry";

/**
 * Starts home and the region `eu` as embedded PostgreSQL servers in a temporary folder, and the engine with the tables of
 * `tenantry.config.ts`. Takes some seconds, so start it once for a file of tests, and stop it at the end. Throws on a Node before
 * 24, and where a migration cannot be applied.
 *
 * @example
 * ```ts
 * await using tenantry = await startForTest();
 * const acme = await tenantry.organization("Acme");
 * await acme.query("insert into app.invoices (number) values ($1)", ["A-1"]);
 * await tenantry.atHome("select number from catalog.invoices"); // [{ number: "A-1" }]
 * ```
 */
export async function startForTest(options: TestOptions = {}): Promise<TestTenantry> {
  requireNode24();
  // Not before: an older Node cannot even read it.
  const { start } = await import("#testing/start-for-test");
  return start(options);
}
