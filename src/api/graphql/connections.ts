/** Relay connections: `first` and `after`, `last` and `before`. */
import type { ObjectRef } from "@pothos/core";
import { asParent, type Policy } from "#engine/auth/policy-table";
import { formatCursor, type Page, type PageArguments, type PageRequest, readPageRequest } from "#base/kernel/page";
import { type Builder, type ObjectShapes, perSchema } from "#api/graphql/builder";

export type Connection<Row> = Page<Row> & {
  keyOf: (row: Row) => string;
  /** How many rows the list has, in lists that say so; null: too many to be counted. */
  count?: () => Promise<number | null>;
  /** Why there are no rows: they are out of reach. */
  failure?: Error;
};
type Edge<Row> = { node: Row; cursor: string };

/** An object type of a schema, with the rows behind it. */
export type TypeRef<Row> = ObjectRef<Builder["$inferSchemaTypes"], Row>;
/** A type of the engine by its name, or what gives a type of a schema. */
type NodeType = keyof ObjectShapes | ((builder: Builder) => { name: string; $inferType: unknown });
type RowOf<Node extends NodeType> = Node extends keyof ObjectShapes
  ? ObjectShapes[Node]
  : Node extends (builder: Builder) => { $inferType: infer Row }
    ? Row
    : never;

export const PageInfo = perSchema((builder) => {
  addRows(builder, "PageInfo", "hasNextPage hasPreviousPage startCursor endCursor");
  return builder.objectRef<Connection<unknown>>("PageInfo").implement({
    description: "Where a page of a list ends, and whether there is more.",
    fields: (t) => ({
      hasNextPage: t.boolean({
        description: "Whether there are more after this page. Always so when it ends at the cursor `before`.",
        resolve: (page) => page.hasNextPage,
      }),
      hasPreviousPage: t.boolean({
        description: "Whether there are more before this page. Always so when it starts at the cursor `after`.",
        resolve: (page) => page.hasPreviousPage,
      }),
      startCursor: t.string({
        nullable: true,
        description: "The cursor of the page's first row: give it as `before` for the page before.",
        resolve: (page) => cursorAt(page, 0),
      }),
      endCursor: t.string({
        nullable: true,
        description: "The cursor of the page's last row: give it as `after` for the next page.",
        resolve: (page) => cursorAt(page, -1),
      }),
    }),
  });
});

function cursorAt(page: Connection<unknown>, index: number): string | null {
  if (page.failure !== undefined) throw page.failure;
  const row = page.rows.at(index);
  return row === undefined ? null : formatCursor(page.keyOf(row));
}

const rows = perSchema((): Record<string, Policy[string]> => ({}));

/** The policy rows of the types that are made here: they are visible with the list. */
export function connectionPolicy(builder: Builder): Policy {
  return rows(builder);
}

function addRows(builder: Builder, type: string, fields: string): void {
  rows(builder)[type] = asParent(fields);
}

/**
 * Declares `<name>Connection` and `<name>Edge` over a type. `isKey`: whether a cursor holds such a key; left out: an id.
 * `read` reads one page and says how its rows are told apart. It throws INVALID_INPUT on bad arguments.
 */
export function connectionType<Node extends NodeType>(
  name: string,
  node: Node,
  keyOf: (row: RowOf<Node>) => string,
  isKey?: (text: string) => boolean,
) {
  type Row = RowOf<Node>;
  const connection = perSchema((builder) => {
    addRows(builder, `${name}Connection`, "edges pageInfo");
    return builder.objectRef<Connection<Row>>(`${name}Connection`).implement({
      description: `A page of a list of ${nameOf(builder, node)} rows.`,
      fields: (t) => ({
        edges: t.field({ type: [edgeType(builder, name, node)], description: EDGES, resolve: toEdges }),
        pageInfo: t.field({
          type: PageInfo(builder),
          description: PAGE_INFO,
          resolve: (page) => page as Connection<unknown>,
        }),
      }),
    });
  });
  /** `by`: how rows are told apart, where that is another way than the list's own. */
  const read = async (
    args: PageArguments,
    list: (page: PageRequest) => Promise<Page<Row>>,
    by: { keyOf: (row: Row) => string; isKey?: (text: string) => boolean } = isKey === undefined
      ? { keyOf }
      : { keyOf, isKey },
  ): Promise<Connection<Row>> => {
    return { ...(await list(readPageRequest(args, by.isKey))), keyOf: by.keyOf };
  };
  return { connection, read };
}

/** A connection that is read when one of its fields is asked for. */
type DistantConnection<Row> = { load: () => Promise<Connection<Row>>; request: PageRequest };

/**
 * As {@link connectionType}, for rows that are read elsewhere than what they belong to, and may be out of reach. That must not
 * cost the whole answer, as a failure does where nothing up to the root may be null: the connection is there in any case,
 * `edges` and the cursors are null, each with the error, and `pageInfo` says that there is no more.
 */
export function distantConnectionType<Node extends NodeType>(
  name: string,
  node: Node,
  keyOf: (row: RowOf<Node>) => string,
) {
  type Row = RowOf<Node>;
  const connection = perSchema((builder) => {
    addRows(builder, `${name}Connection`, "edges pageInfo");
    return builder.objectRef<DistantConnection<Row>>(`${name}Connection`).implement({
      description: `A page of a list of ${nameOf(builder, node)} rows, which may be out of reach: then edges is null, with an error.`,
      fields: (t) => ({
        edges: t.field({
          type: [edgeType(builder, name, node)],
          nullable: true,
          description: EDGES,
          resolve: async ({ load }) => toEdges(await load()),
        }),
        pageInfo: t.field({
          type: PageInfo(builder),
          description: `${PAGE_INFO} Says that there is no more when the rows are out of reach.`,
          // A failure here would take away what the rows belong to.
          resolve: async ({ load, request }) => {
            try {
              return (await load()) as Connection<unknown>;
            } catch (error) {
              const failure = error instanceof Error ? error : new Error("rows could not be read", { cause: error });
              const hasPreviousPage = request.after !== null && request.backwards !== true;
              return { rows: [], hasNextPage: false, hasPreviousPage, keyOf: () => "", failure };
            }
          },
        }),
      }),
    });
  });
  /** Says how to read the page. `list` is called for each field, so it must remember. INVALID_INPUT on bad arguments. */
  const read = (args: PageArguments, list: (page: PageRequest) => Promise<Page<Row>>): DistantConnection<Row> => {
    const request = readPageRequest(args);
    return { load: async () => ({ ...(await list(request)), keyOf }), request };
  };
  return { connection, read };
}

/**
 * Gives a list type the field `totalCount`. The list's resolver adds `count` to its page. For lists that an index counts within a
 * bound: others would read every row for it.
 */
export function addTotalCount<Row>(builder: Builder, connection: TypeRef<Connection<Row>>, description: string): void {
  builder.objectField(connection, "totalCount", (t) =>
    t.int({ nullable: true, description, resolve: (page) => page.count?.() ?? null }),
  );
}

const EDGES = "The rows of the page with their cursors.";
const PAGE_INFO = "Where the page ends.";

function nameOf(builder: Builder, node: NodeType): string {
  return typeof node === "function" ? node(builder).name : node;
}

function edgeType<Node extends NodeType>(builder: Builder, name: string, node: Node) {
  type Row = RowOf<Node>;
  addRows(builder, `${name}Edge`, "node cursor");
  // A name of the engine's types and its rows belong together, which the compiler cannot see here.
  const type = (typeof node === "function" ? node(builder) : node) as TypeRef<Row>;
  return builder.objectRef<Edge<Row>>(`${name}Edge`).implement({
    description: `One ${nameOf(builder, node)} of a list, with its cursor.`,
    fields: (t) => ({
      node: t.field({
        type,
        description: "The row itself.",
        resolve: (parent) => parent.node as never,
      }),
      cursor: t.string({
        description: "Give it as `after` for what follows this row, as `before` for what precedes it.",
        resolve: (parent) => parent.cursor,
      }),
    }),
  });
}

function toEdges<Row>(page: Connection<Row>): Edge<Row>[] {
  return page.rows.map((row) => ({ node: row, cursor: formatCursor(page.keyOf(row)) }));
}

/** The arguments of every connection field. */
export const pageArguments = perSchema((builder) =>
  builder.args((t) => ({
    first: t.int({
      required: false,
      description: "How many rows at most, from the page's start; 20 when left out, 100 at most.",
    }),
    after: t.string({ required: false, description: "The cursor after which the page starts." }),
    last: t.int({
      required: false,
      description: "How many rows at most, up to the page's end, in the list's order; 100 at most. Not with first.",
    }),
    before: t.string({
      required: false,
      description: "The cursor before which the page ends. Alone it gives the 20 rows before it.",
    }),
  })),
);
