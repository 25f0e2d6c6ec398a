import { chargeOrganization } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import { failedAt } from "#base/postgres/failed-at";
import { explainToCaller, regionNamed } from "#engine/failures/explain";
import { isClosedScope } from "#engine/failures/refusals";
import { heldTooLong } from "#engine/routing/held-writes";
import type { TenantRoute } from "#engine/routing/routing";

/** A region that answers later than this counts as one that cannot be reached. */
const MAX_ANSWER_MS = 10_000;

/**
 * Runs a statement in a tenant database. What its server refuses becomes an error that names the region, mostly
 * REGION_UNAVAILABLE, and so does silence (engine/failures/refusals.ts). LIMIT_EXCEEDED for a write to a placement that is closed:
 * {@link writingInRegion} is for those. `objects`: how many it asks for, which the organization pays.
 */
export async function inRegion<Result>(route: TenantRoute, work: () => Promise<Result>, objects = 1): Promise<Result> {
  chargeOrganization(route.organizationId, objects);
  try {
    return await writingInRegion(route, work);
  } catch (cause) {
    throw isClosedScope(cause) ? heldTooLong(route.regionKey) : cause;
  }
}

/** The same for free, and what is closed refuses with the driver's error. */
export async function writingInRegion<Result>(route: TenantRoute, work: () => Promise<Result>): Promise<Result> {
  try {
    return await withDeadline(whenOwned(route, work));
  } catch (cause) {
    if (cause instanceof TenantryError || isClosedScope(cause) || failedAt(cause)?.kind === "home") throw cause;
    throw explainToCaller(cause, regionNamed(route.regionKey)) ?? cause;
  }
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
