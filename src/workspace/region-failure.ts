import { noteOrganization } from "#kernel/call";
import { TenantryError } from "#kernel/errors";
import { isConnectionFailure } from "#postgres/sql-state";
import type { TenantRoute } from "#workspace/routing";

/** A region that answers later than this counts as one that cannot be reached. */
const MAX_ANSWER_MS = 10_000;

/** Runs a statement in a tenant database; a lost or refused connection becomes REGION_UNAVAILABLE, and so does silence. */
export async function inRegion<Result>(route: TenantRoute, work: () => Promise<Result>): Promise<Result> {
  noteOrganization(route.organizationId);
  try {
    return await withDeadline(work());
  } catch (cause) {
    if (!isConnectionFailure(cause)) throw cause;
    throw new TenantryError(
      "REGION_UNAVAILABLE",
      `The region ${route.regionKey} cannot be reached now; try again later.`,
      {
        cause,
      },
    );
  }
}

/** The statement goes on; its connection counts against the database's few until it ends. */
async function withDeadline<Result>(work: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("connection timeout: no answer")), MAX_ANSWER_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
