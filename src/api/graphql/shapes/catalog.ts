/** Lists of a shape's rows across regions, from the catalog at home. */
import { DEFAULT_ORGANIZATION_ID } from "#base/kernel/ids";
import { type Actor, viewerId } from "#engine/auth/actor";
import { inOrganization, type Row as PolicyRow, row as policyRow } from "#engine/auth/policy-table";
import { idsOf, idsOfReversed, type Page, type PageRequest, readingOrder, toPage, toPages } from "#base/kernel/page";
import { isBetween, isPageOf } from "#base/kernel/page-range";
import { validId } from "#base/kernel/validation";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { readCatalog } from "#api/graphql/lag";
import { byPage, defineLoaders } from "#api/graphql/loaders";
import type { Part } from "#api/graphql/module";
import {
  cursorsOf,
  type Listed,
  listInOrder,
  listInOrderOf,
  type Order,
  orderArguments,
  orderWeights,
  orderValues,
  readOrder,
} from "#api/graphql/shapes/catalog-order";
import { type ContentRow, statementName } from "#api/graphql/shapes/fields";
import { catalogColumnsOf } from "#api/graphql/shapes/rows";
import type { Shape } from "#api/graphql/shapes/shape";
import { homeFor, type LocationContext } from "#engine/routing/location";

type Home = Pick<LocationContext, "home">;

/**
 * The field `Query.<name>`: a page of the rows that the caller may see, in every region, and with `organizationId` or
 * `regionKey` those alone.
 */
export function listCatalog<Row extends ContentRow>(
  name: string,
  shape: Shape<Row>,
  options: { description: string; policy: PolicyRow },
): Part {
  const listed = asListed(shape);
  const { connection, read } = catalogPages(listed);
  return {
    policy: { Query: { [name]: options.policy } },
    ...orderWeights(listed, `Query.${name}`),
    types: [
      (builder) =>
        builder.queryField(name, (t) =>
          t.field({
            type: connection(builder),
            description: options.description,
            args: {
              organizationId: t.arg.id({ required: false, description: "Only this organization's." }),
              regionKey: t.arg.string({ required: false, description: "Only those in this region." }),
              ...orderArguments(builder, listed),
              ...pageArguments(builder),
            },
            resolve: (_, args, context) => {
              const { actor, services } = context;
              const organizationId =
                args.organizationId == null ? null : validId("organizationId", args.organizationId);
              const order = readOrder(args as object);
              const filter = { organizationId, regionKey: args.regionKey ?? null, order };
              return readCatalog(context, () =>
                read(args, (page) => listRows(listed, services, actor, filter, page), cursorsIn(order)),
              );
            },
          }),
        ),
    ],
  };
}

/** The field `Organization.<name>`: a page of the organization's rows in every region. */
export function listCatalogOfOrganization<Row extends ContentRow>(
  name: string,
  shape: Shape<Row>,
  options: { description: string },
): Part {
  const listed = asListed(shape);
  const { connection, read } = catalogPages(listed);
  const loaders = defineLoaders((services: Home, actor: Actor) => ({
    pages: byPage<ContentRow, Order>((ids, page, order) => listRowsOf(listed, services, actor, ids, page, order)),
  }));
  return {
    policy: { Organization: { [name]: policyRow(inOrganization("read", { parent: true })) } },
    ...orderWeights(listed, `Organization.${name}`),
    types: [
      (builder) =>
        builder.objectField("Organization", name, (t) =>
          t.field({
            type: connection(builder),
            description: options.description,
            args: { ...orderArguments(builder, listed), ...pageArguments(builder) },
            resolve: ({ id }, args, context) => {
              const order = readOrder(args as object);
              const { pages } = context.loaders.of(loaders);
              return readCatalog(context, () =>
                read(args, (page) => pages.load({ id, page, filter: order }), cursorsIn(order)),
              );
            },
          }),
        ),
    ],
  };
}

function asListed<Row extends ContentRow>(shape: Shape<Row>): Listed {
  const { catalog, name } = shape;
  if (catalog === undefined) throw new Error(`The shape ${name} has no catalog, so its rows cannot be listed.`);
  return shape as unknown as Listed;
}

const pagesByShape = new WeakMap<Listed, ReturnType<typeof makePages>>();

/** The list type of a shape, which several fields have. */
function catalogPages(shape: Listed) {
  const pages = pagesByShape.get(shape) ?? makePages(shape);
  pagesByShape.set(shape, pages);
  return pages;
}

function makePages({ name, type }: Listed) {
  return connectionType(name, type, (row) => row.id);
}

/** Undefined: a cursor is an id. */
function cursorsIn({ by }: Order) {
  return by === null ? undefined : cursorsOf(by);
}

/**
 * A page of the catalog: the default organization's rows and those of the actor's organizations, in every
 * region. A row made a moment ago outside this process may not have arrived yet.
 */
async function listRows(
  shape: Listed,
  home: Home,
  actor: Actor,
  filter: { organizationId: string | null; regionKey: string | null; order: Order },
  page: PageRequest,
): Promise<Page<ContentRow>> {
  const { by, direction } = filter.order;
  if (by !== null) {
    const { order, values } = orderValues(filter.order, page);
    const placed = await homeFor(home, actor).query<ContentRow>(
      statementName(shape, "list_in_order"),
      listInOrder(shape, by, order),
      [...values, filter.organizationId, filter.regionKey, viewerId(actor)],
    );
    return toPage(placed, page);
  }
  const order = readingOrder(page, direction);
  const rows = await homeFor(home, actor).query<ContentRow>(
    statementName(shape, "list"),
    viewerId(actor) === null && filter.organizationId === null
      ? listOfAll(shape, direction, page)
      : listOfSome(shape, order),
    [...idsInOrder(direction, page), page.first + 1, filter.organizationId, filter.regionKey, viewerId(actor)],
  );
  return toPage(rows, page);
}

function idsInOrder(direction: "asc" | "desc", page: PageRequest): [low: string, high: string] {
  return direction === "asc" ? idsOf(page) : idsOfReversed(page);
}

const isWanted = (row: string) => `($5::text is null or exists (
    select from tenantry.placements p join tenantry.regions g on g.id = p.region_id
    where p.number = ${row}.placement_number and g.key = $5))`;

/** All rows, for the operator. */
function listOfAll(shape: Listed, direction: "asc" | "desc", page: PageRequest): string {
  return `select ${catalogColumnsOf(shape, "r")} from ${shape.catalog} r
    where ${isBetween("r.id", page, ["$1", "$2"], direction)} and ${isWanted("r")} and num_nonnulls($4::uuid, $6::uuid) = 0
    order by r.id ${readingOrder(page, direction)} limit $3`;
}

/**
 * From each organization of the viewer, or from the one that was asked for, as many rows as the page can have: others' rows are
 * not passed, however many there are.
 */
function listOfSome(shape: Listed, order: string): string {
  return `select r.* from (
      select organization_id from tenantry.roles where holder_id = $6
      union select '${DEFAULT_ORGANIZATION_ID}' union select $4 where $6::uuid is null and $4::uuid is not null
    ) wanted
    cross join lateral (
      select ${catalogColumnsOf(shape, "t")} from ${shape.catalog} t
      where ${isPageOf(["t.organization_id", "t.id"], "wanted.organization_id", ["$1", "$2"])} and ${isWanted("t")}
      order by t.organization_id ${order}, t.id ${order} limit $3) r
    where $4::uuid is null or wanted.organization_id = $4
    order by r.id ${order} limit $3`;
}

/** A property that no field can be called. */
const WHOSE = "whose row it is";

/** The same page of the catalog of each of several organizations. The caller has checked that the actor may read them. */
async function listRowsOf(
  shape: Listed,
  home: Home,
  actor: Actor,
  organizationIds: readonly string[],
  page: PageRequest,
  wanted: Order = readOrder({}),
): Promise<Map<string, Page<ContentRow>>> {
  const { by, direction } = wanted;
  if (by !== null) {
    const { order, values } = orderValues(wanted, page);
    const placed = await homeFor(home, actor).query<ContentRow & { [WHOSE]: string }>(
      statementName(shape, "of_organizations_in_order"),
      listInOrderOf(shape, by, order, WHOSE),
      [...values, organizationIds],
    );
    return toPages(organizationIds, placed, (row) => row[WHOSE], page);
  }
  const order = readingOrder(page, direction);
  const rows = await homeFor(home, actor).query<ContentRow & { [WHOSE]: string }>(
    statementName(shape, "of_organizations"),
    `select wanted.organization_id as "${WHOSE}", r.* from unnest($1::uuid[]) as wanted (organization_id)
     cross join lateral (
       select ${catalogColumnsOf(shape, "t")} from ${shape.catalog} t
       where ${isPageOf(["t.organization_id", "t.id"], "wanted.organization_id", ["$2", "$3"])}
       order by t.organization_id ${order}, t.id ${order} limit $4) r
     order by r.id ${order}`,
    [organizationIds, ...idsInOrder(direction, page), page.first + 1],
  );
  return toPages(organizationIds, rows, (row) => row[WHOSE], page);
}
