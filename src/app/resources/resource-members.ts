/** What operations select of resources and comments, for the statements of app/resources/resource-text.ts. */
import type { FieldNode } from "graphql";
import type {
  AuthorValue,
  CommentValue,
  EdgeValue,
  PageInfoValue,
  PageValue,
  ResourceValue,
} from "#app/resources/resource-text";
import type { Member } from "#engine/routing/region-text";
import type { Fragments } from "#api/graphql/fragments";
import { membersOf, NotPlanned } from "#api/graphql/plan/selections";

type Nodes = readonly FieldNode[];

/** A resource's members, and the fields whose arguments say which pages are asked for. */
export type ResourceSelection = {
  members: readonly Member<ResourceValue>[];
  pages: readonly FieldNode[];
  /** What is asked of the region, which is not in its own database. */
  region: readonly Member<"__typename" | "key" | "name">[] | undefined;
  /** Whether it takes more than a name of an author, which depends at home on who asks. */
  asksForAddress: boolean;
};

export function selectResource(nodes: Nodes, fragments: Fragments): ResourceSelection {
  const pages: FieldNode[] = [];
  let region: ResourceSelection["region"];
  let asksForAddress = false;
  const members = membersOf<ResourceValue>(nodes, "Resource", fragments, (name, fields) => {
    switch (name) {
      case "__typename":
        return { kind: "type", type: "Resource" };
      case "id":
      case "name":
      case "createdAt":
        return { kind: "column", column: name };
      case "organization":
        return { kind: "organization", members: membersOf(fields, "Organization", fragments, organizationValue) };
      case "region":
        // Two of them under different names are rare enough.
        if (region !== undefined) throw new NotPlanned();
        region = membersOf(fields, "Region", fragments, regionValue);
        return { kind: "region" };
      case "comments": {
        const page = pages.push(fields[0] as FieldNode) - 1;
        const selected = membersOf(fields, "CommentConnection", fragments, pageValue(fragments));
        asksForAddress ||= selected.some(({ value }) => value.kind === "edges" && asksFor(value.members));
        return { kind: "comments", page, members: selected };
      }
      default:
        throw new NotPlanned();
    }
  });
  return { members, pages, region, asksForAddress };
}

function asksFor(edges: readonly Member<EdgeValue>[]): boolean {
  const authors = edges.flatMap(({ value }) =>
    value.kind === "node" ? value.members.flatMap((one) => (one.value.kind === "author" ? one.value.members : [])) : [],
  );
  return authors.some(({ value }) => value.kind === "column" && value.column === "email");
}

/** A comment's members. */
export function selectComment(nodes: Nodes, fragments: Fragments): Member<CommentValue>[] {
  return membersOf(nodes, "Comment", fragments, (name, fields) => {
    switch (name) {
      case "__typename":
        return { kind: "type", type: "Comment" };
      case "id":
      case "body":
      case "createdAt":
        return { kind: "column", column: name };
      case "author":
        return { kind: "author", members: membersOf(fields, "User", fragments, authorValue) };
      default:
        throw new NotPlanned();
    }
  });
}

function authorValue(name: string): AuthorValue {
  if (name === "__typename") return { kind: "type", type: "User" };
  if (name === "id" || name === "name" || name === "email" || name === "createdAt")
    return { kind: "column", column: name };
  throw new NotPlanned();
}

function organizationValue(name: string): { kind: "type"; type: string } | { kind: "column"; column: "id" | "name" } {
  if (name === "__typename") return { kind: "type", type: "Organization" };
  if (name === "id" || name === "name") return { kind: "column", column: name };
  throw new NotPlanned();
}

function regionValue(name: string): "__typename" | "key" | "name" {
  if (name === "__typename" || name === "key" || name === "name") return name;
  throw new NotPlanned();
}

const pageValue =
  (fragments: Fragments) =>
  (name: string, fields: Nodes): PageValue => {
    switch (name) {
      case "__typename":
        return { kind: "type", type: "CommentConnection" };
      case "edges":
        return { kind: "edges", members: membersOf(fields, "CommentEdge", fragments, edgeValue(fragments)) };
      case "pageInfo":
        return { kind: "pageInfo", members: membersOf(fields, "PageInfo", fragments, pageInfoValue) };
      default:
        throw new NotPlanned();
    }
  };

const edgeValue =
  (fragments: Fragments) =>
  (name: string, fields: Nodes): EdgeValue => {
    if (name === "__typename") return { kind: "type", type: "CommentEdge" };
    if (name === "cursor") return { kind: "cursor" };
    if (name === "node") return { kind: "node", members: selectComment(fields, fragments) };
    throw new NotPlanned();
  };

function pageInfoValue(name: string): PageInfoValue {
  if (name === "__typename") return { kind: "type", type: "PageInfo" };
  if (name === "hasNextPage" || name === "hasPreviousPage" || name === "startCursor" || name === "endCursor")
    return { kind: name };
  throw new NotPlanned();
}
