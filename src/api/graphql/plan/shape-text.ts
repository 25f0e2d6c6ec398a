/** The statements that give a row of a shape, and what belongs to it, as JSON text. */
import { AFTER_ALL, BEFORE_ALL, type PageRequest } from "#base/kernel/page";
import { boundedText, type Member } from "#engine/routing/region-text";
import type { PageInfoValue, PageValue, PersonValue, RowValue, ShapeValue } from "#api/graphql/plan/shape-members";
import {
  columnText,
  conditionOf,
  cursor,
  join,
  object,
  orNull,
  Parameters,
  type Piece,
  string,
  time,
  typeName,
  unlessNull,
  uuid,
} from "#api/graphql/plan/sql-text";
import type { Declaration, MemberField } from "#api/graphql/shapes/fields";

/** What a statement is run with. */
export type ReadInput = {
  id: string;
  databaseId: number;
  organizationId: string;
  /** JSON. */
  region: string;
  pages: readonly PageRequest[];
  /** The longest text that is wanted. */
  maxBytes: number;
};

/** How a page is read: up to the list's end, up to a row, or back from there. Each is another text. */
export type PageForm = "open" | "bounded" | "backwards";

export function pageForm({ before, backwards }: PageRequest): PageForm {
  if (backwards === true) return "backwards";
  return before == null ? "open" : "bounded";
}

export type TextStatement<Input> = { readonly text: string; readonly values: (input: Input) => unknown[] };

/** Where the statement is sent: a region's database has a directory of its organization's members, home has all users. */
type From = "region" | "home";

/**
 * One row as {@link boundedText} gives it, without text where the region has not heard of the organization yet; or no row.
 * `forms` says of each page how it is read.
 */
export function readText(
  shape: Declaration,
  members: readonly Member<ShapeValue>[],
  from: From,
  forms: readonly PageForm[],
): TextStatement<ReadInput> {
  const parameters = new Parameters<ReadInput>();
  const database = parameters.of("database", ({ databaseId }) => databaseId);
  const id = parameters.of("id", (input) => input.id);
  const organization = () => parameters.of("organization", ({ organizationId }) => organizationId);
  const joins: string[] = [];
  const joined = new Set<MemberField>();
  const part = (value: ShapeValue): Piece[] => {
    switch (value.kind) {
      case "region":
        return [{ sql: `${parameters.of("region", ({ region }) => region)}::text` }];
      case "organization": {
        if (from === "home") return [{ literal: "null" }];
        const row = `o${joins.length}`;
        joins.push(`left join tenantry.directory_organizations ${row}
          on ${row}.database_id = ${database} and ${row}.organization_id = ${organization()}`);
        return object(value.members, (inner) => {
          if (inner.kind === "type") return typeName(inner);
          return inner.column === "id" ? uuid(`${row}.organization_id`) : string(`${row}.name`);
        });
      }
      case "page": {
        const row = `p${joins.length}`;
        const { pieces: page, lateral } = pageText(value, row, from, forms[value.page] ?? "open", {
          parameters,
          database,
          organization,
        });
        joins.push(lateral);
        return page;
      }
      default:
        if (value.kind === "member" && !joined.has(value.field)) {
          joined.add(value.field);
          joins.push(memberJoin(shape, value.field, "r", from, { database, organization }));
        }
        return rowPieces(shape, value, "r", from);
    }
  };
  const pieces = object(members, part);
  const where = `r.organization_id = ${organization()}`;
  const rows = `from ${shape.table} r ${joins.join(" ")}
      where r.database_id = ${database} and r.id = ${id} and ${where}`;
  const maxBytes = `${parameters.of("bytes", (input) => input.maxBytes)}::int`;
  return { text: boundedText(join(pieces), rows, maxBytes), values: parameters.values() };
}

/**
 * The answer of an insertion in a region's database, as text. The statement has the new row under the name `added`.
 * `maxBytes` is an SQL expression.
 */
export function addedText(shape: Declaration, members: readonly Member<RowValue>[], maxBytes: string): string {
  const text = join(object(members, (value) => rowPieces(shape, value, "c", "region")));
  const people = membersIn(shape).map((field) => {
    const row = aliasOf(shape, field);
    return `left join tenantry.directory_members ${row}
        on ${row}.database_id = c.database_id and ${row}.organization_id = c.organization_id and ${row}.user_id = c.${field.column}`;
  });
  return boundedText(text, ["from added c", ...people].join(" "), maxBytes);
}

/** What a statement has as `row`, with people by the names that {@link aliasOf} gives them. */
function rowPieces(shape: Declaration, value: RowValue, row: string, from: From): Piece[] {
  if (value.kind === "type") return typeName(value);
  if (value.kind === "column") return columnText(value, `${row}.${value.column}`);
  return person(value.members, aliasOf(shape, value.field), from);
}

/** A person, read from directory_members in a region and from users at home; null where that has no row. */
function person(members: readonly Member<PersonValue>[], row: string, from: From): Piece[] {
  const columns = from === "region" ? IN_REGION : AT_HOME;
  const pieces = object(members, (value) => {
    if (value.kind === "type") return typeName(value);
    const sql = `${row}.${columns[value.column]}`;
    if (value.column === "id") return uuid(sql);
    return value.column === "createdAt" ? time(sql) : string(sql);
  });
  return [unlessNull(`${row}.${columns.id}`, pieces)];
}
const IN_REGION = { id: "user_id", name: "name", email: "email", createdAt: "user_created_at" };
const AT_HOME = { id: "id", name: "name", email: "email", createdAt: "created_at" };

function membersIn({ fields }: Declaration): MemberField[] {
  return Object.values(fields).filter((field) => field.kind === "member");
}

/** What statements call the row of a person. */
function aliasOf(shape: Declaration, field: MemberField): string {
  const index = membersIn(shape).indexOf(field);
  return index === 0 ? "m" : `m${index}`;
}

type Scope = { database: string; organization: () => string };

function memberJoin(shape: Declaration, field: MemberField, of: string, from: From, scope: Scope): string {
  const row = aliasOf(shape, field);
  return from === "home"
    ? `left join tenantry.users ${row} on ${row}.id = ${of}.${field.column}`
    : `left join tenantry.directory_members ${row} on ${row}.database_id = ${scope.database} and ${row}.organization_id = ${scope.organization()} and ${row}.user_id = ${of}.${field.column}`;
}

/** A page of rows, from a row of its own: `lateral` joins it, `pieces` are made of it. */
function pageText(
  { field, page, members }: ShapeValue & { kind: "page" },
  row: string,
  from: From,
  form: PageForm,
  { parameters, ...scope }: Scope & { parameters: Parameters<ReadInput> },
): { pieces: Piece[]; lateral: string } {
  const child = field.of;
  const first = `${parameters.of(`first ${page}`, ({ pages }) => pages[page]?.first)}::int`;
  const after = parameters.of(`after ${page}`, ({ pages }) => pages[page]?.after ?? BEFORE_ALL);
  const before =
    form === "open" ? undefined : parameters.of(`before ${page}`, ({ pages }) => pages[page]?.before ?? AFTER_ALL);
  const order = form === "backwards" ? " desc" : "";
  const more = `${row}.found > ${first}`;
  const isAfter = `${after} <> '${BEFORE_ALL}'`;
  const isBefore = `${before} <> '${AFTER_ALL}'`;
  const columns = new Set<string>(["count(*) as found"]);
  const people = new Set<MemberField>();
  const add = (name: string, sql: string) => {
    columns.add(`${sql} filter (where c.position <= ${first}) as ${name}`);
    return `${row}.${name}`;
  };
  const info = (value: PageInfoValue): Piece[] => {
    switch (value.kind) {
      case "type":
        return typeName(value);
      case "hasNextPage":
        return [{ sql: `(${{ open: more, bounded: `${more} or ${isBefore}`, backwards: isBefore }[form]})::text` }];
      case "hasPreviousPage":
        return [{ sql: `(${form === "backwards" ? `${more} or ${isAfter}` : isAfter})::text` }];
      case "startCursor":
        return orNull(cursor(add("oldest", `min(c.id::text collate "C")`)));
      default:
        return orNull(cursor(add("newest", `max(c.id::text collate "C")`)));
    }
  };
  const node = (value: RowValue): Piece[] => {
    if (value.kind === "member") people.add(value.field);
    return rowPieces(child, value, "c", from);
  };
  let edges = 0;
  const edgesText = (value: PageValue & { kind: "edges" }): Piece[] => {
    const edge = object(value.members, (inner) => {
      if (inner.kind === "type") return typeName(inner);
      return inner.kind === "cursor" ? cursor("c.id") : object(inner.members, node);
    });
    edges += 1;
    const list = add(`edges${edges}`, `string_agg(${join(edge)}, ',' order by c.id)`);
    const holds = conditionOf(edge);
    // Joining rows leaves out those without a text, which must not go missing.
    const isWhole = holds === undefined ? "true" : `coalesce(${add(`whole${edges}`, `bool_and(${holds})`)}, true)`;
    return [{ literal: "[" }, { sql: `case when ${isWhole} then coalesce(${list}, '') end` }, { literal: "]" }];
  };
  const pieces = object(members, (value) => {
    if (value.kind === "type") return typeName(value);
    return value.kind === "edges" ? edgesText(value) : object(value.members, info);
  });
  const joins = membersIn(child)
    .map((one) => ({ one, sql: memberJoin(child, one, "c", from, scope) }))
    .filter(({ one }) => people.has(one))
    .map(({ sql }) => sql);
  const read = new Set(Object.values(child.fields).flatMap((one) => ("column" in one ? [`c.${one.column}`] : [])));
  const lateral = `cross join lateral (
    select ${[...columns].join(", ")}
    from (select ${[...read].join(", ")}, row_number() over (order by c.id${order}) as position
          from ${child.table} c where c.${field.parentColumn} = r.id and c.id > ${after}${before === undefined ? "" : ` and c.id < ${before}`} order by c.id${order} limit ${first} + 1) c
    ${joins.join(" ")}) ${row}`;
  return { pieces, lateral };
}
