import { getPlacement, type Placement } from "#directory/placements";
import { notFound } from "#kernel/errors";
import { validId } from "#kernel/validation";
import { grantRegionAccess } from "#operations/grant-region-access";
import { followPlacement } from "#operations/follow-placement";
import { readReplicationStatus } from "#operations/replication-status";
import { builder } from "#graphql/builder";
import { Isolation, PlacementState } from "#graphql/enums";

const ReplicationStatus = builder
  .objectRef<{ healthy: boolean; parked: boolean; lagBytes: number | null }>("ReplicationStatus")
  .implement({
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
  });

builder.objectType("Placement", {
  description: "An organization's access to a region: one tenant database.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "UUIDv7." }),
    organization: t.field({
      type: "Organization",
      description: "Whose it is.",
      resolve: async ({ organizationId }, _, { loaders }) => {
        const organization = await loaders.organizations.load(organizationId);
        if (organization === null) throw notFound("Organization");
        return organization;
      },
    }),
    region: t.field({
      type: "Region",
      description: "Where it is.",
      resolve: async ({ regionId }, _, { loaders }) => {
        const region = await loaders.regions.load(regionId);
        if (region === null) throw notFound("Region");
        return region;
      },
    }),
    isolation: t.expose("isolation", {
      type: Isolation,
      description: "How its data is kept apart from others'.",
    }),
    state: t.expose("state", {
      type: PlacementState,
      description: "Only an ACTIVE placement takes reads and writes.",
    }),
    database: t.exposeString("database", { description: "The database's name on the region's server." }),
    schemaVersion: t.exposeInt("schemaVersion", {
      nullable: true,
      description: "The version of its schema; null until it is made.",
    }),
    replication: t.field({
      type: ReplicationStatus,
      description: "How its replication is doing, read from the servers now.",
      resolve: (placement, _, { services }) => readReplicationStatus(services, placement),
    }),
    failure: t.exposeString("failure", { nullable: true, description: "Why it is FAILED, in one sentence." }),
  }),
});

builder.queryField("placement", (t) =>
  t.field({
    type: "Placement",
    nullable: true,
    description: "One placement of an organization that the caller belongs to. NOT_FOUND otherwise.",
    args: { id: t.arg.id({ required: true, description: "The placement's id." }) },
    resolve: (_, { id }, { actor, services }) => getPlacement(services, actor, validId("id", id)),
  }),
);

const GrantRegionAccessInput = builder.inputType("GrantRegionAccessInput", {
  fields: (t) => ({
    organizationId: t.id({ required: true, description: "Who gets access." }),
    regionKey: t.string({ required: true, description: "To which region." }),
    isolation: t.field({
      type: Isolation,
      defaultValue: "DEDICATED",
      description: "How the data is kept apart.",
    }),
  }),
});

builder.mutationField("grantRegionAccess", (t) =>
  t.field({
    type: "Placement",
    description:
      "Gives an organization a tenant database in a region. Returns when it is ACTIVE, or after 5 s with the state reached; calling again with the same pair returns the same placement.",
    args: { input: t.arg({ type: GrantRegionAccessInput, required: true }) },
    resolve: (_, { input }, { actor, services }) =>
      grantRegionAccess(services, actor, {
        organizationId: validId("organizationId", input.organizationId),
        regionKey: input.regionKey,
        isolation: input.isolation ?? "DEDICATED",
      }),
  }),
);

builder.subscriptionField("placementChanged", (t) =>
  t.field({
    type: "Placement",
    description: "The placement now, and again whenever it changes.",
    args: { id: t.arg.id({ required: true, description: "The placement's id." }) },
    subscribe: (_, { id }, { actor, services }) => followPlacement(services, actor, validId("id", id)),
    resolve: (placement: Placement) => placement,
  }),
);
