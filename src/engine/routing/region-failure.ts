import { chargeOrganization } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import { failedAt } from "#base/postgres/failed-at";
import { explainToCaller, regionNamed } from "#engine/failures/explain";
import { isClosedScope } from "#engine/failures/refusals";
import type { TenantRoute } from "#engine/routing/routing";

/** A region that answers later than this counts as one that cannot be reached. */
const MAX_ANSWER_MS = 10_000;

/**
 * Runs a statement in a tenant database. What its server refuses becomes an error that names the region, mostly
 * REGION_UNAVAILABLE, and so does silence (engine/failures/refusals.ts). A row of a placement that was just taken away is
 * CONFLICT. `objects`: how many it asks for, which the organization pays.
 */
export async function inRegion<Result>(route: TenantRoute, work: () => Promise<Result>, objects = 1): Promise<Result> {
  chargeOrganization(route.organizationId, objects);
  try {
    return await withDeadline(whenOwned(route, work));
  } catch (cause) {
    if (cause instanceof TenantryError || failedAt(cause)?.kind === "home") throw cause;
    throw explainInRegion(cause, route.regionKey) ?? cause;
  }
}

/** Undefined for what is no refusal of the region's server. */
function explainInRegion(cause: unknown, regionKey: string): TenantryError | undefined {
  // The placement was closed in its database, and this process has not heard of it yet.
  if (isClosedScope(cause))
    return new TenantryError("CONFLICT", `The organization's access to region ${regionKey} was revoked.`, { cause });
  return explainToCaller(cause, regionNamed(regionKey));
}

/** At once where the region is known to be this home's, which it nearly always is. */
function whenOwned<Result>(route: TenantRoute, work: () => Promise<Result>): Promise<Result> {
  const owned = route.requireOwned();
  return owned === undefined ? work() : owned.then(work);
}

/** The statement goes on; its connection counts against the database's few until it ends. */
function withDeadline<Result>(work: Promise<Result>): Promise<Result> {
  return orLate(work, MAX_ANSWER_MS, () => new Error("connection timeout: no answer"));
}
