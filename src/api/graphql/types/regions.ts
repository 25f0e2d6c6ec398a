import { asParent, everybody, listed, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { listRegions } from "#engine/regions/regions";
import { registerRegion, updateRegion } from "#engine/regions/register-region";
import { retireRegionAfterMoves } from "#engine/moves/empty-region";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { Coordinates, COORDINATES_POLICY, CoordinatesInput } from "#api/graphql/types/coordinates";
import { headroomOf, ServerHeadroom } from "#api/graphql/types/replication";
import { missing } from "#api/graphql/loaders";
import { addNodeType, Node } from "#api/graphql/nodes";

const Placements = connectionType("RegionPlacements", "Placement", (placement) => placement.id);

function defineRegion(builder: Builder): void {
  addNodeType(builder, "Region", (id, { loaders }) => loaders.regions.load(id));
  builder.objectType("Region", {
    description: "A geo-located PostgreSQL server.",
    interfaces: [Node(builder)],
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7. People type the key." }),
      key: t.exposeString("key", { description: "What people type, such as eu." }),
      name: t.exposeString("name", { description: "What people read, such as Frankfurt." }),
      coordinates: t.expose("coordinates", {
        type: Coordinates(builder),
        nullable: true,
        description: "Where it is on the map; null: nobody has said.",
      }),
      server: t.field({
        type: "RegionServer",
        description: "What is known of the server. Never its connection URL.",
        resolve: (region) => region,
      }),
      placements: t.field({
        type: Placements.connection(builder),
        description: "Who has access to it, as far as the caller may see.",
        args: pageArguments(builder),
        resolve: ({ id }, args, { loaders }) =>
          Placements.read(args, (page) => loaders.placementsIn.load({ id, page })),
      }),
    }),
  });
}

function defineRegionServer(builder: Builder): void {
  builder.objectType("RegionServer", {
    description: "What the probe found.",
    fields: (t) => ({
      host: t.exposeString("host", { description: "Host name or address." }),
      port: t.exposeInt("port", { description: "TCP port." }),
      version: t.string({
        nullable: true,
        description: "PostgreSQL's version, as the server said within 2 s; null when it cannot be reached.",
        resolve: async ({ id }, _, { loaders }) => (await loaders.servers.load(id))?.version ?? null,
      }),
      reachable: t.boolean({
        description: "Whether the server answers, as it was within 2 s.",
        resolve: async ({ id }, _, { loaders }) => (await loaders.servers.load(id))?.isUp === true,
      }),
      poolUrl: t.exposeString("poolUrl", {
        nullable: true,
        description: "The connection pooler by which the API reaches the server; null: it reaches the server itself.",
      }),
      subscriptionMethod: t.exposeString("subscriptionMethod", {
        nullable: true,
        description:
          "How subscriptions are made there: SUPERUSER, PROVIDER_ROLE, PG_CREATE_SUBSCRIPTION or AIVEN_EXTRAS.",
      }),
      problem: t.string({
        nullable: true,
        description: "Why it does not answer now, or what it is short of, in one sentence; null: nothing.",
        resolve: async ({ id }, _, { loaders }) => (await loaders.servers.load(id))?.problem ?? null,
      }),
      headroom: t.field({
        type: [ServerHeadroom(builder)],
        nullable: true,
        description: "Slots, origins, walsenders, workers and connections in use; null when it cannot be reached.",
        resolve: async ({ id }, _, { loaders }) => headroomOf(await loaders.servers.load(id)),
      }),
      clockAheadSeconds: t.float({
        nullable: true,
        description: "How far its clock is ahead of home's at least; negative: behind.",
        resolve: async ({ id }, _, { loaders }) => (await loaders.servers.load(id))?.clockAheadSeconds ?? null,
      }),
      advice: t.stringList({
        description: "What would do better than it does; nothing that is wrong.",
        resolve: async ({ id }, _, { loaders }) => [...((await loaders.servers.load(id))?.advice ?? [])],
      }),
      answersSince: t.field({
        type: "DateTime",
        nullable: true,
        description:
          "Since when the process that answers has found it there without a break; null: it is away. Forgotten when the process ends.",
        resolve: async ({ id }, _, { loaders }) => {
          const server = await loaders.servers.load(id);
          return server?.isUp === true ? server.since : null;
        },
      }),
    }),
  });
}

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    region: t.field({
      type: "Region",
      nullable: true,
      description: "The region with this key. NOT_FOUND when there is none.",
      args: { key: t.arg.string({ required: true, description: "The region's key." }) },
      resolve: async (_, { key }, { loaders }) => (await loaders.regionsByKey.load(key)) ?? missing("Region"),
    }),
    regions: t.field({
      type: ["Region"],
      description: "All regions, by key.",
      resolve: (_, __, { services }) => listRegions(services),
    }),
  }));
}

const RegisterRegionInput = perSchema((builder) =>
  builder.inputType("RegisterRegionInput", {
    description: "What registerRegion takes.",
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
      poolUrl: t.string({
        required: false,
        description:
          "A connection pooler in front of the server, for the API: postgres://host:6432, without user, password and database; sslmode and the like may follow, and prepared_statements=true where it carries prepared statements (PgBouncer 1.21 and newer).",
      }),
      coordinates: t.field({
        type: CoordinatesInput(builder),
        required: false,
        description: "Where it is on the map.",
      }),
    }),
  }),
);

const UpdateRegionInput = perSchema((builder) =>
  builder.inputType("UpdateRegionInput", {
    description: "What updateRegion takes.",
    fields: (t) => ({
      key: t.string({ required: true, description: "Which region; its key stays." }),
      name: t.string({ required: false, description: "A new name, 1 to 200 characters." }),
      connectionUrl: t.string({
        required: false,
        description: "A new address, user or password of the same server. Form as in registerRegion.",
      }),
      poolUrl: t.string({
        required: false,
        description: "Another connection pooler, or null for none. Left out, it stays. Form as in registerRegion.",
      }),
      coordinates: t.field({
        type: CoordinatesInput(builder),
        required: false,
        description: "Another place on the map, or null for none. Left out, it stays.",
      }),
    }),
  }),
);

const RetireRegionInput = perSchema((builder) =>
  builder.inputType("RetireRegionInput", {
    description: "What retireRegion takes.",
    fields: (t) => ({
      key: t.string({ required: true, description: "Which region." }),
      abandonServer: t.boolean({
        defaultValue: false,
        description: "Leave the server as it is, as when it is gone for good.",
      }),
      moveTo: t.string({
        required: false,
        description: "Move its placements to the region with this key first. A worker does it, and retires it then.",
      }),
      through: t.boolean({
        defaultValue: false,
        description: "With moveTo: content may pass a worker that works for neither region.",
      }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    updateRegion: t.field({
      type: "Region",
      description:
        "Changes a region's name, pooler or place on the map, or its server's address or password. Loses no row. For the operator.",
      args: { input: t.arg({ type: UpdateRegionInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) =>
        updateRegion(services, actor, {
          key: input.key,
          name: input.name ?? null,
          connectionUrl: input.connectionUrl ?? null,
          // null takes it away; undefined keeps it.
          poolUrl: input.poolUrl,
          coordinates: input.coordinates,
        }),
    }),
    retireRegion: t.field({
      type: "Region",
      description:
        "Takes a region out of service. CONFLICT while placements remain, unless moveTo says where they go. For the operator.",
      args: { input: t.arg({ type: RetireRegionInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) =>
        retireRegionAfterMoves(services, actor, {
          key: input.key,
          abandonServer: input.abandonServer ?? false,
          moveTo: input.moveTo ?? null,
          throughOthers: input.through ?? false,
        }),
    }),
  }));
  builder.mutationField("registerRegion", (t) =>
    t.field({
      type: "Region",
      description:
        "Registers a PostgreSQL server as a region, after probing it and having it connect to the gateway. For the operator.",
      args: { input: t.arg({ type: RegisterRegionInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) => registerRegion(services, actor, input),
    }),
  );
}

/** Regions and their servers. */
export const regions = defineModule({
  name: "regions",
  policy: {
    Query: {
      // Regions are the platform's offer to everybody; where their servers are is not.
      region: row(everybody),
      regions: row(everybody),
    },
    Mutation: {
      registerRegion: row(operatorOnly),
      updateRegion: row(operatorOnly),
      retireRegion: row(operatorOnly),
    },
    Region: {
      ...asParent("id key name coordinates"),
      server: row(operatorOnly),
      placements: row(listed("read")),
    },
    ...COORDINATES_POLICY,
    RegionServer: asParent(
      "host port poolUrl version reachable subscriptionMethod problem headroom clockAheadSeconds advice answersSince",
    ),
  },
  audit: {
    registerRegion: { subject: "REGION", made: { id: "key" } },
    updateRegion: { subject: "REGION", id: "input.key" },
    retireRegion: { subject: "REGION", id: "input.key" },
  },
  // One look serves all of them.
  weights: { "RegionServer.version": 5, "RegionServer.reachable": 5, "RegionServer.headroom": 5 },
  types: [defineRegion, defineRegionServer, defineQueries, defineMutations],
});
