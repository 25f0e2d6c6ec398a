/** Relay connections, forward only: `first` and `after`. */
import { formatCursor, type Page, type PageRequest, readPageRequest } from "#base/kernel/page";
import { builder, type ObjectShapes } from "#api/graphql/builder";

export type Connection<Row> = Page<Row> & { after: string | null; keyOf: (row: Row) => string };
type Edge<Row> = { node: Row; cursor: string };

export const PageInfo = builder.objectRef<Connection<unknown>>("PageInfo").implement({
  description: "Where a page of a list ends, and whether there is more.",
  fields: (t) => ({
    hasNextPage: t.boolean({
      description: "Whether there are more after this page.",
      resolve: (page) => page.hasNextPage,
    }),
    hasPreviousPage: t.boolean({
      description: "Whether this page started after a cursor, so that there is something before it.",
      resolve: (page) => page.after !== null,
    }),
    startCursor: t.string({
      nullable: true,
      description: "The cursor of the page's first row.",
      resolve: (page) => cursorAt(page, 0),
    }),
    endCursor: t.string({
      nullable: true,
      description: "The cursor of the page's last row: give it as `after` for the next page.",
      resolve: (page) => cursorAt(page, -1),
    }),
  }),
});

function cursorAt(page: Connection<unknown>, index: number): string | null {
  const row = page.rows.at(index);
  return row === undefined ? null : formatCursor(page.keyOf(row));
}

type NodeName =
  | "User"
  | "Organization"
  | "Membership"
  | "Placement"
  | "Resource"
  | "Comment"
  | "Job"
  | "Invitation"
  | "ApiKey"
  | "AuditEntry"
  | "BorderCrossing"
  | "BorderRefusal";
type NodeRow<Name extends NodeName> = ObjectShapes[Name];

type PageArguments = { first?: number | null | undefined; after?: string | null | undefined };

/** Defines `<name>Connection` and `<name>Edge` over a type. `isKey`: whether a cursor holds such a key; left out: an id. */
export function connectionType<Name extends NodeName>(
  name: string,
  node: Name,
  keyOf: (row: NodeRow<Name>) => string,
  isKey?: (text: string) => boolean,
) {
  type Row = NodeRow<Name>;
  const connection = builder.objectRef<Connection<Row>>(`${name}Connection`).implement({
    description: `A page of a list of ${node} rows.`,
    fields: (t) => ({
      edges: t.field({ type: [edgeType(name, node)], description: EDGES, resolve: toEdges }),
      pageInfo: t.field({ type: PageInfo, description: PAGE_INFO, resolve: (page) => page as Connection<unknown> }),
    }),
  });
  /** Reads one page and says how its rows are told apart. */
  const read = async (
    args: PageArguments,
    list: (page: PageRequest) => Promise<Page<Row>>,
  ): Promise<Connection<Row>> => {
    const request = readPageRequest(args.first, args.after, isKey);
    return { ...(await list(request)), after: request.after, keyOf };
  };
  return { connection, read };
}

/** A connection that is read when one of its fields is asked for. */
type DistantConnection<Row> = { load: () => Promise<Connection<Row>> };

/**
 * The same for rows that are read elsewhere than what they belong to, and may be out of reach. That must not cost the whole
 * answer, as a failure does where nothing up to the root may be null: the connection is there in any case, and `edges` and
 * `pageInfo` are null, each with the error.
 */
export function distantConnectionType<Name extends NodeName>(
  name: string,
  node: Name,
  keyOf: (row: NodeRow<Name>) => string,
) {
  type Row = NodeRow<Name>;
  const connection = builder.objectRef<DistantConnection<Row>>(`${name}Connection`).implement({
    description: `A page of a list of ${node} rows, which may be out of reach: then its fields are null, with an error.`,
    fields: (t) => ({
      edges: t.field({
        type: [edgeType(name, node)],
        nullable: true,
        description: EDGES,
        resolve: async ({ load }) => toEdges(await load()),
      }),
      pageInfo: t.field({
        type: PageInfo,
        nullable: true,
        description: PAGE_INFO,
        resolve: async ({ load }) => (await load()) as Connection<unknown>,
      }),
    }),
  });
  /** Says how to read the page. `list` is called for each field, so it must remember. INVALID_INPUT on bad arguments. */
  const read = (args: PageArguments, list: (page: PageRequest) => Promise<Page<Row>>): DistantConnection<Row> => {
    const request = readPageRequest(args.first, args.after);
    return { load: async () => ({ ...(await list(request)), after: request.after, keyOf }) };
  };
  return { connection, read };
}

const EDGES = "The rows of the page with their cursors.";
const PAGE_INFO = "Where the page ends.";

function edgeType<Name extends NodeName>(name: string, node: Name) {
  return builder.objectRef<Edge<NodeRow<Name>>>(`${name}Edge`).implement({
    description: `One ${node} of a list, with its cursor.`,
    fields: (t) => ({
      node: t.field({
        type: node,
        description: "The row itself.",
        resolve: (parent) => parent.node as never,
      }),
      cursor: t.string({
        description: "Give it as `after` for what follows this row.",
        resolve: (parent) => parent.cursor,
      }),
    }),
  });
}

function toEdges<Row>(page: Connection<Row>): Edge<Row>[] {
  return page.rows.map((row) => ({ node: row, cursor: formatCursor(page.keyOf(row)) }));
}

/** The arguments of every connection field. */
export const pageArguments = builder.args((t) => ({
  first: t.int({ required: false, description: "How many rows at most; 20 when left out, 100 at most." }),
  after: t.string({ required: false, description: "The cursor after which the page starts." }),
}));
