/**
 * Where content lives, for an actor who may look there: at home, or in the tenant database of a placement. Nothing here knows
 * a table.
 */
import { type Actor, viewerId } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import type { RoleCache } from "#engine/auth/role-cache";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { chargeOrganization } from "#base/kernel/call";
import { DEFAULT_ORGANIZATION_ID, HOME_NUMBER } from "#base/kernel/ids";
import type { DatabaseKind, HomeDatabase, ScopedDatabase } from "#base/postgres/database";
import type { Listeners } from "#base/postgres/listener";
import type { Scope } from "#base/postgres/scope";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { inRegion, writingInRegion } from "#engine/routing/region-failure";
import { requireActive, type Route, type Router, type TenantRoute, whyUnavailable } from "#engine/routing/routing";

/** What finds locations: home, the routes of placements, and who may look there. */
export type LocationContext = { home: HomeDatabase; router: Router; roleCache: RoleCache };

/**
 * Home as row-level security shows it to the actor: the catalog and the default organization's content
 * (engine/schema/home/0001_home.sql).
 */
export function homeFor({ home }: { home: HomeDatabase }, actor: Actor): ScopedDatabase<"home"> {
  return home.scoped(viewerScope(actor));
}

/** Says to row-level security at home who looks. */
export function viewerScope(actor: Actor): Scope {
  return { setting: "tenantry.viewer", setter: "tenantry.sets_viewer", value: viewerId(actor) ?? "operator" };
}

/** The default organization's content is every user's; a key of an organization reads them, but writes in its own. */
export function refuseKeyAtHome(actor: Actor): void {
  if (actor.kind === "key")
    throw new TenantryError("FORBIDDEN", "A key of an organization writes in that organization only.");
}

/** Where rows live, for an actor who may look there. */
export type Location = {
  route: Route;
  /**
   * Runs a statement there that reads, as the actor. `objects`: how many it asks for. REGION_UNAVAILABLE when the location cannot
   * be reached.
   */
  run: <Result>(work: (database: ScopedDatabase<DatabaseKind>) => Promise<Result>, objects?: number) => Promise<Result>;
  /**
   * The same for one statement that writes. While the placement is being switched to another database it waits, and `work` is called
   * again with where the placement is then: what the statement says of the place has to come from there.
   */
  write: <Result>(work: (database: ScopedDatabase<DatabaseKind>, at: Location) => Promise<Result>) => Promise<Result>;
};

/** Where the row with an id is, if there is one. */
export type RowLocation = Location & { id: string };

/**
 * Where rows with these ids would be, in their order, with one statement for the routes that are not known and one for
 * the roles. Undefined where the actor may see nothing, an error (CONFLICT) for a placement that is not active. Asks nothing
 * of a region: strangers learn nothing of it, not even whether it is up.
 */
export async function locateRows(
  context: LocationContext,
  actor: Actor,
  ids: readonly string[],
): Promise<(Location | TenantryError | undefined)[]> {
  const routes = await context.router.routes(ids);
  const organizationIds = [
    ...new Set(routes.flatMap((route) => (route?.kind === "tenant" ? [route.organizationId] : []))),
  ];
  const roles = actor.kind === "operator" ? undefined : await context.roleCache.rolesOf(organizationIds, actor);
  return routes.map((route) => {
    if (route === undefined) return undefined;
    if (route.kind === "home") return locationAtHome(context, actor);
    if (roles !== undefined && (roles.get(route.organizationId) ?? null) === null) return undefined;
    return whyUnavailable(route) ?? locationOn(context, route);
  });
}

/** As {@link locateRows}, for one row. NOT_FOUND, with the name of such a row, where the actor may see nothing. */
export async function locateRow(
  context: LocationContext,
  actor: Actor,
  id: string,
  what: string,
): Promise<RowLocation> {
  const [location] = await locateRows(context, actor, [id]);
  if (location === undefined) throw notFound(what);
  if (location instanceof TenantryError) throw location;
  return { id, ...location };
}

function locationAtHome(context: LocationContext, actor: Actor): Location {
  const location: Location = {
    route: { kind: "home" },
    run: (work) => work(homeFor(context, actor)),
    write: (work) => work(homeFor(context, actor), location),
  };
  return location;
}

function locationOn(context: LocationContext, route: TenantRoute): Location {
  return {
    route,
    run: (work, objects) => inRegion(route, () => work(route.open()), objects),
    write: (work) => {
      chargeOrganization(route.organizationId, 1);
      return context.router.writing(route, (now) =>
        writingInRegion(now, () => work(now.open(), locationOn(context, now))),
      );
    },
  };
}

/**
 * Where new content of an organization goes: to one of its regions, or home for the default organization (null). NOT_FOUND for
 * an organization that is not the actor's, FORBIDDEN for a VIEWER, INVALID_INPUT on a region that it has no access to (saying
 * which it has), CONFLICT while the placement is not active.
 */
export async function chooseLocation(
  context: LocationContext,
  actor: Actor,
  { organizationId, regionKey }: { organizationId: string | null; regionKey: string | null },
): Promise<Location> {
  if (organizationId === null) {
    if (regionKey !== null)
      throw invalidInput("regionKey", "What belongs to the default organization lives at home: leave regionKey out.");
    refuseKeyAtHome(actor);
    return locationAtHome(context, actor);
  }
  await requireInOrganization(context.home, actor, organizationId, "write-content");
  const route = await chooseRoute(context, organizationId, regionKey);
  requireActive(route);
  return locationOn(context, route);
}

/**
 * Hears what is announced where a row lives. `follow`: it lives there now, as its placement has moved. `hear` gets an empty text
 * when something may have been missed.
 */
export async function listenWhereItIs(
  { home, listeners }: { home: HomeDatabase; listeners: Listeners },
  first: Location,
  channel: string,
  hear: (payload: string) => void,
): Promise<{ follow: (now: Location) => Promise<void>; stop: () => void }> {
  let isOver = false;
  let heard: { databaseId: number; unhear: () => void } | undefined;
  const listen = async ({ route }: Location): Promise<void> => {
    const unhear = await (route.kind === "home"
      ? listeners.on(home, channel, hear)
      : inRegion(route, () => listeners.on(route.openUnscoped(), channel, hear)));
    const before = heard;
    heard = { databaseId: databaseIdOf(route), unhear };
    before?.unhear();
    if (isOver) unhear();
    // Written there before anybody listened.
    else if (before !== undefined) hear("");
  };
  await listen(first);
  return {
    follow: async (now) => {
      if (!isOver && databaseIdOf(now.route) !== heard?.databaseId) await listen(now);
    },
    stop: () => {
      isOver = true;
      heard?.unhear();
    },
  };
}

/** Whether a statement failed as it names a row that is not there. */
export function isAboutMissingRow(error: unknown): boolean {
  return sqlState(error) === SQL_STATE.foreignKeyViolation;
}

/** undefined at home. */
export function regionKeyOf(route: Route): string | undefined {
  return route.kind === "home" ? undefined : route.regionKey;
}

/** 0 at home. */
export function databaseIdOf(route: Route): number {
  return route.kind === "home" ? 0 : route.databaseId;
}

/** What ids of new rows there say of where they are. */
export function numberOf(route: Route): number {
  return route.kind === "home" ? HOME_NUMBER : route.placementNumber;
}

/** As rows name it: at home the default organization. */
export function organizationIdOf(route: Route): string {
  return route.kind === "home" ? DEFAULT_ORGANIZATION_ID : route.organizationId;
}

async function chooseRoute(
  context: LocationContext,
  organizationId: string,
  regionKey: string | null,
): Promise<TenantRoute> {
  const routes = await context.router.routesOf(organizationId);
  const keys = routes.map((route) => route.regionKey).join(", ");
  if (regionKey !== null) {
    const chosen = routes.find((route) => route.regionKey === regionKey);
    if (chosen !== undefined) return chosen;
    const known = await context.home.query("regions.exists", "select from tenantry.regions where key = $1", [
      regionKey,
    ]);
    const what =
      known.length === 0
        ? `There is no region ${JSON.stringify(regionKey.slice(0, 40))}.`
        : `The organization has no access to region ${regionKey}.`;
    throw invalidInput(
      "regionKey",
      `${what} ${keys === "" ? "It has access to no region." : `It has access to: ${keys}.`}`,
    );
  }
  const [only, second] = routes;
  if (only === undefined)
    throw invalidInput("regionKey", "The organization has access to no region yet: grant it access to one first.");
  if (second !== undefined)
    throw invalidInput("regionKey", `The organization has access to several regions, so name one of them: ${keys}.`);
  return only;
}
