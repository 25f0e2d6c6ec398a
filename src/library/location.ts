/** Where an organization's statements go: to its database in a region, or to home for the default organization. */
import type { Actor } from "#engine/auth/actor";
import { viewerScope } from "#engine/routing/location";
import { organizationScope, requireActive, type TenantRoute, whyUnavailable } from "#engine/routing/routing";
import type { Services } from "#engine/services";
import { StatementTooLong } from "#base/postgres/cancellation";
import { TenantryError } from "#base/kernel/errors";
import { DEFAULT_ORGANIZATION_ID, HOME_NUMBER } from "#base/kernel/ids";
import type { Lease } from "#base/postgres/lease";
import { failedAt } from "#base/postgres/failed-at";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { explainToCaller, HOME, regionNamed } from "#engine/failures/explain";
import { isClosedScope, isOutOfService } from "#engine/failures/refusals";
import { nameInScope } from "#library/actor";

export type Location = {
  /** The tenant database's id, as it is known; 0 is home. */
  readonly databaseId: () => Promise<number>;
  /**
   * Lends a connection on which each statement is for the organization alone, and says to which tenant database it goes; 0 is home.
   * Throws as {@link Location.explain} says.
   */
  readonly lend: (where?: Where) => Promise<{ lease: Lease; databaseId: number }>;
  /**
   * Does what may write, and again when it is refused as the placement is closed in its database: there where the placement is then.
   * LIMIT_EXCEEDED when that takes too long.
   */
  readonly writing: <Result>(work: (where: Where) => Promise<Result>) => Promise<Result>;
  /** What the caller is told of a write that was refused so and cannot be done again by itself. */
  readonly refusal: (failure: unknown) => TenantryError;
  /** What the caller is told of an error: an error of ours where the server is away or the access has ended, else itself. */
  readonly explain: (failure: unknown) => Promise<unknown>;
};

/** Where a statement goes; undefined: as it is known. */
export type Where = TenantRoute | undefined;

/** Home, for the default organization. `services`: signed in as the API, whose role row-level security holds for. */
export function atHome({ home }: Pick<Services, "home">, actor: Actor): Location {
  const scope = [viewerScope(actor), organizationScope(DEFAULT_ORGANIZATION_ID, HOME_NUMBER, nameInScope(actor))];
  return {
    databaseId: async () => 0,
    lend: async () => ({ lease: await home.lend(scope), databaseId: 0 }),
    writing: (work) => work(undefined),
    refusal: () => changedMeanwhile("home"),
    explain: async (failure) =>
      isOwnFault(failure) ? explainTime(failure) : (explainToCaller(failure, HOME) ?? failure),
  };
}

/** A placement. What is known of it is looked up again for each statement, as it can be taken away meanwhile. */
export function inRegion({ router }: Pick<Services, "router">, placed: TenantRoute, actor: Actor): Location {
  const { placementNumber, organizationId, regionKey } = placed;
  const scope = [organizationScope(organizationId, placementNumber, nameInScope(actor))];
  const routeNow = async () => {
    const [route] = await router.routesOfNumbers([placementNumber]);
    if (route?.kind !== "tenant") throw accessEnded(regionKey);
    return route;
  };
  const explain = async (failure: unknown): Promise<unknown> => {
    if (isOwnFault(failure)) return explainTime(failure);
    const obstacle = await whyRefused(router, placed).catch(() => undefined);
    if (obstacle !== undefined) return Object.assign(obstacle, { cause: failure });
    // It may be for a moment, and is tried again.
    if (isClosedScope(failure)) return failure;
    return explainToCaller(failure, regionNamed(regionKey)) ?? failure;
  };
  return {
    explain,
    databaseId: async () => (await routeNow()).databaseId,
    lend: async (where) => {
      const route = where ?? (await routeNow());
      requireActive(route);
      await route.requireOwned();
      return { lease: await route.openUnscoped().lend(scope), databaseId: route.databaseId };
    },
    // The first time it goes where it is known to be then.
    writing: (work) => router.writing(placed, (route) => work(route === placed ? undefined : route)),
    refusal: () => changedMeanwhile(regionKey),
  };
}

/** Asks home again. Undefined while the organization may still work there. */
async function whyRefused(
  router: Services["router"],
  { organizationId, placementNumber, regionKey }: TenantRoute,
): Promise<TenantryError | undefined> {
  const routes = await router.routesOf(organizationId);
  const route = routes.find((one) => one.placementNumber === placementNumber);
  return route === undefined ? accessEnded(regionKey) : whyUnavailable(route);
}

function accessEnded(regionKey: string): TenantryError {
  return new TenantryError("NOT_FOUND", `The organization has no access to region ${regionKey} any more.`);
}

function changedMeanwhile(regionKey: string): TenantryError {
  return new TenantryError(
    "LIMIT_EXCEEDED",
    `The organization's data in region ${regionKey} is being moved and takes no writes for a moment. The transaction cannot go on: run it again from its beginning.`,
    { retryAfterSeconds: 1 },
  );
}

/** Whether it is an error of ours already, or the fault of the team's SQL: which it is, they see by the driver's error. */
function isOwnFault(failure: unknown): boolean {
  if (failure instanceof TenantryError || failure instanceof StatementTooLong) return true;
  // A transaction may have been begun as one that only reads.
  if (sqlState(failure) === SQL_STATE.readOnlyTransaction) return failedAt(failure)?.isInTransaction !== false;
  return !isOutOfService(failure) && !isClosedScope(failure);
}

function explainTime(failure: unknown): unknown {
  if (!(failure instanceof StatementTooLong)) return failure;
  return new TenantryError("LIMIT_EXCEEDED", `${failure.message} and was stopped.`.replace(/^a/, "A"), {
    cause: failure,
  });
}
