/**
 * Statements that give a part of a GraphQL answer as JSON text, ready to be sent: a resource with its organization and
 * pages of its comments is one row with one column, from one database. Joining text is the cheapest way that PostgreSQL has
 * to build JSON, and costs this process nothing at all.
 */
import { BEFORE_ALL, type PageRequest } from "#base/kernel/page";
import { boundedText, type Member } from "#engine/routing/region-text";

/** The name of the object's type. */
type TypeName = { readonly kind: "type"; readonly type: string };
type Column<Name extends string> = { readonly kind: "column"; readonly column: Name };

export type AuthorValue = TypeName | Column<"id" | "name" | "email" | "createdAt">;
export type CommentValue =
  | TypeName
  | Column<"id" | "body" | "createdAt">
  | { readonly kind: "author"; readonly members: readonly Member<AuthorValue>[] };
export type EdgeValue =
  | TypeName
  | { readonly kind: "cursor" }
  | { readonly kind: "node"; readonly members: readonly Member<CommentValue>[] };
export type PageInfoValue =
  | TypeName
  | { readonly kind: "hasNextPage" | "hasPreviousPage" | "startCursor" | "endCursor" };
export type PageValue =
  | TypeName
  | { readonly kind: "edges"; readonly members: readonly Member<EdgeValue>[] }
  | { readonly kind: "pageInfo"; readonly members: readonly Member<PageInfoValue>[] };
export type ResourceValue =
  | TypeName
  | Column<"id" | "name" | "createdAt">
  | { readonly kind: "organization"; readonly members: readonly Member<TypeName | Column<"id" | "name">>[] }
  /** Given as text: the region is no row of its own database. */
  | { readonly kind: "region" }
  /** `page`: which of the pages that are given with the id. */
  | { readonly kind: "comments"; readonly page: number; readonly members: readonly Member<PageValue>[] };

/** What a statement is run with. */
export type ResourceInput = {
  id: string;
  databaseId: number;
  organizationId: string | null;
  /** JSON. */
  region: string;
  pages: readonly PageRequest[];
  /** The longest text that is wanted. */
  maxBytes: number;
};

export type TextStatement<Input> = { readonly text: string; readonly values: (input: Input) => unknown[] };

/**
 * Text that is in the statement as it is, or an expression of type text. That is null unless `holds` does, a condition that
 * is left out where it cannot be.
 */
type Piece = { readonly literal: string } | { readonly sql: string; readonly holds?: string };

/**
 * Whether a moment can be written as the API writes them; api/graphql/types/date-time.ts has the same years. PostgreSQL stores others,
 * and infinity: then the text is null, and the ordinary way says which field it is.
 */
const isShown = (sql: string) => `(${sql} >= '0001-01-01 00:00:00Z' and ${sql} < '10000-01-01 00:00:00Z')`;

/** In milliseconds and UTC, as the API shows every time. */
const time = (sql: string): Piece[] => {
  const text = `to_char(${sql} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
  return [
    { literal: '"' },
    { sql: `case when ${isShown(sql)} then ${text} end`, holds: isShown(sql) },
    { literal: '"' },
  ];
};
const uuid = (sql: string): Piece[] => [{ literal: '"' }, { sql: `${sql}::text` }, { literal: '"' }];
const string = (sql: string): Piece[] => [{ sql: `to_json(${sql})::text` }];
/** As base/kernel/page.ts makes it. A UUID's text has no character that the two alphabets write differently. */
const cursor = (sql: string): Piece[] => [
  { literal: '"' },
  { sql: `encode(${sql}::text::bytea, 'base64')` },
  { literal: '"' },
];
const typeName = ({ type }: TypeName): Piece[] => [{ literal: JSON.stringify(type) }];

function object<Value>(members: readonly Member<Value>[], pieces: (value: Value) => Piece[]): Piece[] {
  return [
    { literal: "{" },
    ...members.flatMap(({ name, value }, index) => [
      { literal: `${index === 0 ? "" : ","}${JSON.stringify(name)}:` },
      ...pieces(value),
    ]),
    { literal: "}" },
  ];
}

/** The pieces as one expression; null when one of them is. */
function join(pieces: readonly Piece[]): string {
  const parts: string[] = [];
  let literal = "";
  const flush = () => {
    if (literal !== "") parts.push(`'${literal.replaceAll("'", "''")}'`);
    literal = "";
  };
  for (const piece of pieces) {
    if ("literal" in piece) literal += piece.literal;
    else {
      flush();
      parts.push(piece.sql);
    }
  }
  flush();
  return parts.join(" || ");
}

/** What must hold for the pieces to have a text; undefined: nothing. */
function conditionOf(pieces: readonly Piece[]): string | undefined {
  const conditions = pieces.flatMap((piece) => ("holds" in piece && piece.holds !== undefined ? [piece.holds] : []));
  return conditions.length === 0 ? undefined : `(${conditions.join(" and ")})`;
}

const orNull = (pieces: readonly Piece[]): Piece[] => [{ sql: `coalesce(${join(pieces)}, 'null')` }];

/** An author from a row of directory_members, or at home of users; null where there is none. */
function author(members: readonly Member<AuthorValue>[], from: "region" | "home"): Piece[] {
  const columns = from === "region" ? REGION_AUTHOR : HOME_AUTHOR;
  const pieces = object(members, (value) => {
    if (value.kind === "type") return typeName(value);
    if (value.column === "id") return uuid(columns.id);
    return value.column === "createdAt" ? time(columns.createdAt) : string(columns[value.column]);
  });
  const holds = conditionOf(pieces);
  return [
    {
      sql: `case when ${columns.id} is null then 'null' else ${join(pieces)} end`,
      ...(holds !== undefined && { holds: `(${columns.id} is null or ${holds})` }),
    },
  ];
}
const REGION_AUTHOR = { id: "m.user_id", name: "m.name", email: "m.email", createdAt: "m.user_created_at" };
const HOME_AUTHOR = { id: "m.id", name: "m.name", email: "m.email", createdAt: "m.created_at" };

function comment(members: readonly Member<CommentValue>[], row: string, from: "region" | "home"): Piece[] {
  return object(members, (value) => {
    if (value.kind === "type") return typeName(value);
    if (value.kind === "author") return author(value.members, from);
    if (value.column === "id") return uuid(`${row}.id`);
    return value.column === "body" ? string(`${row}.body`) : time(`${row}.created_at`);
  });
}

/** The expression for a comment that a statement has as `row`, with its author as `m` from the region's directory. */
export function commentText(members: readonly Member<CommentValue>[], row: string): string {
  return join(comment(members, row, "region"));
}

/** Numbers parameters as they are used. */
class Parameters<Input> {
  readonly #numbers = new Map<string, number>();
  readonly #values: ((input: Input) => unknown)[] = [];

  of(key: string, value: (input: Input) => unknown): string {
    const number = this.#numbers.get(key) ?? this.#values.push(value);
    this.#numbers.set(key, number);
    return `$${number}`;
  }

  values(): (input: Input) => unknown[] {
    const values = [...this.#values];
    return (input) => values.map((value) => value(input));
  }
}

/** One row as {@link boundedText} gives it, without text where the region has not heard of the organization yet; or no row. */
export function resourceText(
  members: readonly Member<ResourceValue>[],
  from: "region" | "home",
): TextStatement<ResourceInput> {
  const parameters = new Parameters<ResourceInput>();
  const database = parameters.of("database", ({ databaseId }) => databaseId);
  const id = parameters.of("id", (input) => input.id);
  const organization = () => parameters.of("organization", ({ organizationId }) => organizationId);
  const joins: string[] = [];
  const part = (value: ResourceValue): Piece[] => {
    switch (value.kind) {
      case "type":
        return typeName(value);
      case "column":
        if (value.column === "id") return uuid("r.id");
        return value.column === "name" ? string("r.name") : time("r.created_at");
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
      default: {
        const row = `p${joins.length}`;
        const { pieces: page, lateral } = pageText(value, row, from, { parameters, database, organization });
        joins.push(lateral);
        return page;
      }
    }
  };
  const pieces = object(members, part);
  const where = from === "home" ? "r.organization_id is null" : `r.organization_id = ${organization()}`;
  const rows = `from tenantry.resources r ${joins.join(" ")}
      where r.database_id = ${database} and r.id = ${id} and ${where}`;
  const maxBytes = `${parameters.of("bytes", (input) => input.maxBytes)}::int`;
  return { text: boundedText(join(pieces), rows, maxBytes), values: parameters.values() };
}

/** A page of comments, from a row of its own: `lateral` joins it, `pieces` are made of it. */
function pageText(
  { page, members }: ResourceValue & { kind: "comments" },
  row: string,
  from: "region" | "home",
  {
    parameters,
    database,
    organization,
  }: { parameters: Parameters<ResourceInput>; database: string; organization: () => string },
): { pieces: Piece[]; lateral: string } {
  const first = `${parameters.of(`first ${page}`, ({ pages }) => pages[page]?.first)}::int`;
  const after = parameters.of(`after ${page}`, ({ pages }) => pages[page]?.after ?? BEFORE_ALL);
  const columns = new Set<string>(["count(*) as found"]);
  let withAuthor = false;
  const add = (name: string, sql: string) => {
    columns.add(`${sql} filter (where c.place <= ${first}) as ${name}`);
    return `${row}.${name}`;
  };
  const info = (value: PageInfoValue): Piece[] => {
    switch (value.kind) {
      case "type":
        return typeName(value);
      case "hasNextPage":
        return [{ sql: `(${row}.found > ${first})::text` }];
      case "hasPreviousPage":
        return [{ sql: `(${after} <> '${BEFORE_ALL}')::text` }];
      case "startCursor":
        return orNull(cursor(add("oldest", `min(c.id::text collate "C")`)));
      default:
        return orNull(cursor(add("newest", `max(c.id::text collate "C")`)));
    }
  };
  let edges = 0;
  const pieces = object(members, (value) => {
    if (value.kind === "type") return typeName(value);
    if (value.kind === "edges") {
      const edge = object(value.members, (inner) => {
        if (inner.kind === "type") return typeName(inner);
        if (inner.kind === "cursor") return cursor("c.id");
        withAuthor ||= inner.members.some((one) => one.value.kind === "author");
        return comment(inner.members, "c", from);
      });
      edges += 1;
      const list = add(`edges${edges}`, `string_agg(${join(edge)}, ',' order by c.id)`);
      const holds = conditionOf(edge);
      // Joining rows leaves out those without a text, which must not go missing.
      const isWhole = holds === undefined ? "true" : `coalesce(${add(`whole${edges}`, `bool_and(${holds})`)}, true)`;
      return [{ literal: "[" }, { sql: `case when ${isWhole} then coalesce(${list}, '') end` }, { literal: "]" }];
    }
    return object(value.members, info);
  });
  const authors =
    from === "home"
      ? "left join tenantry.users m on m.id = c.author_id"
      : `left join tenantry.directory_members m on m.database_id = ${database} and m.organization_id = ${organization()} and m.user_id = c.author_id`;
  const lateral = `cross join lateral (
    select ${[...columns].join(", ")}
    from (select c.id, c.author_id, c.body, c.created_at, row_number() over (order by c.id) as place
          from tenantry.comments c where c.resource_id = r.id and c.id > ${after} order by c.id limit ${first} + 1) c
    ${withAuthor ? authors : ""}) ${row}`;
  return { pieces, lateral };
}
