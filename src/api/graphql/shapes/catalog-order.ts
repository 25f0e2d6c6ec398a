/**
 * Lists of a shape's rows in another order than that of their ids, and of those whose name begins with a text. The catalog has a
 * column `order_by_<column>` for each order, with an index by organization, placement and place. A page costs its rows of each
 * placement of each organization that it may come from, however many there are.
 */
import { DEFAULT_ORGANIZATION_ID, isUuid } from "#base/kernel/ids";
import { invalidInput } from "#base/kernel/errors";
import { AFTER_ALL, BEFORE_ALL, type PageRequest, readingOrder } from "#base/kernel/page";
import { validName } from "#base/kernel/validation";
import { type Builder, perSchema } from "#api/graphql/builder";
import { columnOf, type ContentRow } from "#api/graphql/shapes/fields";
import { catalogColumnsOf } from "#api/graphql/shapes/rows";
import type { Part } from "#api/graphql/module";
import type { Shape } from "#api/graphql/shapes/shape";

export type Listed = Shape & { catalog: string };
type Direction = "asc" | "desc";

/** The order in which rows were made, which is that of their ids: every list has it. */
const BY_ID = "CREATED";
/** The order of a text, by whose start rows are found too. */
const BY_NAME = "NAME";

/** What of a list is asked for, besides where it is. `by`: a key of the shape's `orders`; null: by the rows' ids. */
export type Order = { by: string | null; direction: Direction; prefix: string | null };

/** A row as it is read in an order, with its place there. */
export type PlacedRow = ContentRow & { [PLACE]: string };
/** A property that no field can be called. */
const PLACE = "place in the order";

const OrderDirection = perSchema((builder) =>
  builder.enumType("OrderDirection", {
    description: "Which end of an order comes first.",
    values: {
      ASC: { description: "A before Z, the oldest first.", value: "asc" },
      DESC: { description: "Z before A, the newest first.", value: "desc" },
    },
  }),
);

function orderInput(builder: Builder, { name, orders }: Listed) {
  const field = builder.enumType(`${name}OrderField`, {
    description: `By what ${name} rows come.`,
    values: {
      [BY_ID]: { description: "When they were made, by their ids." },
      ...Object.fromEntries(
        Object.entries(orders ?? {}).map(([key, property]) => [
          key,
          {
            description: `By \`${property}\`.${key === BY_NAME ? " In upper or lower case, character by character." : ""}`,
          },
        ]),
      ),
    },
  });
  return builder.inputType(`${name}Order`, {
    description: `In which order ${name} rows come. Those of which that is the same come by their ids.`,
    fields: (t) => ({
      field: t.field({ type: field, required: true, description: "By what." }),
      direction: t.field({
        type: OrderDirection(builder),
        required: true,
        defaultValue: "asc",
        description: "Which end comes first.",
      }),
    }),
  });
}

const inputs = perSchema(() => new Map<Listed, ReturnType<typeof orderInput>>());

/** The arguments of a list that say which of a shape's rows come, and in which order. None where a shape has no orders. */
export function orderArguments(builder: Builder, shape: Listed): object {
  if (shape.orders === undefined) return {};
  for (const by of Object.keys(shape.orders)) propertyOf(shape, by);
  const known = inputs(builder);
  const input = known.get(shape) ?? orderInput(builder, shape);
  known.set(shape, input);
  return builder.args((t) => ({
    ...(BY_NAME in (shape.orders ?? {}) && {
      namePrefix: t.string({
        required: false,
        description: "Only those whose name begins with this, in upper or lower case. They come by name.",
      }),
    }),
    orderBy: t.field({
      type: input,
      required: false,
      description: "In which order they come. By age when left out, and by name with namePrefix.",
    }),
  }));
}

/** What they cost: each placement of each organization is looked at by itself. */
export function orderWeights({ orders }: Listed, field: string): Pick<Part, "argumentWeights"> {
  if (orders === undefined) return {};
  return { argumentWeights: { [field]: { orderBy: 5, ...(BY_NAME in orders && { namePrefix: 5 }) } } };
}

type OrderArguments = {
  namePrefix?: string | null | undefined;
  orderBy?: { field: string; direction: string } | null | undefined;
};

/** Reads them. INVALID_INPUT for a text that begins no name, and for another order of what a name is looked for. */
export function readOrder({ namePrefix, orderBy }: OrderArguments): Order {
  const prefix = namePrefix == null ? null : validName("namePrefix", namePrefix);
  const field = orderBy?.field ?? (prefix === null ? BY_ID : BY_NAME);
  if (prefix !== null && field !== BY_NAME)
    throw invalidInput("orderBy", "What is found by namePrefix comes by name: leave orderBy out, or order by NAME.");
  return { by: field === BY_ID ? null : field, direction: orderBy?.direction === "desc" ? "desc" : "asc", prefix };
}

/** How a list in this order tells rows apart: by a cursor with the order's name, the row's id and its place. */
export function cursorsOf(by: string) {
  return {
    keyOf: (row: ContentRow) => `${by} ${row.id} ${(row as PlacedRow)[PLACE]}`,
    isKey: (text: string) => {
      const found = partsOf(text);
      return found.by === by && isUuid(found.id) && /^[^\0]{0,400}$/u.test(found.place);
    },
  };
}

function partsOf(key: string) {
  const [, by = "", id = "", place = ""] = /^(\w+) (\S+) (.*)$/s.exec(key) ?? [];
  return { by, id, place };
}

/** The property that an order compares: a text or a time. */
function propertyOf({ name, orders, fields, columns }: Listed, by: string): string {
  const property = orders?.[by];
  const field = property === undefined ? undefined : (fields[property] ?? columns[property]);
  if (property === undefined || field?.kind !== "column" || (field.holds !== "time" && field.holds !== "text"))
    throw new Error(`${name} rows cannot come by ${by}: that is neither a text nor a time.`);
  return property;
}

/** As long as every `tenantry.owner_key`. */
const OWNER_CHARACTERS = 44;
/** Behind every place that begins with what is in front of it: a place has at most 200 characters. */
const HIGHEST = "repeat(chr(1114111), 201)";

/**
 * A page of one placement's rows, which `owner` is the key of: a range of the order's index. It has the
 * first six parameters, see {@link orderValues}.
 */
function rowsOfPlacement(shape: Listed, by: string, order: Direction, owner: string): string {
  const column = `t.order_by_${columnOf(shape, propertyOf(shape, by))}`;
  const key = `(${column}, t.id)`;
  return `select ${catalogColumnsOf(shape, "t")}, substr(${column}, ${OWNER_CHARACTERS + 1}) as "${PLACE}"
      from ${shape.catalog} t
      where ${key} > (${owner} || coalesce($1, tenantry.name_key($3), ''), $4::uuid)
        and ${key} < (${owner} || coalesce($2, coalesce(tenantry.name_key($3), '') || ${HIGHEST}), $5::uuid)
        and ($3::text is null or starts_with(${column}, ${owner} || tenantry.name_key($3)))
      order by ${column} ${order}, t.id ${order} limit $6`;
}

/** The rows that the caller may see; $7 to $9: of an organization, in a region, and who asks (null: the operator). */
export function listInOrder(shape: Listed, by: string, order: Direction): string {
  return `select r.* from (
      select tenantry.owner_key(p.organization_id, p.number) as owner
      from tenantry.placements p join tenantry.regions g on g.id = p.region_id
      where ($7::uuid is null or p.organization_id = $7)
        and ($8::text is null or g.key = $8)
        and ($9::uuid is null or p.organization_id in (
          select s.organization_id from tenantry.roles s where s.holder_id = $9))
      union all
      select tenantry.owner_key('${DEFAULT_ORGANIZATION_ID}', 0)
      where $8::text is null and ($7::uuid is null or $7 = '${DEFAULT_ORGANIZATION_ID}')
    ) wanted
    cross join lateral (
      ${rowsOfPlacement(shape, by, order, "wanted.owner")}) r
    order by r."${PLACE}" ${order}, r.id ${order} limit $6`;
}

/** The same page of each of several organizations, $7, whose id is in the property `whose`. */
export function listInOrderOf(shape: Listed, by: string, order: Direction, whose: string): string {
  return `select wanted.organization_id as "${whose}", r.* from unnest($7::uuid[]) as wanted (organization_id)
    cross join lateral (
      select one.* from tenantry.placements p
      cross join lateral (
      ${rowsOfPlacement(shape, by, order, "tenantry.owner_key(p.organization_id, p.number)")}) one
      where p.organization_id = wanted.organization_id
      order by one."${PLACE}" ${order}, one.id ${order} limit $6) r
    order by r."${PLACE}" ${order}, r.id ${order}`;
}

/** The first six parameters of both. */
export function orderValues({ direction, prefix }: Order, page: PageRequest): { order: Direction; values: unknown[] } {
  const [low, high] = direction === "asc" ? [page.after, page.before] : [page.before, page.after];
  const [from, to] = [low, high].map((key) => (key == null ? undefined : partsOf(key)));
  return {
    order: readingOrder(page, direction),
    values: [
      from?.place ?? null,
      to?.place ?? null,
      prefix,
      from?.id ?? BEFORE_ALL,
      to?.id ?? AFTER_ALL,
      page.first + 1,
    ],
  };
}
