import { isReadOnly } from "#engine/auth/actor";
import { asParent, everybody, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import type { Builder } from "#api/graphql/builder";
import type { GraphQLContext } from "#api/graphql/context";
import { Via, Who } from "#api/graphql/types/audit-log";

type Caller = Pick<GraphQLContext, "actor" | "callSource">;

function defineViewer(builder: Builder): void {
  const Viewer = builder.objectRef<Caller>("Viewer").implement({
    description: "Who calls, as a page needs it to know what it may offer.",
    fields: (t) => ({
      who: t.field({
        type: Who(builder),
        description: "What kind of caller.",
        resolve: ({ callSource }) => callSource.who,
      }),
      via: t.field({
        type: Via(builder),
        description: "How the caller signed in.",
        resolve: ({ callSource }) => callSource.via,
      }),
      readOnly: t.boolean({
        description: "Whether it is an operator that may change nothing.",
        resolve: ({ actor }) => isReadOnly(actor),
      }),
      user: t.field({
        type: "User",
        nullable: true,
        description: "The calling user; null for the operator and for keys.",
        resolve: ({ actor }, _, { loaders }) => (actor.kind === "user" ? loaders.users.load(actor.userId) : null),
      }),
      organization: t.field({
        type: "Organization",
        nullable: true,
        description: "Of a key: the one that it belongs to. Null for the operator and for users.",
        resolve: ({ actor }, _, { loaders }) =>
          actor.kind === "key" ? loaders.organizations.load(actor.organizationId) : null,
      }),
    }),
  });
  builder.queryField("viewer", (t) =>
    t.field({
      type: Viewer,
      description: "Who calls, whoever it is.",
      resolve: (_, __, { actor, callSource }) => ({ actor, callSource }),
    }),
  );
}

/** Who calls. */
export const viewer = defineModule({
  name: "viewer",
  policy: {
    Query: { viewer: row(everybody) },
    Viewer: asParent("who via readOnly user organization"),
  },
  types: [defineViewer],
});
