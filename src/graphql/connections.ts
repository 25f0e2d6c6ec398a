/** Relay connections, forward only: `first` and `after`. */
import { formatCursor, type Page, type PageRequest, readPageRequest } from "#kernel/page";
import { builder, type ObjectShapes } from "#graphql/builder";

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
  | "Operation"
  | "Invitation"
  | "ApiKey"
  | "AuditEntry";
type NodeRow<Name extends NodeName> = ObjectShapes[Name];

/** Defines `<name>Connection` and `<name>Edge` over a type. */
export function connectionType<Name extends NodeName>(name: string, node: Name, keyOf: (row: NodeRow<Name>) => string) {
  type Row = NodeRow<Name>;
  const edge = builder.objectRef<Edge<Row>>(`${name}Edge`).implement({
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
  const connection = builder.objectRef<Connection<Row>>(`${name}Connection`).implement({
    description: `A page of a list of ${node} rows.`,
    fields: (t) => ({
      edges: t.field({
        type: [edge],
        description: "The rows of the page with their cursors.",
        resolve: (page) => page.rows.map((row) => ({ node: row, cursor: formatCursor(page.keyOf(row)) })),
      }),
      pageInfo: t.field({
        type: PageInfo,
        description: "Where the page ends.",
        resolve: (page) => page as Connection<unknown>,
      }),
    }),
  });
  /** Reads one page and says how its rows are told apart. */
  const read = async (
    args: { first?: number | null | undefined; after?: string | null | undefined },
    list: (page: PageRequest) => Promise<Page<Row>>,
  ): Promise<Connection<Row>> => {
    const request = readPageRequest(args.first, args.after);
    return { ...(await list(request)), after: request.after, keyOf };
  };
  return { connection, read };
}

/** The arguments of every connection field. */
export const pageArguments = builder.args((t) => ({
  first: t.int({ required: false, description: "How many rows at most; 20 when left out, 100 at most." }),
  after: t.string({ required: false, description: "The cursor after which the page starts." }),
}));
