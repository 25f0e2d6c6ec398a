/** What a person looks at before and while they change something about a placement. */
import { asParent, inOrganization, listed, operatorOnly, row } from "#engine/auth/policy-table";
import { requireInOrganization } from "#engine/auth/membership";
import { defineModule } from "#api/graphql/module";
import { readCrossedOf } from "#engine/border/read-border";
import { validId, validRegionKey } from "#base/kernel/validation";
import { listVisiblePlacements } from "#engine/home/placements";
import { type ActionPlan, planDeletion, planRetirement, planRevocation } from "#engine/placements/action-plans";
import { type PlacementContent, type PlacementTable, readPlacementContent } from "#engine/placements/placement-content";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { Crossed } from "#api/graphql/types/border";
import { PlacementState } from "#api/graphql/types/enums";

const Table = perSchema((builder) =>
  builder.objectRef<PlacementTable>("PlacementTable").implement({
    description: "Where a table of a placement lies, and how much of it there is.",
    fields: (t) => ({
      name: t.exposeString("name", { description: "Its name, with its schema." }),
      flows: t.exposeString("flows", {
        description:
          "region: it never leaves its database; catalog: columns of it flow to home; directory: it comes from home.",
      }),
      columns: t.stringList({ description: "The columns that flow.", resolve: ({ columns }) => [...columns] }),
      rows: t.exposeFloat("rows", {
        nullable: true,
        description:
          "How many rows are the organization's. They are counted up to 10,000; beyond that it is what PostgreSQL believes, or 10,000 in a SHARED database. null: not known.",
      }),
      isExact: t.exposeBoolean("isExact", { description: "Whether the rows were counted to the last." }),
      bytes: t.exposeFloat("bytes", {
        nullable: true,
        description: "Its bytes, with its indexes. null in a SHARED database, and when it cannot be asked.",
      }),
    }),
  }),
);

const Content = perSchema((builder) =>
  builder.objectRef<PlacementContent>("PlacementContent").implement({
    description: "What a placement's tenant database holds, asked now. It takes 3 s at most.",
    fields: (t) => ({
      problem: t.exposeString("problem", {
        nullable: true,
        description: "Why the tables have no numbers, in one sentence; null: they have.",
      }),
      tables: t.field({ type: [Table(builder)], description: "Its tables.", resolve: ({ tables }) => tables }),
    }),
  }),
);

const Plan = perSchema((builder) =>
  builder.objectRef<ActionPlan>("ActionPlan").implement({
    description: "What an action that takes something away would do. Asking for it changes nothing.",
    fields: (t) => ({
      what: t.exposeString("what", { description: "What it does." }),
      sentences: t.exposeStringList("sentences", { description: "What goes, one by one." }),
      obstacles: t.exposeStringList("obstacles", {
        description: "Why it would be refused now, or not get to its end. Empty: it can be done.",
      }),
      confirm: t.exposeString("confirm", { description: "What whoever asks for it has to type." }),
    }),
  }),
);

const Placements = connectionType("Placement", "Placement", (placement) => placement.id);

function definePlacementFields(builder: Builder): void {
  builder.objectFields("Placement", (t) => ({
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was asked for." }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", description: "When its state was last another one." }),
    bytes: t.float({
      nullable: true,
      description: "Bytes of its tenant database. null: others share it, it is not made yet, or cannot be asked.",
      resolve: (placement, _, { loaders }) => loaders.sizes.load(placement),
    }),
    content: t.field({
      type: Content(builder),
      description: "Where its tables lie and what they hold, asked now.",
      resolve: (placement, _, { services }) => readPlacementContent(services, placement),
    }),
    crossed: t.field({
      type: Crossed.connection(builder),
      nullable: true,
      description:
        "What crossed the border to and from it, in daily sums, newest day first, for who may read the audit log. Nothing where its database is SHARED: the sums are of everybody's rows.",
      args: pageArguments(builder),
      resolve: async (placement, args, { actor, services }) => {
        await requireInOrganization(services.home, actor, placement.organizationId, "read-audit-log");
        return Crossed.read(args, (page) => readCrossedOf(services, placement, page));
      },
    }),
  }));
}

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    placements: t.field({
      type: Placements.connection(builder),
      description: "The placements that the caller may see, oldest first.",
      args: {
        ...pageArguments(builder),
        organizationId: t.arg.id({ required: false, description: "Only those of this organization." }),
        regionKey: t.arg.string({ required: false, description: "Only those in this region." }),
        state: t.arg({ type: PlacementState(builder), required: false, description: "Only those in this state." }),
        schemaVersion: t.arg.int({ required: false, description: "Only those whose database has this version." }),
      },
      resolve: (_, { organizationId, regionKey, state, schemaVersion, ...args }, { actor, services }) =>
        Placements.read(args, (page) =>
          listVisiblePlacements(
            services,
            actor,
            {
              organizationId: organizationId == null ? null : validId("organizationId", organizationId),
              regionKey: regionKey == null ? null : validRegionKey("regionKey", regionKey),
              state: state ?? null,
              schemaVersion: schemaVersion ?? null,
            },
            page,
          ),
        ),
    }),
    revocationPlan: t.field({
      type: Plan(builder),
      description: "What revokeRegionAccess would do.",
      args: { placementId: t.arg.id({ required: true, description: "Which access." }) },
      resolve: (_, { placementId }, { actor, services }) =>
        planRevocation(services, actor, validId("placementId", placementId)),
    }),
    organizationDeletionPlan: t.field({
      type: Plan(builder),
      description: "What deleteOrganization would do.",
      args: { organizationId: t.arg.id({ required: true, description: "The organization." }) },
      resolve: (_, { organizationId }, { actor, services }) =>
        planDeletion(services, actor, validId("organizationId", organizationId)),
    }),
    regionRetirementPlan: t.field({
      type: Plan(builder),
      description: "What retireRegion would do. For the operator.",
      args: {
        key: t.arg.string({ required: true, description: "Which region." }),
        moveTo: t.arg.string({ required: false, description: "The region that its placements are moved to first." }),
      },
      resolve: (_, { key, moveTo }, { actor, services }) =>
        planRetirement(
          services,
          actor,
          validRegionKey("key", key),
          moveTo == null ? null : validRegionKey("moveTo", moveTo),
        ),
    }),
  }));
}

/** Placements by what they hold, and what becomes of it. */
export const placementContent = defineModule({
  name: "placement content",
  policy: {
    Query: {
      placements: row(listed("read")),
      revocationPlan: row(inOrganization("manage-placements")),
      organizationDeletionPlan: row(inOrganization("manage-organization")),
      regionRetirementPlan: row(operatorOnly),
    },
    Placement: {
      ...asParent("createdAt updatedAt bytes content"),
      crossed: row(inOrganization("read-audit-log")),
    },
    PlacementContent: asParent("problem tables"),
    PlacementTable: asParent("name flows columns rows isExact bytes"),
    ActionPlan: asParent("what sentences obstacles confirm"),
  },
  weights: {
    "Placement.bytes": 2,
    "Placement.content": 20,
    "Query.revocationPlan": 20,
    "Query.organizationDeletionPlan": 50,
    "Query.regionRetirementPlan": 10,
  },
  types: [definePlacementFields, defineQueries],
});
