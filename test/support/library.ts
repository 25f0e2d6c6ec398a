/** The library as a team's server uses it, on the second app's tables, beside an app that does the work. */
import { createTenantry, type Tenantry, type TenantryOptions } from "../../src/library/index.ts";
import type { TestApp } from "./app.ts";
import { invoicesWith } from "./invoices.ts";

export const INVOICES = invoicesWith();

/** Tenantry on the home of an app. */
export function openLibrary(
  { databaseUrl, secretKey }: Pick<TestApp, "databaseUrl" | "secretKey">,
  options: Partial<TenantryOptions> = {},
): Promise<Tenantry> {
  return createTenantry({ databaseUrl, secretKey, tenantSchema: INVOICES, logLevel: "silent", ...options });
}
