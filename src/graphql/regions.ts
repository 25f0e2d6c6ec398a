import { listPlacementsIn } from "#directory/placements";
import { getRegion, listRegions, registerRegion } from "#directory/regions";
import { builder } from "#graphql/builder";
import { connectionType, pageArguments } from "#graphql/connections";

const Placements = connectionType("RegionPlacements", "Placement", (placement) => placement.id);

builder.objectType("Region", {
  description: "A geo-located PostgreSQL server.",
  fields: (t) => ({
    key: t.exposeString("key", { description: "What people type, such as eu." }),
    name: t.exposeString("name", { description: "What people read, such as Frankfurt." }),
    server: t.field({
      type: "RegionServer",
      description: "What is known of the server. Never its connection URL.",
      resolve: (region) => region,
    }),
    placements: t.field({
      type: Placements.connection,
      description: "Who has access to it, as far as the caller may see.",
      args: pageArguments,
      resolve: ({ id }, args, { actor, services }) =>
        Placements.read(args, (page) => listPlacementsIn(services, actor, id, page)),
    }),
  }),
});

builder.objectType("RegionServer", {
  description: "What the probe found.",
  fields: (t) => ({
    host: t.exposeString("host", { description: "Host name or address." }),
    port: t.exposeInt("port", { description: "TCP port." }),
    version: t.string({
      nullable: true,
      description: "PostgreSQL's version, asked of the server now; null when it cannot be reached.",
      resolve: async ({ id }, _, { loaders }) => (await loaders.probes.load(id))?.version ?? null,
    }),
    reachable: t.boolean({
      description: "Whether the server answers now.",
      resolve: async ({ id }, _, { loaders }) => (await loaders.probes.load(id)) !== null,
    }),
    subscriptionMethod: t.exposeString("subscriptionMethod", {
      nullable: true,
      description: "How subscriptions are made there: SUPERUSER, PROVIDER_ROLE or PG_CREATE_SUBSCRIPTION.",
    }),
  }),
});

builder.queryFields((t) => ({
  region: t.field({
    type: "Region",
    nullable: true,
    description: "The region with this key. NOT_FOUND when there is none.",
    args: { key: t.arg.string({ required: true, description: "The region's key." }) },
    resolve: (_, { key }, { services }) => getRegion(services, key),
  }),
  regions: t.field({
    type: ["Region"],
    description: "All regions, by key.",
    resolve: (_, __, { services }) => listRegions(services),
  }),
}));

const RegisterRegionInput = builder.inputType("RegisterRegionInput", {
  fields: (t) => ({
    key: t.string({
      required: true,
      description: "A lower-case letter, then letters, digits or hyphens; at most 40.",
    }),
    name: t.string({ required: true, description: "1 to 200 characters." }),
    connectionUrl: t.string({
      required: true,
      description:
        "postgres://user:password@host:5432, without a database name and without a trailing slash; sslmode and the like may follow. Stored encrypted, never shown again.",
    }),
  }),
});

builder.mutationField("registerRegion", (t) =>
  t.field({
    type: "Region",
    description: "Registers a PostgreSQL server as a region, after probing it. For the operator.",
    args: { input: t.arg({ type: RegisterRegionInput, required: true }) },
    resolve: (_, { input }, { actor, services }) => registerRegion(services, actor, input),
  }),
);
