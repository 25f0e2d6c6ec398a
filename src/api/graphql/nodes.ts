/** Objects that a client can ask for by nothing but their id, as Relay and caches of clients want it. */
import { TenantryError } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";
import { type Builder, perSchema } from "#api/graphql/builder";
import type { GraphQLContext } from "#api/graphql/context";

/** Finds the object with this id. Returns null, or throws NOT_FOUND, when the caller may see no such object. */
export type FindNode = (id: string, context: GraphQLContext) => Promise<object | null>;

/** Rows that were found, with the names of their types. The rows of a request are objects of its own. */
const typeNames = new WeakMap<object, string>();

/** The interface of everything that {@link findNode} can find. */
export const Node = perSchema((builder) =>
  builder.interfaceRef<object>("Node").implement({
    description: "An object that can be asked for by its id alone. No two objects have the same id.",
    fields: (t) => ({ id: t.id({ description: "Tells the object from every other, of whatever type." }) }),
    resolveType: (row) => typeNames.get(row),
  }),
);

/** How the objects of each type are found. */
const finders = perSchema(() => ({
  home: new Map<string, FindNode>(),
  content: new Map<string, FindNode>(),
  composed: new Map<string, FindNode>(),
}));

/** Says how objects of a type at home are found by their id. The type implements {@link Node}. */
export function addNodeType(builder: Builder, type: string, find: FindNode): void {
  finders(builder).home.set(type, find);
}

/** As {@link addNodeType}, for objects whose id is made of those of others. */
export function addComposedNodeType(builder: Builder, type: string, find: FindNode): void {
  finders(builder).composed.set(type, find);
}

/** As {@link addNodeType}, for content, which is looked up where its id says that it lives. */
export function addContentNodeType(builder: Builder, type: string, find: FindNode): void {
  finders(builder).content.set(type, find);
}

/**
 * Finds the object with this id, of any type. Returns null when the caller may see no such object. Throws REGION_UNAVAILABLE or
 * CONFLICT when the id points to a region that cannot be read now, whether or not the row exists.
 */
export async function findNode(builder: Builder, id: string, context: GraphQLContext): Promise<object | null> {
  const { home, content, composed } = finders(builder);
  if (!isUuid(id)) return findAmong(composed, id, context);
  return (await findAmong(home, id, context)) ?? (await findAmong(content, id, context));
}

async function findAmong(
  types: ReadonlyMap<string, FindNode>,
  id: string,
  context: GraphQLContext,
): Promise<object | null> {
  const look = async ([type, find]: [string, FindNode]): Promise<object | null> => {
    const row = await find(id, context).catch(nullIfMissing);
    if (row !== null) typeNames.set(row, type);
    return row;
  };
  return (await Promise.all([...types].map(look))).find((row) => row !== null) ?? null;
}

function nullIfMissing(error: unknown): null {
  if (error instanceof TenantryError && error.code === "NOT_FOUND") return null;
  throw error;
}
