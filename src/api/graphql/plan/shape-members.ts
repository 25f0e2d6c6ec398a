/** What an operation selects of a shape, for the statements of plan/shape-text.ts. */
import type { FieldNode } from "graphql";
import type { Member } from "#engine/routing/region-text";
import type { Fragments } from "#api/graphql/fragments";
import { membersOf, NotPlanned } from "#api/graphql/plan/selections";
import type { TypeName } from "#api/graphql/plan/sql-text";
import type { ColumnField, Declaration, MemberField, PageField } from "#api/graphql/shapes/fields";

type Nodes = readonly FieldNode[];

export type PersonValue =
  | TypeName
  | { readonly kind: "person"; readonly column: "id" | "name" | "email" | "createdAt" };
type OwnerValue = TypeName | { readonly kind: "owner"; readonly column: "id" | "name" };
type RegionValue = "__typename" | "id" | "key" | "name";

/** What is in the row itself, or in the directory of its database. */
export type RowValue =
  | TypeName
  | ColumnField
  | { readonly kind: "member"; readonly field: MemberField; readonly members: readonly Member<PersonValue>[] };
export type EdgeValue =
  | TypeName
  | { readonly kind: "cursor" }
  | { readonly kind: "node"; readonly members: readonly Member<RowValue>[] };
export type PageInfoValue =
  | TypeName
  | { readonly kind: "hasNextPage" | "hasPreviousPage" | "startCursor" | "endCursor" };
export type PageValue =
  | TypeName
  | { readonly kind: "edges"; readonly members: readonly Member<EdgeValue>[] }
  | { readonly kind: "pageInfo"; readonly members: readonly Member<PageInfoValue>[] };
export type ShapeValue =
  | RowValue
  | { readonly kind: "organization"; readonly members: readonly Member<OwnerValue>[] }
  /** Given as text: the region is no row of its own database. */
  | { readonly kind: "region" }
  /** `page`: which of the pages that are given with the id. */
  | {
      readonly kind: "page";
      readonly field: PageField<Declaration>;
      readonly page: number;
      readonly members: readonly Member<PageValue>[];
    };

/** A row's members, and the fields whose arguments say which pages are asked for. */
export type ShapeSelection = {
  members: readonly Member<ShapeValue>[];
  pages: readonly FieldNode[];
  /** What is asked of the region, which is not in its own database. */
  region: readonly Member<RegionValue>[] | undefined;
  /** Whether it takes more than a name of a person, which depends at home on who asks. */
  asksForAddress: boolean;
};

/** What is selected of a row and of what belongs to it. */
export function selectShape(shape: Declaration, nodes: Nodes, fragments: Fragments): ShapeSelection {
  const pages: FieldNode[] = [];
  let region: ShapeSelection["region"];
  const members = membersOf<ShapeValue>(nodes, shape.name, fragments, (name, fields) => {
    const field = shape.fields[name];
    switch (field?.kind) {
      case "organization":
        return { kind: "organization", members: membersOf(fields, "Organization", fragments, ownerValue) };
      case "region":
        // Two of them under different names are rare enough.
        if (region !== undefined) throw new NotPlanned();
        region = membersOf(fields, "Region", fragments, regionValue);
        return { kind: "region" };
      case "page": {
        const page = pages.push(fields[0] as FieldNode) - 1;
        const type = `${field.of.pagesName}Connection`;
        return {
          kind: "page",
          field,
          page,
          members: membersOf(fields, type, fragments, pageValue(field.of, fragments)),
        };
      }
      default:
        return rowValue(shape, fragments)(name, fields);
    }
  });
  return { members, pages, region, asksForAddress: members.some(({ value }) => asksForAddress(value)) };
}

/** What is selected of a row alone. */
export function selectRow(shape: Declaration, nodes: Nodes, fragments: Fragments): Member<RowValue>[] {
  return membersOf(nodes, shape.name, fragments, rowValue(shape, fragments));
}

const rowValue =
  (shape: Declaration, fragments: Fragments) =>
  (name: string, fields: Nodes): RowValue => {
    if (name === "__typename") return { kind: "type", type: shape.name };
    const field = shape.fields[name];
    if (field?.kind === "column") return field;
    if (field?.kind === "member")
      return { kind: "member", field, members: membersOf(fields, "User", fragments, personValue) };
    throw new NotPlanned();
  };

function asksForAddress(value: ShapeValue): boolean {
  if (value.kind === "member")
    return value.members.some((one) => one.value.kind === "person" && one.value.column === "email");
  if (value.kind !== "page") return false;
  const edges = value.members.flatMap((one) => (one.value.kind === "edges" ? one.value.members : []));
  const rows = edges.flatMap((one) => (one.value.kind === "node" ? one.value.members : []));
  return rows.some((one) => asksForAddress(one.value));
}

function personValue(name: string): PersonValue {
  if (name === "__typename") return { kind: "type", type: "User" };
  if (name === "id" || name === "name" || name === "email" || name === "createdAt")
    return { kind: "person", column: name };
  throw new NotPlanned();
}

function ownerValue(name: string): OwnerValue {
  if (name === "__typename") return { kind: "type", type: "Organization" };
  if (name === "id" || name === "name") return { kind: "owner", column: name };
  throw new NotPlanned();
}

function regionValue(name: string): RegionValue {
  if (name === "__typename" || name === "id" || name === "key" || name === "name") return name;
  throw new NotPlanned();
}

const pageValue =
  (shape: Declaration, fragments: Fragments) =>
  (name: string, fields: Nodes): PageValue => {
    switch (name) {
      case "__typename":
        return { kind: "type", type: `${shape.pagesName}Connection` };
      case "edges":
        return {
          kind: "edges",
          members: membersOf(fields, `${shape.pagesName}Edge`, fragments, edgeValue(shape, fragments)),
        };
      case "pageInfo":
        return { kind: "pageInfo", members: membersOf(fields, "PageInfo", fragments, pageInfoValue) };
      default:
        throw new NotPlanned();
    }
  };

const edgeValue =
  (shape: Declaration, fragments: Fragments) =>
  (name: string, fields: Nodes): EdgeValue => {
    if (name === "__typename") return { kind: "type", type: `${shape.pagesName}Edge` };
    if (name === "cursor") return { kind: "cursor" };
    if (name === "node") return { kind: "node", members: selectRow(shape, fields, fragments) };
    throw new NotPlanned();
  };

function pageInfoValue(name: string): PageInfoValue {
  if (name === "__typename") return { kind: "type", type: "PageInfo" };
  if (name === "hasNextPage" || name === "hasPreviousPage" || name === "startCursor" || name === "endCursor")
    return { kind: name };
  throw new NotPlanned();
}
