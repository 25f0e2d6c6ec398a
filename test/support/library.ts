/** The library as a team's server uses it, on the second app's tables, beside an app that does the work. */
import {
  createTenantry,
  type GrantInput,
  type Placement,
  type Tenantry,
  type TenantryOptions,
} from "../../src/library/index.ts";
import type { TestApp } from "./app.ts";
import { invoicesWith } from "./invoices.ts";
import { eventually } from "./journey.ts";

export const INVOICES = invoicesWith();

/** Tenantry on the home of an app. */
export function openLibrary(
  { databaseUrl, secretKey }: Pick<TestApp, "databaseUrl" | "secretKey">,
  options: Partial<TenantryOptions> = {},
): Promise<Tenantry> {
  return createTenantry({ databaseUrl, secretKey, tenantSchema: INVOICES, logLevel: "silent", ...options });
}

/** Grants, and waits for longer than a grant does: on a busy machine it returns with the state that it has reached in 5 s. */
export async function grantActive(tenantry: Tenantry, input: GrantInput): Promise<Placement> {
  const placement = await eventually(async () => {
    const granted = await tenantry.grant(input);
    return granted.state === "ACTIVE" ? granted : undefined;
  }, 30_000);
  if (placement === undefined) throw new Error("the placement did not become ACTIVE");
  return placement;
}
