import { type ContentAct, recordingContent } from "#engine/audit/content";
import { type Actor, userIdOf, viewerId } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { seesOrganization } from "#engine/auth/visibility";
import { invalidInput, notFound } from "#base/kernel/errors";
import { HOME_NUMBER, newRoutedId } from "#base/kernel/ids";
import { BEFORE_ALL, type Page, type PageRequest, toPage, toPages } from "#base/kernel/page";
import { validName } from "#base/kernel/validation";
import type { DatabaseKind, HomeDatabase, Queryable } from "#base/postgres/database";
import {
  chooseRoute,
  type ContentPlace,
  databaseIdOf,
  findPlace,
  homeFor,
  organizationIdOf,
  type Place,
  refuseKeyAtHome,
  regionKeyOf,
  type WorkspaceContext,
} from "#engine/routing/location";
import type { TextRow } from "#engine/routing/region-text";
import type { ResourceInput, TextStatement } from "#app/resources/resource-text";
import { inRegion } from "#engine/routing/region-failure";
import { requireActive, type TenantRoute } from "#engine/routing/routing";

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

const COLUMNS = `id, name, database_id as "databaseId", organization_id as "organizationId",
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
         insert into tenantry.resources (database_id, id, organization_id, name, created_by)
         values ($1, $2, $3, $4, $5) returning *
       )${entry.text}
       select ${COLUMNS} from added`,
      [databaseId, id, organizationId, name, userIdOf(actor), ...entry.values],
    ),
  );
  if (resource === undefined) throw new Error("the insert returned no row");
  return resource;
}

/** A resource and where it lives, read there: also what the catalog has not heard of yet is found. */
export type LocatedResource = ContentPlace & { resource: Resource };

/** Finds a resource for an actor. NOT_FOUND when there is none that they may see. */
export async function locateResource(context: WorkspaceContext, actor: Actor, id: string): Promise<LocatedResource> {
  return readResource(await findPlace(context, actor, id, "Resource"));
}

/** Reads the resource that should be there. NOT_FOUND when it is not. */
export async function readResource(place: ContentPlace): Promise<LocatedResource> {
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
        `select ${COLUMNS} from tenantry.resources
         where database_id = $1 and id = any($2::uuid[]) and organization_id is not distinct from $3`,
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
  const { route, there } = await findPlace(context, actor, id, "Resource");
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
    `select ${COLUMNS} from tenantry.resources r
     where ($1::uuid is null or r.id > $1)
       and ($3::uuid is null or r.organization_id = $3)
       and ($4::text is null or exists (
         select from tenantry.tenant_databases d join tenantry.regions g on g.id = d.region_id
         where d.id = r.database_id and g.key = $4))
       and (r.organization_id is null or ${seesOrganization("r.organization_id", "$5")})
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
       select ${COLUMNS} from tenantry.resources
       where resources.organization_id = wanted.organization_id and id > $2 order by id limit $3) r
     order by r.id`,
    [organizationIds, page.after ?? BEFORE_ALL, page.first + 1],
  );
  return toPages(organizationIds, rows, ({ organizationId }) => organizationId ?? "", page);
}
