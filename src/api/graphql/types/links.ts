import { asParent, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { validRegionKey } from "#base/kernel/validation";
import { readableFailure } from "#engine/jobs/failure";
import { isLinkKey, linkKey, type LINK_STATES, listLinks } from "#engine/links/list-links";
import { type Builder, perSchema } from "#api/graphql/builder";
import { MAX_PLACEMENTS_OF_DATABASE } from "#api/graphql/loaders";
import { connectionType, pageArguments } from "#api/graphql/connections";

const LinkState = perSchema((builder) =>
  builder.enumType("LinkState", {
    description: "How a link is, as home alone sees it.",
    values: {
      AWAKE: { description: "A process carries changes now." },
      PARKED: { description: "At rest, and everything has arrived: it is well." },
      LATE: { description: "Something waits that should have arrived." },
      BROKEN: { description: "Something went wrong and is not over, or a part of it is gone." },
    } satisfies Record<(typeof LINK_STATES)[number], object>,
  }),
);

function defineLink(builder: Builder): void {
  builder.objectType("Link", {
    description:
      "One direction of a tenant database's replication. lagBytes, walBytes and problem are what the servers said within 2 s; the rest is what home knows.",
    fields: (t) => ({
      database: t.exposeString("database", { description: "The tenant database's name on the region's server." }),
      direction: t.exposeString("direction", {
        description: "directory: members from home to the region; catalog: rows from the region to home.",
      }),
      region: t.field({
        type: "Region",
        nullable: true,
        description: "Where the tenant database is.",
        resolve: ({ regionId }, _, { loaders }) => loaders.regions.load(regionId),
      }),
      placements: t.field({
        type: ["Placement"],
        description: `Those in the tenant database that the caller may see, oldest first, ${MAX_PLACEMENTS_OF_DATABASE} at most.`,
        resolve: ({ databaseId }, _, { loaders }) => loaders.placementsInDatabases.load(databaseId),
      }),
      state: t.expose("state", { type: LinkState(builder), description: "How it is, as home alone sees it." }),
      carriedAt: t.expose("carriedAt", {
        type: "DateTime",
        nullable: true,
        description: "When everything had arrived last: a parked link is parked since then. null: not yet.",
      }),
      checkedAt: t.expose("checkedAt", {
        type: "DateTime",
        nullable: true,
        description: "When it was last proved that nothing waits.",
      }),
      waitingSince: t.expose("waitingSince", {
        type: "DateTime",
        nullable: true,
        description: "Since when something is known to wait; null: nothing is.",
      }),
      lagSeconds: t.exposeFloat("lagSeconds", {
        description: "For how many seconds something has waited; 0: nothing.",
      }),
      wakes: t.exposeFloat("wakes", { description: "How often it was carried until nothing waited." }),
      seeds: t.exposeFloat("seeds", {
        description: "How often it was seeded: once when it was made, each more to mend it.",
      }),
      seededAt: t.expose("seededAt", { type: "DateTime", nullable: true, description: "When it was last seeded." }),
      failures: t.exposeInt("failures", { description: "How often in a row it has failed." }),
      failure: t.string({
        nullable: true,
        description: "What went wrong last and is not over. What a server said of it, the operator alone is shown.",
        resolve: ({ failure }, _, { actor }) => readableFailure(actor, failure),
      }),
    }),
  });
}

/** What only the servers know. */
function defineLiveFields(builder: Builder): void {
  builder.objectFields("Link", (t) => ({
    lagBytes: t.float({
      nullable: true,
      description: "Bytes of WAL to go through until it has caught up; null when it cannot be read.",
      resolve: async (link, _, { loaders }) => (await loaders.liveLinks.load(link))?.lagBytes ?? null,
    }),
    walBytes: t.float({
      nullable: true,
      description: "Bytes of WAL that the publisher's server keeps for it; null when it cannot be read.",
      resolve: async (link, _, { loaders }) => (await loaders.liveLinks.load(link))?.retainedBytes ?? null,
    }),
    problem: t.string({
      nullable: true,
      description: "What is wrong as the servers have it, in one sentence; null: it is well.",
      resolve: async (link, _, { actor, loaders }) => {
        const live = await loaders.liveLinks.load(link);
        if (live?.state === "unknown" && actor.kind !== "operator") return "The region's server cannot be read now.";
        return readableFailure(actor, live?.problem ?? null);
      },
    }),
  }));
}

const Links = connectionType("Link", "Link", linkKey, isLinkKey);

function defineQueries(builder: Builder): void {
  builder.queryField("links", (t) =>
    t.field({
      type: Links.connection(builder),
      description: "Both links of every tenant database, oldest database first. For the operator.",
      args: {
        ...pageArguments(builder),
        regionKey: t.arg.string({ required: false, description: "Only those of this region." }),
        state: t.arg({ type: LinkState(builder), required: false, description: "Only those in this state." }),
      },
      resolve: (_, { regionKey, state, ...args }, { actor, services }) =>
        Links.read(args, (page) =>
          listLinks(
            services,
            actor,
            { regionKey: regionKey == null ? null : validRegionKey("regionKey", regionKey), state: state ?? null },
            page,
          ),
        ),
    }),
  );
  builder.objectField("Placement", "links", (t) =>
    t.field({
      type: ["Link"],
      description: "The two links of its tenant database; none until it is made.",
      resolve: ({ databaseId }, _, { loaders }) => loaders.linksOf.load(databaseId),
    }),
  );
}

/** Links between home and tenant databases. */
export const links = defineModule({
  name: "links",
  policy: {
    Query: { links: row(operatorOnly) },
    Placement: asParent("links"),
    Link: asParent(
      "database direction region placements state carriedAt checkedAt waitingSince lagSeconds wakes seeds seededAt failures failure lagBytes walBytes problem",
    ),
  },
  weights: { "Link.lagBytes": 2, "Link.walBytes": 2, "Link.problem": 2 },
  types: [defineLink, defineLiveFields, defineQueries],
});
