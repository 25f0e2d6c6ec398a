/**
 * What a type of content is, said once: its table, and its fields with the columns behind them. The GraphQL type, the statements
 * that read it and its policy are made of that.
 */

/** What a column has. Each is shown as the API shows it, whether by a resolver or in text that the database makes. */
export type Holds = "uuid" | "text" | "int" | "boolean" | "time";

/** A column of the table. `Value` is what is read of it. */
export type ColumnField<Value = unknown> = {
  readonly kind: "column";
  readonly holds: Holds;
  readonly column: string;
  readonly nullable: boolean;
  /** The text can be longer than a name: it costs a point, and is not read where nobody asks for it. */
  readonly long: boolean;
  readonly description: string | undefined;
  /** For the compiler only. */
  readonly $value?: Value;
};

/** A person whose id the column has, as the row's own database knows them; null for who is no member any more. */
export type MemberField = { readonly kind: "member"; readonly column: string; readonly description: string };

/** Whose the row is; null for the default organization. */
export type OrganizationField = { readonly kind: "organization"; readonly description: string };

/** Where the row lives; null for home. */
export type RegionField = { readonly kind: "region"; readonly description: string };

/** Rows of another shape that belong to this one, page by page, in the order of their ids, which is by age. */
export type PageField<Child> = {
  readonly kind: "page";
  readonly of: Child;
  /** The child's column that has the id of this row. */
  readonly parentColumn: string;
  readonly description: string;
};

export type Field<Child> = ColumnField | MemberField | OrganizationField | RegionField | PageField<Child>;

/** The name of a type of content, its table and its fields. */
export type Declaration<Row extends ContentRow = ContentRow> = {
  /** Of the GraphQL type. */
  readonly name: string;
  /** What the names of the types of its pages begin with. */
  readonly pagesName: string;
  /** With its schema. It has the columns `id`, `database_id` and `organization_id`. */
  readonly table: string;
  readonly fields: Readonly<Record<string, Field<Declaration>>>;
  /** Columns that are read with a row, for fields that are resolved in code. */
  readonly columns: Readonly<Record<string, ColumnField>>;
  /** For the compiler only: what is read of a row. */
  readonly $row?: Row;
};

type ColumnOptions<Nullable extends boolean> = {
  /** What the column is, for who reads the schema. */
  description?: string;
  nullable?: Nullable;
};
type Maybe<Value, Nullable extends boolean> = Nullable extends true ? Value | null : Value;

function columnField<Value, Nullable extends boolean>(
  holds: Holds,
  column: string,
  { description, nullable }: ColumnOptions<Nullable>,
  long = false,
): ColumnField<Maybe<Value, Nullable>> {
  return { kind: "column", holds, column, nullable: nullable ?? false, long, description };
}

/** The row's id. */
export function id(description = "UUIDv7 that says which database holds it."): ColumnField<string> {
  return columnField<string, false>("uuid", "id", { description });
}

/** A column of type `uuid`, shown as an `ID`. */
export function uuid<Nullable extends boolean = false>(column: string, options: ColumnOptions<Nullable> = {}) {
  return columnField<string, Nullable>("uuid", column, options);
}

/** A column of type `text`. `long`: it can be longer than a name. */
export function text<Nullable extends boolean = false>(
  column: string,
  { long, ...options }: ColumnOptions<Nullable> & { long?: boolean } = {},
) {
  return columnField<string, Nullable>("text", column, options, long);
}

/** A column of type `int` or `smallint`. */
export function int<Nullable extends boolean = false>(column: string, options: ColumnOptions<Nullable> = {}) {
  return columnField<number, Nullable>("int", column, options);
}

/** A column of type `boolean`. */
export function boolean<Nullable extends boolean = false>(column: string, options: ColumnOptions<Nullable> = {}) {
  return columnField<boolean, Nullable>("boolean", column, options);
}

/** A column of type `timestamptz`, shown as a `DateTime`. */
export function time<Nullable extends boolean = false>(column: string, options: ColumnOptions<Nullable> = {}) {
  return columnField<Date, Nullable>("time", column, options);
}

/** A person, by a column with a user's id: a `User`, or null. */
export function member(column: string, description: string): MemberField {
  return { kind: "member", column, description };
}

/** The organization whose row it is: an `Organization`, or null. */
export function organization(description: string): OrganizationField {
  return { kind: "organization", description };
}

/** The region where the row lives: a `Region`, or null. */
export function region(description: string): RegionField {
  return { kind: "region", description };
}

/** What a row has by the name of its field. A person's id is `<field>Id`. */
type ValuesOf<Name extends string, Made> =
  Made extends ColumnField<infer Value>
    ? { [Key in Name]: Value }
    : Made extends MemberField
      ? { [Key in `${Name}Id`]: string | null }
      : Made extends OrganizationField
        ? { organizationId: string | null }
        : Made extends RegionField
          ? { databaseId: number }
          : object;
type Both<Union> = (Union extends unknown ? (part: Union) => void : never) extends (both: infer All) => void
  ? All
  : never;
type Flat<Row> = { [Key in keyof Row]: Row[Key] };

/** A row as the statements of the ordinary way read it. */
export type RowOfFields<Fields> = Flat<
  Both<{ [Name in keyof Fields & string]: ValuesOf<Name, Fields[Name]> }[keyof Fields & string]>
>;

/** Every row of content has that. */
export type ContentRow = { id: string };

/** A property of rows and the column behind it, in the order of the declaration. */
export type Property = {
  readonly name: string;
  readonly column: string;
  readonly long: boolean;
  readonly nullable: boolean;
};

/** The properties of a declaration's rows. */
export function propertiesOf({ fields, columns }: Pick<Declaration, "fields" | "columns">): Property[] {
  const named = (name: string, column: string, nullable: boolean, long = false) => ({ name, column, nullable, long });
  const own = Object.entries(fields).flatMap(([name, field]): Property[] => {
    switch (field.kind) {
      case "column":
        return [named(name, field.column, field.nullable, field.long)];
      case "member":
        return [named(`${name}Id`, field.column, true)];
      case "organization":
        return [named("organizationId", "organization_id", true)];
      case "region":
        return [named("databaseId", "database_id", false)];
      default:
        return [];
    }
  });
  const further = Object.entries(columns).map(([name, { column, nullable, long }]) =>
    named(name, column, nullable, long),
  );
  // Two fields can lead to one property, such as the region.
  return [...new Map([...own, ...further].map((property) => [property.name, property])).values()];
}

/** The column behind a property. Throws when there is no such property. */
export function columnOf(declaration: Declaration, property: string): string {
  const found = propertiesOf(declaration).find(({ name }) => name === property);
  if (found === undefined) throw new Error(`Rows of ${declaration.name} have no ${property}.`);
  return found.column;
}

/** The table's name without its schema: what statements on it are named by. */
export function statementName({ table }: Pick<Declaration, "table">, what: string): string {
  return `${table.slice(table.lastIndexOf(".") + 1)}.${what}`;
}
