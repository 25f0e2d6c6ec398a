import type { AuditContext } from "#engine/audit/record";
import { type ContentAct, recordingContent } from "#engine/audit/content";
import { type Actor, userIdOf, viewerId } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import type { Seats } from "#engine/auth/seats";
import { seesOrganization } from "#engine/auth/visibility";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { DEFAULT_ORGANIZATION_ID, HOME_NUMBER, newRoutedId } from "#base/kernel/ids";
import { BEFORE_ALL, type Page, type PageRequest, toPage, toPages } from "#base/kernel/page";
import { validName } from "#base/kernel/validation";
import type { DatabaseKind, HomeDatabase, Queryable, ScopedDatabase } from "#base/postgres/database";
import type { TextRow } from "#engine/routing/region-text";
import type { ResourceInput, TextStatement } from "#app/resources/resource-text";
import { inRegion } from "#engine/routing/region-failure";
import { findObstacle, type Route, type Router, requireActive, type TenantRoute } from "#engine/routing/routing";

/** An abstract project that several users work on. */
export type Resource = {
  id: string;
  name: string;
  /** The tenant database it lives in; 0 is home. */
  databaseId: number;
  /** null: the default organization. */
  organizationId: string | null;
  createdById: string | null;
  createdAt: Date;
};

export type WorkspaceContext = AuditContext & { home: HomeDatabase; router: Router; seats: Seats };

/**
 * Home as row-level security shows it to the actor: the catalog and the default organization's content
 * (engine/schema/home/0001_home.sql).
 */
export function homeFor({ home }: { home: HomeDatabase }, actor: Actor): ScopedDatabase<"home"> {
  return home.scoped({ setting: "tenantry.viewer", value: viewerId(actor) ?? "operator" });
}

const COLUMNS = `id, name, database_id as "databaseId",
  nullif(organization_id, '${DEFAULT_ORGANIZATION_ID}') as "organizationId",
  created_by as "createdById", created_at as "createdAt"`;

/**
 * Makes a resource, and its entry in the audit log: in the default organization, or in an organization and one of its regions.
 * INVALID_INPUT on a bad name or a region the organization has no access to (saying which it has),
 * NOT_FOUND for an organization that is not the actor's, CONFLICT while the placement is not active.
 */
export async function createResource(
  context: WorkspaceContext,
  actor: Actor,
  input: { name: string; organizationId: string | null; regionKey: string | null },
  act: ContentAct,
): Promise<Resource> {
  const name = validName("name", input.name);
  if (input.organizationId === null) {
    if (input.regionKey !== null)
      throw invalidInput("regionKey", "A resource of the default organization lives at home: leave regionKey out.");
    refuseKeyAtHome(actor);
    const atHome = { name, databaseId: 0, number: HOME_NUMBER, organizationId: null };
    return insertResource(context, homeFor(context, actor), atHome, actor, act);
  }
  const { organizationId } = input;
  await requireInOrganization(context.home, actor, organizationId, "write-content");
  const route = await chooseRoute(context, organizationId, input.regionKey);
  requireActive(route);
  const place = { name, databaseId: route.databaseId, number: route.placementNumber, organizationId };
  return inRegion(route, () => insertResource(context, route.open(), place, actor, act));
}

/** The default organization's resources are every user's; a key of an organization reads them, but writes in its own. */
export function refuseKeyAtHome(actor: Actor): void {
  if (actor.kind === "key")
    throw new TenantryError("FORBIDDEN", "A key of an organization writes in that organization only.");
}

async function chooseRoute(
  context: WorkspaceContext,
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

async function insertResource(
  context: WorkspaceContext,
  database: Queryable<DatabaseKind>,
  place: { name: string; databaseId: number; number: number; organizationId: string | null },
  actor: Actor,
  act: ContentAct,
): Promise<Resource> {
  const { name, databaseId, organizationId } = place;
  const id = newRoutedId(place.number);
  const written = { database, kind: "RESOURCE", id, databaseId, organizationId, parameters: 5 } as const;
  const [resource] = await recordingContent(context, act, written, (entry) =>
    database.query<Resource>(
      "resources.create",
      `with added as (
         insert into app.resources (database_id, id, organization_id, name, created_by)
         values ($1, $2, $3, $4, $5) returning *
       )${entry.text}
       select ${COLUMNS} from added`,
      [databaseId, id, organizationId ?? DEFAULT_ORGANIZATION_ID, name, userIdOf(actor), ...entry.values],
    ),
  );
  if (resource === undefined) throw new Error("the insert returned no row");
  return resource;
}

/** Where resources live, for an actor who may look there. */
export type Place = {
  route: Route;
  /**
   * Runs a statement there, as the actor. `objects`: how many it asks for. REGION_UNAVAILABLE when the place cannot be
   * reached.
   */
  there: <Result>(
    work: (database: ScopedDatabase<DatabaseKind>) => Promise<Result>,
    objects?: number,
  ) => Promise<Result>;
};

/** Where a resource is, if there is one. */
export type ResourcePlace = Place & { id: string };

/** A resource and where it lives, read there: also what the catalog has not heard of yet is found. */
export type LocatedResource = ResourcePlace & { resource: Resource };

/**
 * Where resources with these ids would be, in their order, with one statement for the routes that are not known and one for
 * the roles. Where the actor may see nothing it is NOT_FOUND, for a placement that is not active CONFLICT. Asks nothing of a
 * region: strangers learn nothing of it, not even whether it is up.
 */
export async function findPlaces(
  context: WorkspaceContext,
  actor: Actor,
  ids: readonly string[],
): Promise<(Place | TenantryError)[]> {
  const routes = await context.router.routes(ids);
  const organizationIds = [
    ...new Set(routes.flatMap((route) => (route?.kind === "tenant" ? [route.organizationId] : []))),
  ];
  const roles = actor.kind === "operator" ? undefined : await context.seats.rolesOf(organizationIds, actor);
  return routes.map((route) => {
    if (route === undefined) return notFound("Resource");
    if (route.kind === "home") return { route, there: (work) => work(homeFor(context, actor)) };
    if (roles !== undefined && (roles.get(route.organizationId) ?? null) === null) return notFound("Resource");
    const obstacle = findObstacle(route);
    if (obstacle !== undefined) return obstacle;
    return { route, there: (work, objects) => inRegion(route, () => work(route.open()), objects) };
  });
}

/** The same for one resource. */
export async function findPlace(context: WorkspaceContext, actor: Actor, id: string): Promise<ResourcePlace> {
  const [place = notFound("Resource")] = await findPlaces(context, actor, [id]);
  if (place instanceof TenantryError) throw place;
  return { id, ...place };
}

/** Finds a resource for an actor. NOT_FOUND when there is none that they may see. */
export async function locateResource(context: WorkspaceContext, actor: Actor, id: string): Promise<LocatedResource> {
  return readResource(await findPlace(context, actor, id));
}

/** Reads the resource that should be there. NOT_FOUND when it is not. */
export async function readResource(place: ResourcePlace): Promise<LocatedResource> {
  const [resource] = await readResources(place, [place.id]);
  if (resource === undefined) throw notFound("Resource");
  return { ...place, resource };
}

/** The resources with these ids that are in the place, in no particular order. */
export function readResources({ route, there }: Place, ids: readonly string[]): Promise<Resource[]> {
  return there(
    (database) =>
      database.query<Resource>(
        "resources.get",
        `select ${COLUMNS} from app.resources
         where database_id = $1 and id = any($2::uuid[]) and organization_id = $3`,
        [databaseIdOf(route), ids, organizationIdOf(route)],
      ),
    ids.length,
  );
}

/** A statement for each kind of database; undefined: not to be answered as text there. */
export type ResourceStatements = {
  region: TextStatement<ResourceInput>;
  home: TextStatement<ResourceInput> | undefined;
};

/**
 * A resource with what belongs to it as JSON text (app/resources/resource-text.ts), to be proven; undefined where the database
 * cannot give it all. NOT_FOUND as {@link locateResource}. `regionOf` gives the region of a tenant database.
 */
export async function readResourceText(
  context: WorkspaceContext,
  actor: Actor,
  { id, pages, maxBytes }: Pick<ResourceInput, "id" | "pages" | "maxBytes">,
  statements: ResourceStatements,
  regionOf: (route: TenantRoute) => string | Promise<string>,
): Promise<TextRow | undefined> {
  const { route, there } = await findPlace(context, actor, id);
  const statement = statements[route.kind === "home" ? "home" : "region"];
  if (statement === undefined) return undefined;
  const input = {
    id,
    pages,
    maxBytes,
    databaseId: databaseIdOf(route),
    organizationId: organizationIdOf(route),
    region: route.kind === "home" ? "null" : await regionOf(route),
  };
  const [row] = await there((database) =>
    database.query<Omit<TextRow, "regionKey">>("resources.text", statement.text, statement.values(input)),
  );
  if (row === undefined) throw notFound("Resource");
  return { ...row, regionKey: regionKeyOf(route) };
}

/** undefined at home. */
export function regionKeyOf(route: Route): string | undefined {
  return route.kind === "home" ? undefined : route.regionKey;
}

/** 0 at home. */
export function databaseIdOf(route: Route): number {
  return route.kind === "home" ? 0 : route.databaseId;
}

/** As rows name it: at home the default organization. */
export function organizationIdOf(route: Route): string {
  return route.kind === "home" ? DEFAULT_ORGANIZATION_ID : route.organizationId;
}

export type ResourceFilter = { organizationId?: string | null; regionKey?: string | null };

/**
 * A page of the catalog: the default organization's resources and those of the actor's organizations, in every
 * region. A resource made a moment ago outside this process may not have arrived yet.
 */
export async function listResources(
  { home }: { home: HomeDatabase },
  actor: Actor,
  filter: ResourceFilter,
  page: PageRequest,
): Promise<Page<Resource>> {
  const rows = await homeFor({ home }, actor).query<Resource>(
    "resources.list",
    `select ${COLUMNS} from catalog.resources r
     where ($1::uuid is null or r.id > $1)
       and ($3::uuid is null or r.organization_id = $3)
       and ($4::text is null or exists (
         select from tenantry.tenant_databases d join tenantry.regions g on g.id = d.region_id
         where d.id = r.database_id and g.key = $4))
       and (r.organization_id = '${DEFAULT_ORGANIZATION_ID}' or ${seesOrganization("r.organization_id", "$5")})
     order by r.id limit $2`,
    [page.after, page.first + 1, filter.organizationId ?? null, filter.regionKey ?? null, viewerId(actor)],
  );
  return toPage(rows, page);
}

/** The same page of the catalog of each of several organizations. The caller has checked that the actor may read them. */
export async function listResourcesOf(
  { home }: { home: HomeDatabase },
  actor: Actor,
  organizationIds: readonly string[],
  page: PageRequest,
): Promise<Map<string, Page<Resource>>> {
  const rows = await homeFor({ home }, actor).query<Resource>(
    "resources.of_organizations",
    `select r.* from unnest($1::uuid[]) as wanted (organization_id)
     cross join lateral (
       select ${COLUMNS} from catalog.resources
       where resources.organization_id = wanted.organization_id and id > $2 order by id limit $3) r
     order by r.id`,
    [organizationIds, page.after ?? BEFORE_ALL, page.first + 1],
  );
  return toPages(organizationIds, rows, ({ organizationId }) => organizationId ?? "", page);
}
