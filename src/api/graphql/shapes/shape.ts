/**
 * A shape: a type of content, declared once. Of it are made the GraphQL type with its resolvers, its policy rows, its list type,
 * and the statements that answer whole operations. What a shape does not say goes the ordinary way: fields that a module adds
 * to the type are resolved in code, and operations that select them are not planned.
 */
import { asParent } from "#engine/auth/policy-table";
import { type Builder, perSchema } from "#api/graphql/builder";
import { distantConnectionType, pageArguments, type TypeRef } from "#api/graphql/connections";
import { mentions } from "#api/graphql/fragments";
import type { Part } from "#api/graphql/module";
import { addContentNodeType, Node } from "#api/graphql/nodes";
import { content } from "#api/graphql/shapes/content";
import {
  type ColumnField,
  columnOf,
  type ContentRow,
  type Declaration,
  type Field,
  type MemberField,
  type PageField,
  type RowOfFields,
} from "#api/graphql/shapes/fields";

/** A declared type of content. It is a part of the module that lists it among its parts. */
export type Shape<Row extends ContentRow = ContentRow> = Declaration<Row> &
  Part & {
    readonly fields: Readonly<Record<string, Field<Shape>>>;
    /** What entries of the audit log call such a row. */
    readonly subject: string;
    /** The table at home that lists such rows of every region; undefined: there is none. */
    readonly catalog: string | undefined;
    /** In which orders they are listed, besides that of their ids: by the property that each is of. */
    readonly orders: Readonly<Record<string, string>> | undefined;
    /** The GraphQL type in a schema, for fields that lead to it or are added to it. */
    readonly type: (builder: Builder) => TypeRef<Row>;
    /** Pages of such rows, read where they live. */
    readonly pages: PagesOf;
  };

/** Rows of a shape as resolvers get them. */
export type RowOf<Of> = Of extends Shape<infer Row> ? Row : never;

type PagesOf = ReturnType<typeof pagesType>;
function pagesType(name: string, type: (builder: Builder) => TypeRef<ContentRow>) {
  return distantConnectionType(name, type, (row) => row.id);
}

type Fields = Readonly<Record<string, Field<Shape>>>;
type Columns = Readonly<Record<string, ColumnField>>;
/** Without columns `More` is all that there could be. */
type RowMadeOf<Own extends Fields, More extends Columns> = ContentRow &
  RowOfFields<string extends keyof More ? Own : Own & More>;

/**
 * Declares a type of content.
 *
 * @example
 * export const Invoice = shape("Invoice", {
 *   description: "What a customer owes.",
 *   table: "app.invoices",
 *   subject: "INVOICE",
 *   fields: {
 *     id: id(),
 *     number: text("number", { description: "Unique in the organization." }),
 *     lines: page(Line, { by: "invoiceId", description: "What is billed, oldest first." }),
 *   },
 * });
 */
export function shape<const Own extends Fields, const More extends Columns>(
  name: string,
  options: {
    description: string;
    /** With its schema. It has the columns `id`, `database_id` and `organization_id`. */
    table: string;
    /** What entries of the audit log call such a row, such as `INVOICE`. */
    subject: string;
    /** The table at home that lists such rows of every region; left out: they are not listed. */
    catalog?: string | undefined;
    /**
     * In which orders they are listed besides that of their ids, such as `{ NAME: "name", UPDATED: "updatedAt" }`: texts and
     * times that a migration gives to `tenantry.catalog_orders`. By the start of NAME they are found, too.
     */
    orders?: Readonly<Record<string, keyof Own & string>>;
    /** Visible when their object is. */
    fields: Own;
    /** Columns that are read with a row, for fields that are resolved in code. */
    columns?: More;
  },
): Shape<RowMadeOf<Own, More>> {
  type Row = RowMadeOf<Own, More>;
  const { table, subject, catalog, fields } = options;
  // What is listed in the catalog has a list type of its own.
  const pagesName = catalog === undefined ? name : `${name}Page`;
  const columns = options.columns ?? {};
  const declaration: Declaration<Row> & { fields: Fields } = { name, pagesName, table, fields, columns };
  const type = perSchema((builder) => builder.objectRef<Row>(name));
  const longTexts = Object.entries(fields).flatMap(([field, made]) =>
    made.kind === "column" && made.long ? [`${name}.${field}`] : [],
  );
  return {
    ...declaration,
    subject,
    catalog,
    orders: options.orders,
    type,
    pages: pagesType(pagesName, type),
    subjects: [subject],
    policy: { [name]: asParent(Object.keys(fields).join(" ")) },
    longTexts,
    types: [
      (builder) => {
        // A type without an id column cannot be a node.
        const hasId = fields["id"]?.kind === "column" && fields["id"].holds === "uuid";
        builder.objectType(type(builder), {
          description: options.description,
          ...(hasId && { interfaces: [Node(builder)] }),
        });
        if (hasId) addContentNodeType(builder, name, (id, { loaders }) => loaders.of(content).row(declaration, id));
        for (const [field, made] of Object.entries(fields)) addField(builder, type(builder), declaration, field, made);
      },
    ],
  };
}

/** Rows of another shape that belong to a row, page by page. `by` is the property of a child that has the id of the row. */
export function page<Row extends ContentRow>(
  of: Shape<Row>,
  { by, description }: { by: keyof Row & string; description: string },
): PageField<Shape> {
  return { kind: "page", of, parentColumn: columnOf(of, by), description };
}

type AnyRow = ContentRow & Readonly<Record<string, unknown>>;

function addField(
  builder: Builder,
  type: TypeRef<AnyRow>,
  declaration: Declaration,
  name: string,
  field: Field<Shape>,
): void {
  switch (field.kind) {
    case "column":
      return addColumn(builder, type, name, field);
    case "member":
      return addMember(builder, type, declaration, name, field);
    case "organization":
      return builder.objectField(type, name, (t) =>
        t.field({
          type: "Organization",
          nullable: true,
          description: field.description,
          resolve: ({ organizationId }, _, { loaders }) =>
            organizationId === null ? null : loaders.organizations.load(organizationId as string),
        }),
      );
    case "region":
      return builder.objectField(type, name, (t) =>
        t.field({
          type: "Region",
          nullable: true,
          description: field.description,
          resolve: ({ databaseId }, _, { loaders }) =>
            databaseId === 0 ? null : loaders.regionsOfDatabases.load(databaseId as number),
        }),
      );
    default:
      return addPage(builder, type, declaration, name, field);
  }
}

const SCALARS = { uuid: "ID", text: "String", int: "Int", boolean: "Boolean", time: "DateTime" } as const;

function addColumn(builder: Builder, type: TypeRef<AnyRow>, name: string, field: ColumnField): void {
  const { holds, nullable, description } = field;
  builder.objectField(type, name, (t) =>
    t.field({
      type: SCALARS[holds],
      nullable,
      ...(description !== undefined && { description }),
      // The declaration says what the column has, and the statement reads that column.
      resolve: (row) => row[name] as never,
    }),
  );
}

function addMember(
  builder: Builder,
  type: TypeRef<AnyRow>,
  declaration: Declaration,
  name: string,
  { description }: MemberField,
): void {
  const property = `${name}Id`;
  builder.objectField(type, name, (t) =>
    t.field({
      type: "User",
      nullable: true,
      description,
      resolve: (row, _, { loaders }) => {
        const userId = row[property];
        return typeof userId === "string" ? loaders.of(content).member(declaration, row, userId) : null;
      },
    }),
  );
}

function addPage(
  builder: Builder,
  type: TypeRef<AnyRow>,
  declaration: Declaration,
  name: string,
  field: PageField<Shape>,
): void {
  const { pages, fields } = field.of;
  const longTexts = Object.keys(fields).filter((one) => {
    const made = fields[one];
    return made?.kind === "column" && made.long;
  });
  const people = Object.keys(fields).filter((one) => fields[one]?.kind === "member");
  builder.objectField(type, name, (t) =>
    t.field({
      type: pages.connection(builder),
      description: `${field.description} Read where the row lives: when that cannot be reached, edges and the cursors are null, each with an error, and pageInfo says that there is no more.`,
      args: pageArguments(builder),
      resolve: ({ id }, args, { loaders }, info) =>
        pages.read(args, (request) =>
          loaders.of(content).page(declaration, field, id, request, {
            longTexts: longTexts.some((one) => mentions(info, one)),
            people: people.some((one) => mentions(info, one)),
          }),
        ),
    }),
  );
}
