import { asParent, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { type Attention, type Overview, readOverview, type RegionOverview } from "#engine/doctor/overview";
import { SEVERITIES } from "#engine/doctor/attention";
import type { JobCounts } from "#engine/jobs/list-jobs";
import type { LinkCounts } from "#engine/links/list-links";
import type { ServerReading } from "#engine/readings/reading";
import { type Builder, perSchema } from "#api/graphql/builder";
import { missing } from "#api/graphql/loaders";
import { Coordinates } from "#api/graphql/types/coordinates";
import { PlacementState } from "#api/graphql/types/enums";
import { headroomOf, ServerHeadroom } from "#api/graphql/types/replication";

const Severity = perSchema((builder) =>
  builder.enumType("Severity", {
    description: "ERROR: something does not work. WARNING: it soon may not. NOTICE: good to know.",
    values: SEVERITIES,
  }),
);

const StateCount = perSchema((builder) =>
  builder.objectRef<RegionOverview["states"][number]>("PlacementStateCount").implement({
    description: "How many placements are in a state.",
    fields: (t) => ({
      state: t.expose("state", { type: PlacementState(builder), description: "The state." }),
      placements: t.exposeInt("placements", { description: "How many there are." }),
    }),
  }),
);

const Jobs = perSchema((builder) =>
  builder.objectRef<JobCounts>("JobCounts").implement({
    description: "How many jobs are not over.",
    fields: (t) => ({
      waiting: t.exposeInt("waiting", { description: "They run when they are due." }),
      running: t.exposeInt("running", { description: "They run now." }),
      failing: t.exposeInt("failing", { description: "Those that are failing, given up or tried again." }),
    }),
  }),
);

const Links = perSchema((builder) =>
  builder.objectRef<LinkCounts>("LinkCounts").implement({
    description: "How many links are how, see LinkState.",
    fields: (t) => ({
      awake: t.exposeInt("awake", { description: "AWAKE." }),
      parked: t.exposeInt("parked", { description: "PARKED, which is well." }),
      late: t.exposeInt("late", { description: "LATE." }),
      broken: t.exposeInt("broken", { description: "BROKEN." }),
      worstLagSeconds: t.exposeFloat("worstLagSeconds", {
        description: "For how many seconds the slowest of them has had something waiting; 0: none has.",
      }),
    }),
  }),
);

const Region = perSchema((builder) =>
  builder.objectRef<RegionOverview>("RegionOverview").implement({
    description: "What stands in the overview of a region.",
    fields: (t) => ({
      region: t.field({ type: "Region", description: "Which one.", resolve: ({ region }) => region }),
      reachable: t.boolean({
        description: "Whether its server answers, as it was a moment ago.",
        resolve: ({ server }) => server?.isUp === true,
      }),
      problem: t.string({
        nullable: true,
        description: "Why it does not answer, or what it is short of; null: nothing.",
        resolve: ({ server }) => server?.problem ?? null,
      }),
      isCarried: t.exposeBoolean("isCarried", {
        nullable: true,
        description: "Whether a worker carries its replication; null: it has no tenant database.",
      }),
      placements: t.exposeInt("placements", { description: "How many placements it has." }),
      readyDatabases: t.exposeInt("readyDatabases", {
        description: "Databases that were made ahead and that a grant would find now.",
      }),
      states: t.field({
        type: [StateCount(builder)],
        description: "How many of them are in which state.",
        resolve: ({ states }) => states,
      }),
      links: t.field({ type: Links(builder), description: "Its links.", resolve: ({ links }) => links }),
      failingJobs: t.exposeInt("failingJobs", { description: "Jobs in it that are failing." }),
    }),
  }),
);

const Home = perSchema((builder) =>
  builder.objectRef<ServerReading>("HomeServer").implement({
    description: "What is known of home's server.",
    fields: (t) => ({
      coordinates: t.field({
        type: Coordinates(builder),
        nullable: true,
        description: "Where it is on the map, by TENANTRY_HOME_COORDINATES; null: nobody has said.",
        resolve: (_, __, { services }) => services.homeCoordinates,
      }),
      version: t.exposeString("version", { nullable: true, description: "PostgreSQL's version." }),
      headroom: t.field({
        type: [ServerHeadroom(builder)],
        nullable: true,
        description: "Slots and the like in use.",
        resolve: headroomOf,
      }),
      advice: t.stringList({ description: "What would do better than it does.", resolve: ({ advice }) => [...advice] }),
      problem: t.exposeString("problem", { nullable: true, description: "What is wrong; null: nothing." }),
    }),
  }),
);

const AttentionType = perSchema((builder) =>
  builder.objectRef<Attention>("Attention").implement({
    description: "Something that the operator has to look at, and the command that comes next.",
    fields: (t) => ({
      severity: t.expose("severity", { type: Severity(builder), description: "How bad it is." }),
      sentence: t.exposeString("sentence", { description: "What it is." }),
      command: t.exposeString("command", {
        nullable: true,
        description: "What to type next where Tenantry runs; null: nothing of the program helps.",
      }),
      since: t.expose("since", { type: "DateTime", nullable: true, description: "Since when, where that is known." }),
      region: t.field({
        type: "Region",
        nullable: true,
        description: "The region that it is in.",
        resolve: ({ regionId }, _, { loaders }) => (regionId === null ? null : loaders.regions.load(regionId)),
      }),
      placementId: t.exposeID("placementId", { nullable: true, description: "The placement that it is about." }),
      organizationId: t.exposeID("organizationId", { nullable: true, description: "The organization it concerns." }),
      jobId: t.exposeID("jobId", { nullable: true, description: "The job that fails." }),
    }),
  }),
);

const OverviewType = perSchema((builder) =>
  builder.objectRef<Overview>("Overview").implement({
    description: "The state of the whole installation. What servers say is of a moment ago, 2 s at most.",
    fields: (t) => ({
      at: t.expose("at", { type: "DateTime", description: "When it was read, by home's clock." }),
      organizations: t.exposeInt("organizations", { description: "How many organizations there are." }),
      users: t.exposeInt("users", { description: "How many users there are, without those that were erased." }),
      placements: t.exposeInt("placements", { description: "How many placements there are." }),
      home: t.field({ type: Home(builder), description: "Home's server.", resolve: ({ home }) => home }),
      regions: t.field({ type: [Region(builder)], description: "By key.", resolve: ({ regions }) => regions }),
      jobs: t.field({ type: Jobs(builder), description: "Jobs that are not over.", resolve: ({ jobs }) => jobs }),
      links: t.field({ type: Links(builder), description: "All links.", resolve: ({ links }) => links }),
      attention: t.field({
        type: [AttentionType(builder)],
        description: "What has to be looked at, the worst first, 50 at most.",
        resolve: ({ attention }) => attention,
      }),
      moreAttention: t.exposeInt("moreAttention", { description: "How many more of these there are." }),
    }),
  }),
);

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    overview: t.field({
      type: OverviewType(builder),
      description:
        "The state of the whole installation, in a few statements however many placements there are. For the operator.",
      resolve: (_, __, { actor, services }) => readOverview(services, actor),
    }),
    home: t.field({
      type: Home(builder),
      description: "Home's server, as it was within 2 s. For the operator.",
      resolve: async (_, __, { loaders }) => (await loaders.servers.load("home")) ?? missing("Home"),
    }),
  }));
}

/** What stands on the first page of the console. */
export const overview = defineModule({
  name: "overview",
  policy: {
    Query: { overview: row(operatorOnly), home: row(operatorOnly) },
    Overview: asParent("at organizations users placements home regions jobs links attention moreAttention"),
    HomeServer: asParent("coordinates version headroom advice problem"),
    RegionOverview: asParent("region reachable problem isCarried placements readyDatabases states links failingJobs"),
    PlacementStateCount: asParent("state placements"),
    JobCounts: asParent("waiting running failing"),
    LinkCounts: asParent("awake parked late broken worstLagSeconds"),
    Attention: asParent("severity sentence command since region placementId organizationId jobId"),
  },
  weights: { "Query.overview": 20, "Query.home": 5 },
  types: [defineQueries],
});
