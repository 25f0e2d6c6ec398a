import { chargeOrganization } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import type { TenantRoute } from "#engine/routing/routing";

/** A region that answers later than this counts as one that cannot be reached. */
const MAX_ANSWER_MS = 10_000;

/**
 * Runs a statement in a tenant database; a lost or refused connection becomes REGION_UNAVAILABLE, and so does silence. A row
 * of a placement that was just taken away is CONFLICT. `objects`: how many it asks for, which the organization pays.
 */
export async function inRegion<Result>(route: TenantRoute, work: () => Promise<Result>, objects = 1): Promise<Result> {
  chargeOrganization(route.organizationId, objects);
  try {
    return await withDeadline(whenOwned(route, work));
  } catch (cause) {
    const state = sqlState(cause);
    // The API's role: whoever carries the region gives it its password anew when it starts.
    const isRefused = state === SQL_STATE.invalidPassword || state === SQL_STATE.invalidAuthorization;
    if (state === SQL_STATE.insufficientPrivilege && /row-level security/.test(String(cause)))
      // The placement was closed in its database, and this process has not heard of it yet.
      throw new TenantryError("CONFLICT", `The organization's access to region ${route.regionKey} was revoked.`, {
        cause,
      });
    if (state === SQL_STATE.undefinedDatabase) throw databaseGone(route, cause);
    if (!isRefused && !isConnectionFailure(cause)) throw cause;
    throw new TenantryError(
      "REGION_UNAVAILABLE",
      `The region ${route.regionKey} cannot be reached now; try again later.`,
      {
        cause,
      },
    );
  }
}

/**
 * Home says that the placement is there and the server says that its database is not: home was restored from before the
 * placement's end, or somebody dropped the database by hand.
 */
export function databaseGone({ regionKey }: Pick<TenantRoute, "regionKey">, cause: unknown): TenantryError {
  return new TenantryError(
    "CONFLICT",
    `The organization's database in region ${regionKey} is gone from the region's server: the operator restores it there, or revokes the access.`,
    { cause },
  );
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
