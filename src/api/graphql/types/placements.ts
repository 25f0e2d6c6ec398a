import { totalOf } from "#engine/migrations/schema-version";
import { asParent, inOrganization, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import type { Placement } from "#engine/home/placements";
import { validId } from "#base/kernel/validation";
import { readableFailure } from "#engine/jobs/failure";
import { grantRegionAccess } from "#engine/placements/grant-region-access";
import { resumeRegionAccess, revokeRegionAccess } from "#engine/placements/revoke-region-access";
import { retryPlacement } from "#engine/placements/retry-placement";
import { followPlacement } from "#engine/placements/follow-placement";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import { type Builder, perSchema } from "#api/graphql/builder";
import { Isolation, PlacementState } from "#api/graphql/types/enums";
import { reportLag } from "#api/graphql/lag";
import { missing } from "#api/graphql/loaders";
import { addNodeType, Node } from "#api/graphql/nodes";

const ReplicationStatus = perSchema((builder) =>
  builder.objectRef<{ healthy: boolean; parked: boolean; lagBytes: number | null }>("ReplicationStatus").implement({
    description: "How the placement's replication is doing, both ways.",
    fields: (t) => ({
      healthy: t.exposeBoolean("healthy", {
        description: "Publication, slot and subscription are in place and usable.",
      }),
      parked: t.exposeBoolean("parked", { description: "At rest: no process carries changes now." }),
      lagBytes: t.exposeFloat("lagBytes", {
        nullable: true,
        description: "Bytes of WAL not yet confirmed by the slower direction; null when it cannot be read.",
      }),
    }),
  }),
);

function definePlacement(builder: Builder): void {
  addNodeType(builder, "Placement", (id, { loaders }) => loaders.placements.load(id));
  builder.objectType("Placement", {
    description: "An organization's access to a region: one tenant database.",
    interfaces: [Node(builder)],
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7." }),
      organization: t.field({
        type: "Organization",
        description: "Whose it is.",
        resolve: async ({ organizationId }, _, { loaders }) =>
          (await loaders.organizations.load(organizationId)) ?? missing("Organization"),
      }),
      region: t.field({
        type: "Region",
        description: "Where it is.",
        resolve: async ({ regionId }, _, { loaders }) => (await loaders.regions.load(regionId)) ?? missing("Region"),
      }),
      isolation: t.expose("isolation", {
        type: Isolation(builder),
        description: "How its data is kept apart from others'.",
      }),
      state: t.expose("state", {
        type: PlacementState(builder),
        description: "Only an ACTIVE placement takes reads and writes.",
      }),
      database: t.exposeString("database", { description: "The database's name on the region's server." }),
      schemaVersion: t.int({
        nullable: true,
        description: "How many migrations it has, of Tenantry and of the app; null until it is made.",
        resolve: ({ schemaVersion }) => (schemaVersion === null ? null : totalOf(schemaVersion)),
      }),
      replication: t.field({
        type: ReplicationStatus(builder),
        description: "How its replication is doing, read from the servers now.",
        resolve: (placement, _, { loaders }) => loaders.replicationOf.load(placement),
      }),
      failure: t.string({
        nullable: true,
        description: "Why it is FAILED. What a server said of it, the operator alone is shown.",
        resolve: ({ failure }, _, { actor }) => readableFailure(actor, failure),
      }),
      dropAfter: t.expose("dropAfter", {
        type: "DateTime",
        nullable: true,
        description: "While SUSPENDED: when its database is dropped, unless it is resumed before.",
      }),
    }),
  });
}

function defineQueries(builder: Builder): void {
  builder.queryField("placement", (t) =>
    t.field({
      type: "Placement",
      nullable: true,
      description: "One placement of an organization that the caller belongs to. NOT_FOUND otherwise.",
      args: { id: t.arg.id({ required: true, description: "The placement's id." }) },
      resolve: async (_, { id }, { loaders }) =>
        (await loaders.placements.load(validId("id", id))) ?? missing("Placement"),
    }),
  );
}

const GrantRegionAccessInput = perSchema((builder) =>
  builder.inputType("GrantRegionAccessInput", {
    description: "What grantRegionAccess takes.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "Who gets access." }),
      regionKey: t.string({ required: true, description: "To which region." }),
      isolation: t.field({
        type: Isolation(builder),
        defaultValue: "DEDICATED",
        description: "How the data is kept apart.",
      }),
    }),
  }),
);

function defineGranting(builder: Builder): void {
  builder.mutationField("grantRegionAccess", (t) =>
    t.field({
      type: "Placement",
      description:
        "Gives an organization a tenant database of its own in a region (DEDICATED), or a place in the one that the region's organizations share (SHARED). Returns when it is ACTIVE, or after 5 s with the state reached; calling again with the same pair returns the same placement.",
      args: { input: t.arg({ type: GrantRegionAccessInput(builder), required: true, description: "What it takes." }) },
      resolve: async (_, { input }, context) => {
        const { actor, services } = context;
        const placement = await grantRegionAccess(services, actor, {
          organizationId: validId("organizationId", input.organizationId),
          regionKey: input.regionKey,
          isolation: input.isolation ?? "DEDICATED",
        });
        // A database that was there already gets the organization's members by replication.
        if (placement.isolation === "SHARED" && placement.state === "ACTIVE")
          await reportLag(context, waitUntilMembersVisible(services, placement.organizationId));
        return placement;
      },
    }),
  );
}

const RevokeRegionAccessInput = perSchema((builder) =>
  builder.inputType("RevokeRegionAccessInput", {
    description: "What revokeRegionAccess takes.",
    fields: (t) => ({
      placementId: t.id({ required: true, description: "Which access." }),
      confirm: t.string({
        required: true,
        description: "The organization's name, so that nobody revokes the wrong one.",
      }),
      skipGrace: t.boolean({
        defaultValue: false,
        description: "Drop at once instead of after 7 days. There is no way back but a backup.",
      }),
      exportFirst: t.boolean({
        defaultValue: false,
        description: "Write everything to the export folder (TENANTRY_EXPORT_DIR) before anything is dropped.",
      }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    revokeRegionAccess: t.field({
      type: "Placement",
      description:
        "Takes an organization's access to a region away. No reads and writes from now on; after 7 days (SUSPENDED), or at once with skipGrace (REVOKING), its data and everything about it is removed: with its database, or, where others share that, row by row. The receipt is the result of the job.",
      args: { input: t.arg({ type: RevokeRegionAccessInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) =>
        revokeRegionAccess(services, actor, {
          placementId: validId("placementId", input.placementId),
          confirm: input.confirm,
          skipGrace: input.skipGrace ?? false,
          exportFirst: input.exportFirst ?? false,
        }),
    }),
    resumeRegionAccess: t.field({
      type: "Placement",
      description: "Undoes a revocation while the placement is SUSPENDED. CONFLICT afterwards.",
      args: { placementId: t.arg.id({ required: true, description: "Which access." }) },
      resolve: (_, { placementId }, { actor, services }) =>
        resumeRegionAccess(services, actor, validId("placementId", placementId)),
    }),
    retryPlacement: t.field({
      type: "Placement",
      description: "Runs what failed or waits for a placement again, now: for after its cause was mended.",
      args: { placementId: t.arg.id({ required: true, description: "Which access." }) },
      resolve: (_, { placementId }, { actor, services }) =>
        retryPlacement(services, actor, validId("placementId", placementId)),
    }),
  }));
}

function defineSubscriptions(builder: Builder): void {
  builder.subscriptionField("placementChanged", (t) =>
    t.field({
      type: "Placement",
      description: "The placement now, and again whenever it changes or a step of a job on it begins.",
      args: { id: t.arg.id({ required: true, description: "The placement's id." }) },
      subscribe: (_, { id }, { actor, services }) => followPlacement(services, actor, validId("id", id)),
      resolve: (placement: Placement) => placement,
    }),
  );
}

/** Access of organizations to regions. */
export const placements = defineModule({
  name: "placements",
  policy: {
    Query: {
      placement: row(inOrganization("read")),
    },
    Mutation: {
      grantRegionAccess: row(inOrganization("manage-placements")),
      revokeRegionAccess: row(inOrganization("manage-placements")),
      resumeRegionAccess: row(inOrganization("manage-placements")),
      retryPlacement: row(inOrganization("manage-placements")),
    },
    Subscription: {
      placementChanged: row(inOrganization("read")),
    },
    Placement: asParent("id organization region isolation state database schemaVersion replication failure dropAfter"),
    ReplicationStatus: asParent("healthy parked lagBytes"),
  },
  audit: {
    grantRegionAccess: { subject: "PLACEMENT", organization: "input.organizationId", made: { id: "id" } },
    revokeRegionAccess: { subject: "PLACEMENT", id: "input.placementId" },
    resumeRegionAccess: { subject: "PLACEMENT", id: "placementId" },
    retryPlacement: { subject: "PLACEMENT", id: "placementId" },
  },
  weights: { "Placement.replication": 10 },
  types: [definePlacement, defineQueries, defineGranting, defineMutations, defineSubscriptions],
});
