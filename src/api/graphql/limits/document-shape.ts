/**
 * The shape of a document: how deep its operations are, how many aliases and root fields they have, how long an alias is.
 * Needs no schema, so it is looked at before validation, which itself takes long for a document made to be expensive.
 */
import { type DocumentNode, Kind, type SelectionSetNode } from "graphql";
import { fragmentsOf } from "#api/graphql/fragments";
import { TenantryError } from "#base/kernel/errors";
import type { Limits } from "#base/kernel/limits";

/** Of the operation that has most of each. A fragment counts wherever it is spread. */
export type DocumentShape = { depth: number; aliases: number; rootFields: number };

/** Beyond any limit. Keeps the sums of fragments in fragments in fragments from running into infinity. */
const MANY = 1_000_000;
/** An alias is in the answer once per row: a long one makes much of few tokens. */
const MAX_ALIAS_LENGTH = 100;

/** Measures in time linear in the document: each fragment is looked at once. A cycle of fragments counts as nothing. */
export function measureShape(document: DocumentNode): DocumentShape {
  const fragments = fragmentsOf(document);
  const measured = new Map<string, DocumentShape>();

  const measureFragment = (name: string): DocumentShape => {
    const found = measured.get(name);
    if (found !== undefined) return found;
    const nothing = { depth: 0, aliases: 0, rootFields: 0 };
    const fragment = fragments.get(name);
    // Seen before it is done: a cycle, which validation refuses.
    measured.set(name, nothing);
    const shape = fragment === undefined ? nothing : measure(fragment.selectionSet);
    measured.set(name, shape);
    return shape;
  };

  const measure = ({ selections }: SelectionSetNode): DocumentShape => {
    const shape = { depth: 0, aliases: 0, rootFields: 0 };
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        // What introspection may ask for is bounded by a rule of its own in graphql-js.
        const inner =
          selection.selectionSet === undefined || selection.name.value.startsWith("__")
            ? { depth: 0, aliases: 0 }
            : measure(selection.selectionSet);
        shape.depth = Math.max(shape.depth, 1 + inner.depth);
        shape.aliases += (selection.alias === undefined ? 0 : 1) + inner.aliases;
        shape.rootFields += 1;
      } else {
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? measureFragment(selection.name.value)
            : measure(selection.selectionSet);
        shape.depth = Math.max(shape.depth, inner.depth);
        shape.aliases += inner.aliases;
        shape.rootFields += inner.rootFields;
      }
    }
    return { ...shape, aliases: Math.min(shape.aliases, MANY), rootFields: Math.min(shape.rootFields, MANY) };
  };

  const most = { depth: 0, aliases: 0, rootFields: 0 };
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const shape = measure(definition.selectionSet);
    most.depth = Math.max(most.depth, shape.depth);
    most.aliases = Math.max(most.aliases, shape.aliases);
    most.rootFields = Math.max(most.rootFields, shape.rootFields);
  }
  return most;
}

/** Of all operations and fragments, and also of what introspection is asked for. Each definition is looked at once. */
function longestAliasOf({ definitions }: DocumentNode): number {
  let longest = 0;
  const look = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
      if (selection.kind === Kind.FIELD) longest = Math.max(longest, selection.alias?.value.length ?? 0);
      if (selection.selectionSet !== undefined) look(selection.selectionSet);
    }
  };
  for (const definition of definitions) if ("selectionSet" in definition) look(definition.selectionSet);
  return longest;
}

/** What the document has too much of; undefined: nothing. */
export function findExcess(
  document: DocumentNode,
  limits: Pick<Limits, "maxDepth" | "maxAliases" | "maxRootFields">,
): TenantryError | undefined {
  const { depth, aliases, rootFields } = measureShape(document);
  const refuse = (message: string) => new TenantryError("LIMIT_EXCEEDED", message, { limit: "document" });
  if (depth > limits.maxDepth)
    return refuse(`The operation is ${depth} fields deep, and ${limits.maxDepth} is the most.`);
  if (aliases > limits.maxAliases)
    return refuse(`The operation has ${many(aliases)} aliases, and ${limits.maxAliases} is the most.`);
  if (rootFields > limits.maxRootFields)
    return refuse(`The operation has ${many(rootFields)} fields at its root, and ${limits.maxRootFields} is the most.`);
  const longest = longestAliasOf(document);
  if (longest > MAX_ALIAS_LENGTH)
    return refuse(`An alias is ${longest.toLocaleString("en")} characters long, and ${MAX_ALIAS_LENGTH} is the most.`);
  return undefined;
}

function many(count: number): string {
  return count >= MANY ? `over ${MANY}` : String(count);
}
