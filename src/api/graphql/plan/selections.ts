/** Reads selections of a validated document as members of a JSON object, in the order in which they are answered. */
import { type FieldNode, Kind, type SelectionSetNode } from "graphql";
import type { Fragments } from "#api/graphql/fragments";
import type { Member } from "#engine/routing/region-text";

/** Thrown for what is not planned; the operation goes the ordinary way. */
export class NotPlanned extends Error {}

/** The members that fields select of an object of the type. `value` says what one of them is, by the fields that ask for it. */
export function membersOf<Value>(
  parents: readonly FieldNode[],
  type: string,
  fragments: Fragments,
  value: (name: string, fields: readonly FieldNode[]) => Value,
): Member<Value>[] {
  const fields = new Map<string, FieldNode[]>();
  for (const { selectionSet } of parents)
    if (selectionSet !== undefined) collect(selectionSet, type, fragments, fields);
  return [...fields].map(([name, nodes]) => ({ name, value: value(nodes[0]?.name.value ?? "", nodes) }));
}

/** By the name in the answer: fields that have the same one are one, with the selections of both. */
export function collect(
  { selections }: SelectionSetNode,
  type: string,
  fragments: Fragments,
  fields: Map<string, FieldNode[]>,
): void {
  for (const selection of selections) {
    // @skip and @include depend on variables, others are not known here.
    if (selection.directives !== undefined && selection.directives.length > 0) throw new NotPlanned();
    if (selection.kind === Kind.FIELD) {
      const name = selection.alias?.value ?? selection.name.value;
      const found = fields.get(name);
      if (found === undefined) fields.set(name, [selection]);
      else found.push(selection);
      continue;
    }
    const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
    if (fragment === undefined || (fragment.directives ?? []).length > 0) throw new NotPlanned();
    // A condition names the type itself, or the interface Node: rare enough to go the ordinary way.
    if (fragment.typeCondition !== undefined && fragment.typeCondition.name.value !== type) throw new NotPlanned();
    collect(fragment.selectionSet, type, fragments, fields);
  }
}
