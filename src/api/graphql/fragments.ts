import {
  BREAK,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  Kind,
  type OperationDefinitionNode,
  visit,
} from "graphql";

/** The fragments of a document, by their names. */
export type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

export function fragmentsOf({ definitions }: DocumentNode): Fragments {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  return fragments;
}

/** By operation, whether it or one of its fragments has a field of a name. */
const mentioned = new WeakMap<OperationDefinitionNode, Map<string, boolean>>();

/** Whether a field of this name is anywhere in what is asked; one that is in no answer counts too. */
export function mentions({ operation, fragments }: GraphQLResolveInfo, name: string): boolean {
  const known = mentioned.get(operation) ?? new Map<string, boolean>();
  mentioned.set(operation, known);
  const found = known.get(name) ?? [operation, ...Object.values(fragments)].some((node) => hasField(node, name));
  known.set(name, found);
  return found;
}

function hasField(node: OperationDefinitionNode | FragmentDefinitionNode, name: string): boolean {
  let found = false;
  visit(node, {
    Field(field) {
      if (field.name.value !== name) return undefined;
      found = true;
      return BREAK;
    },
  });
  return found;
}
