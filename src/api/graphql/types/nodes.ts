import { listed, row } from "#engine/auth/policy-table";
import { invalidInput } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";
import { MAX_PAGE_SIZE } from "#base/kernel/page";
import type { Builder } from "#api/graphql/builder";
import { defineModule } from "#api/graphql/module";
import { findNode, Node } from "#api/graphql/nodes";
import { parseMembershipId } from "#engine/home/memberships";

const DESCRIPTION = "Null when the caller may see no such object. An error when its region cannot be read now.";

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    node: t.field({
      type: Node(builder),
      nullable: true,
      description: `The object with this id, of whatever type. ${DESCRIPTION}`,
      args: { id: t.arg.id({ required: true, description: "Its id." }) },
      resolve: (_, { id }, context) => findNode(builder, validNodeId("id", id), context),
    }),
    nodes: t.field({
      type: [Node(builder)],
      nullable: { list: false, items: true },
      description: `The objects with these ids, in their order. For each: ${DESCRIPTION.toLowerCase()}`,
      args: { ids: t.arg.idList({ required: true, description: `Their ids, ${MAX_PAGE_SIZE} at most.` }) },
      resolve: async (_, { ids }, context) => {
        if (ids.length > MAX_PAGE_SIZE)
          throw invalidInput("ids", `At most ${MAX_PAGE_SIZE} ids can be asked for at a time.`);
        const known = ids.map((id) => validNodeId("ids", id));
        // An error as an item is that item's own: what lies in other regions is in the answer.
        return Promise.all(known.map((id) => findNode(builder, id, context).catch((error: unknown) => error as never)));
      },
    }),
  }));
}

/** In the form in which ids are kept. INVALID_INPUT for text that is no id of any type. */
function validNodeId(field: string, id: string): string {
  if (!isUuid(id) && parseMembershipId(id) === null) throw invalidInput(field, `${field} has text that is no id.`);
  return id.toLowerCase();
}

/** Asking by nothing but an id. */
export const nodes = defineModule({
  name: "nodes",
  policy: {
    // Each type's own finder checks who sees the object. Whoever may not see it gets null.
    Query: { node: row(listed("read")), nodes: row(listed("read")) },
  },
  weights: { "Query.node": 5, "Query.nodes": 5 },
  types: [defineQueries],
});
