/** Reads rows of shapes where they live, for fields that resolvers answer: one statement for all that ask in one location. */
import { DEFAULT_ORGANIZATION_ID } from "#base/kernel/ids";
import { type Actor, viewerId } from "#engine/auth/actor";
import { seesPerson } from "#engine/auth/visibility";
import { answerTooLarge } from "#base/kernel/answer-size";
import { currentCall } from "#base/kernel/call";
import { notFound } from "#base/kernel/errors";
import { DEFAULT_LIMITS } from "#base/kernel/limits";
import { isBetween } from "#base/kernel/page-range";
import { idsOf, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import type { Person } from "#api/graphql/builder";
import {
  type ContentRow,
  type Declaration,
  type PageField,
  type Property,
  propertiesOf,
  statementName,
} from "#api/graphql/shapes/fields";
import { databaseIdOf, type Location, organizationIdOf } from "#engine/routing/location";

/** What a statement selects of a row, as `row`; left out: the only one. */
export function columnsOf(shape: Declaration, row?: string): string {
  return propertiesOf(shape)
    .map((property) => selected(property, row))
    .join(", ");
}

function selected({ name, column }: Property, row?: string): string {
  const sql = row === undefined ? column : `${row}.${column}`;
  // The API shows the default organization as null.
  if (column === "organization_id") return `nullif(${sql}, '${DEFAULT_ORGANIZATION_ID}') as "${name}"`;
  return name === column ? sql : `${sql} as "${name}"`;
}

/**
 * The same of a row of the catalog, which says of which placement it is. The placement is in one database today and may be in
 * another one tomorrow.
 */
export function catalogColumnsOf(shape: Declaration, row: string): string {
  const placedIn = `coalesce((select p.database_id from tenantry.placements p where p.number = ${row}.placement_number), 0)`;
  return propertiesOf(shape)
    .map((property) =>
      property.column === "database_id" ? `${placedIn} as "${property.name}"` : selected(property, row),
    )
    .join(", ");
}

/** The rows with these ids that are in the location, in no particular order. */
export function readRows<Row extends ContentRow>(
  shape: Declaration<Row>,
  { route, run }: Location,
  ids: readonly string[],
): Promise<Row[]> {
  return run(
    (database) =>
      database.query<Row>(
        statementName(shape, "get"),
        `select ${columnsOf(shape)} from ${shape.table}
         where database_id = $1 and id = any($2::uuid[]) and organization_id = $3`,
        [databaseIdOf(route), ids, organizationIdOf(route)],
      ),
    ids.length,
  );
}

/** NOT_FOUND when there is no row with the id in the location. */
export async function requireRow(shape: Declaration, location: Location, id: string): Promise<void> {
  if ((await readRows(shape, location, [id])).length === 0) throw notFound(shape.name);
}

/** What is asked of the rows of a page, beside their own short columns. */
export type Asked = {
  /** Else long texts are empty. */
  readonly longTexts: boolean;
  /** The people whom the rows name come with them, where their database has a directory. */
  readonly people: boolean;
};

/** Statements by what they are made of: what is sent again and again is not put together each time. */
const pageStatements = new WeakMap<PageField<Declaration>, Map<string, string>>();

function pageStatement(parent: Declaration, field: PageField<Declaration>, asked: Asked, page: PageRequest): string {
  const made = pageStatements.get(field) ?? new Map<string, string>();
  pageStatements.set(field, made);
  const { longTexts: withLongTexts, people: withPeople } = asked;
  const order = readingOrder(page);
  const isWanted = isBetween("id", page, ["$4", "$7"]);
  const key = `${parent.table} ${withLongTexts} ${withPeople} ${order} ${isWanted}`;
  const found = made.get(key);
  if (found !== undefined) return found;
  const properties = propertiesOf(field.of);
  const isLeftOut = ({ long }: Property) => long && !withLongTexts;
  const columns = properties.map((one) =>
    isLeftOut(one) ? `${one.nullable ? "null" : "''"} as "${one.name}"` : selected(one, "c"),
  );
  const lengths = properties
    .filter(({ long }) => long && withLongTexts)
    .map(({ column, nullable }) => (nullable ? `coalesce(octet_length(c.${column}), 0)` : `octet_length(c.${column})`));
  const bytes = lengths.length === 0 ? "0" : lengths.join(" + ");
  const people = withPeople ? peopleOf(field.of) : [];
  const known = people.flatMap((name) =>
    Object.entries(PERSON).map(([property, column]) => `, "${name}".${column} as "${name} ${property}"`),
  );
  const joins = people.map(
    (name) => `left join tenantry.directory_members "${name}"
       on "${name}".database_id = $1 and "${name}".organization_id = $3 and "${name}".user_id = l."${name}Id"`,
  );
  // A row to which nothing belongs has one, of nulls.
  const text = `select l.*, bytes > $6 as "${TOO_LARGE}"${known.join("")}
     from (
       select r.id as "${PARENT}", ${columns.join(", ")}, ${bytes} as own_bytes,
              sum(${bytes}) over (order by r.id, c.id ${order} rows unbounded preceding) as bytes
       from ${parent.table} r left join lateral (
         select * from ${field.of.table} where ${field.parentColumn} = r.id and ${isWanted}
         order by id ${order} limit $5) c on true
       where r.database_id = $1 and r.id = any($2::uuid[]) and r.organization_id = $3) l
     ${joins.join(" ")}
     where coalesce(bytes - own_bytes <= $6, true)
     order by l."${PARENT}", l.id ${order}`;
  made.set(key, text);
  return text;
}

/** The properties of a person, by a region's directory. */
const PERSON = { id: "user_id", name: "name", email: "email", createdAt: "user_created_at" };

/** The names of the fields that are people. */
function peopleOf({ fields }: Declaration): string[] {
  return Object.keys(fields).filter((name) => fields[name]?.kind === "member");
}

/** The people who came with rows, by their ids; null: the database does not know them any more. */
function peopleIn(shape: Declaration, rows: readonly Record<string, unknown>[]): Map<string, Person | null> {
  const found = new Map<string, Person | null>();
  for (const name of peopleOf(shape))
    for (const row of rows) {
      const id = row[`${name}Id`];
      if (typeof id !== "string" || found.has(id)) continue;
      const person = Object.fromEntries(Object.keys(PERSON).map((one) => [one, row[`${name} ${one}`]]));
      found.set(id, person["id"] === null ? null : (person as Person));
    }
  return found;
}

/** Properties that no field can be called. */
const PARENT = "row it belongs to";
const TOO_LARGE = "too large together";
/** Pages by the id of the row that they belong to, and the people whom their rows name; none where they were not asked for. */
export type Pages<Row> = { pages: Map<string, Page<Row>>; people: Map<string, Person | null> };
type PageRow<Row> = (Row | { id: null }) & { [PARENT]: string; [TOO_LARGE]: boolean | null };

/**
 * The same page of what belongs to each of several rows of a location, by the id of that row: one statement.
 * A row that is not there has no page. Where nobody asks for long texts they are empty. LIMIT_EXCEEDED when they are more than
 * an answer may have: they do not leave the database then.
 */
export async function readPages<Row extends ContentRow>(
  parent: Declaration,
  field: PageField<Declaration>,
  { route, run }: Location,
  ids: readonly string[],
  page: PageRequest,
  asked: Asked,
): Promise<Pages<Row>> {
  // Home has no directory, and whose address is shown there depends on who asks.
  const known = { ...asked, people: asked.people && route.kind !== "home" };
  const statement = pageStatement(parent, field, known, page);
  const [low, high] = idsOf(page);
  const maxBytes = currentCall()?.answer?.max ?? DEFAULT_LIMITS.maxAnswerBytes;
  const rows = await run(
    (database) =>
      database.query<PageRow<Row>>(statementName(field.of, "list"), statement, [
        databaseIdOf(route),
        ids,
        organizationIdOf(route),
        low,
        page.first + 1,
        maxBytes,
        high,
      ]),
    ids.length,
  );
  if (rows.some((row) => row[TOO_LARGE] ?? false)) {
    // Ends the call, if there is one.
    currentCall()?.answer?.add(maxBytes + 1);
    throw answerTooLarge(maxBytes);
  }
  const people = asked.people && route.kind !== "home" ? peopleIn(field.of, rows) : new Map<string, never>();
  const pages = new Map(
    [...Map.groupBy(rows, (row) => row[PARENT])].map(([id, found]) => [
      id,
      toPage(
        found.filter((row): row is PageRow<Row> & Row => row.id !== null),
        page,
      ),
    ]),
  );
  return { pages, people };
}

/**
 * The people with these ids, as the database of the location knows them. A region knows its organization's members
 * only, so who has left it is missing. In the default organization everybody is known by name, and by address to
 * those only who share another organization with them.
 */
export function findPeople(actor: Actor, { route, run }: Location, ids: readonly string[]): Promise<Person[]> {
  return run(
    (database) =>
      route.kind === "home"
        ? database.query<Person>(
            "people.at_home",
            `select u.id, u.name, u.created_at as "createdAt",
                    case when ${seesPerson("u.id", "$2")} then u.email end as email
             from tenantry.users u where u.id = any($1::uuid[])`,
            [ids, viewerId(actor)],
          )
        : database.query<Person>(
            "people.in_region",
            `select user_id as id, name, email, user_created_at as "createdAt" from tenantry.directory_members
             where database_id = $1 and organization_id = $2 and user_id = any($3::uuid[])`,
            [route.databaseId, route.organizationId, ids],
          ),
    1,
  );
}
