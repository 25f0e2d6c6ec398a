import { TenantryError } from "#kernel/errors";
import { isConnectionFailure } from "#postgres/sql-state";
import type { TenantRoute } from "#workspace/routing";

/** Runs a statement in a tenant database; a lost or refused connection becomes REGION_UNAVAILABLE. */
export async function inRegion<Result>(route: TenantRoute, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
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
