import { addDatabaseFields } from "#api/graphql/types/database-fields";
import { asParent, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { formatCursor, isNumberKey, type Page as PageOf, readPageRequest, toPage } from "#base/kernel/page";
import {
  type DatabaseHealth,
  type FlowHealth,
  readDatabasesHealth,
  readServersHealth,
  type ServerHealth,
} from "#engine/links/replication-health";
import type { ServerReading } from "#engine/readings/reading";
import { type Builder, perSchema } from "#api/graphql/builder";
import { pageArguments, PageInfo } from "#api/graphql/connections";

const Flow = perSchema((builder) =>
  builder.objectRef<FlowHealth>("ReplicationFlow").implement({
    description: "One direction of a tenant database's replication.",
    fields: (t) => ({
      direction: t.exposeString("direction", {
        description: "directory: members from home to the region; catalog: rows from the region to home.",
      }),
      healthy: t.exposeBoolean("healthy", { description: "Its parts are in place and it gets on." }),
      parked: t.exposeBoolean("parked", { description: "At rest: no process carries changes now." }),
      lagBytes: t.exposeFloat("lagBytes", {
        nullable: true,
        description: "Bytes of WAL to go through until it has caught up; 0 when nothing is known to wait.",
      }),
      lagSeconds: t.exposeFloat("lagSeconds", {
        nullable: true,
        description: "For how many seconds something has been known to wait; 0 when nothing is.",
      }),
      retainedBytes: t.exposeFloat("retainedBytes", {
        nullable: true,
        description: "Bytes of WAL that the publisher's server keeps for it.",
      }),
      problem: t.exposeString("problem", { nullable: true, description: "What is wrong, in one sentence." }),
    }),
  }),
);

const Health = perSchema((builder) => {
  const type = builder.objectRef<DatabaseHealth>("ReplicationDatabase").implement({
    description: "How a tenant database's replication is doing.",
    fields: (t) => ({
      flows: t.field({ type: [Flow(builder)], description: "Both directions.", resolve: ({ flows }) => flows }),
    }),
  });
  addDatabaseFields(builder, type);
  return type;
});

export const ServerHeadroom = perSchema((builder) =>
  builder.objectRef<ServerHealth["headroom"][number]>("ServerHeadroom").implement({
    description: "What a server's setting allows and what is used of it.",
    fields: (t) => ({
      setting: t.exposeString("setting", { description: "The name of the PostgreSQL setting." }),
      limit: t.exposeInt("limit", { description: "Its value." }),
      used: t.exposeInt("used", { description: "In use now, by whomever." }),
    }),
  }),
);

/** What a server that answers has used of its limits; null for one that does not. */
export function headroomOf(server: ServerReading | null): ServerHealth["headroom"] | null {
  if (server?.isUp !== true) return null;
  return server.limits.flatMap(({ setting, limit, ours, others }) =>
    limit === null ? [] : [{ setting, limit, used: ours + others }],
  );
}

const Server = perSchema((builder) =>
  builder.objectRef<ServerHealth>("ReplicationServer").implement({
    description: "A server that takes part in replication.",
    fields: (t) => ({
      name: t.exposeString("name", { description: "A region's key, or home." }),
      reachable: t.exposeBoolean("reachable", { description: "Whether it answers now." }),
      headroom: t.field({
        type: [ServerHeadroom(builder)],
        description: "Slots and the like in use.",
        resolve: ({ headroom }) => headroom,
      }),
      problem: t.exposeString("problem", { nullable: true, description: "What is wrong, in one sentence." }),
    }),
  }),
);

type HealthPage = PageOf<DatabaseHealth> & {
  keyOf: (row: DatabaseHealth) => string;
};

const Edge = perSchema((builder) =>
  builder.objectRef<{ node: DatabaseHealth; cursor: string }>("ReplicationDatabaseEdge").implement({
    description: "One database of the list, with its cursor.",
    fields: (t) => ({
      node: t.field({ type: Health(builder), description: "The database.", resolve: ({ node }) => node }),
      cursor: t.exposeString("cursor", { description: "Give it as `after` for what follows." }),
    }),
  }),
);

const Page = perSchema((builder) =>
  builder.objectRef<HealthPage>("ReplicationDatabaseConnection").implement({
    description: "A page of tenant databases.",
    fields: (t) => ({
      edges: t.field({
        type: [Edge(builder)],
        description: "The databases with their cursors.",
        resolve: ({ rows }) => rows.map((node) => ({ node, cursor: formatCursor(String(node.databaseId)) })),
      }),
      pageInfo: t.field({
        type: PageInfo(builder),
        description: "Where the page ends.",
        resolve: (page) => page as never,
      }),
    }),
  }),
);

const Overview = perSchema((builder) =>
  builder.objectRef<object>("Replication").implement({
    description: "How replication is doing. For the operator.",
    fields: (t) => ({
      servers: t.field({
        type: [Server(builder)],
        description: "Home and every region, asked now.",
        resolve: (_, __, { actor, services }) => readServersHealth(services, actor),
      }),
      databases: t.field({
        type: Page(builder),
        description: "Every tenant database, oldest first.",
        args: pageArguments(builder),
        resolve: async (_, args, { actor, services }) => {
          const page = readPageRequest(args, isNumberKey);
          const { first, after, before, backwards = false } = page;
          const found = await readDatabasesHealth(services, actor, {
            after: Number(after ?? 0),
            ...(before != null && { before: Number(before) }),
            last: backwards,
            limit: first + 1,
          });
          const rows = toPage(backwards ? found.toReversed() : found, page);
          return { ...rows, keyOf: ({ databaseId }: DatabaseHealth) => String(databaseId) };
        },
      }),
    }),
  }),
);

function defineQueries(builder: Builder): void {
  builder.queryField("replication", (t) =>
    t.field({
      type: Overview(builder),
      description: "How replication is doing. For the operator.",
      resolve: () => ({}),
    }),
  );
}

/** How replication is doing. */
export const replication = defineModule({
  name: "replication",
  policy: {
    Query: {
      replication: row(operatorOnly),
    },
    Replication: asParent("servers databases"),
    ReplicationServer: asParent("name reachable headroom problem"),
    ServerHeadroom: asParent("setting limit used"),
    ReplicationDatabase: asParent("database region flows"),
    ReplicationFlow: asParent("direction healthy parked lagBytes lagSeconds retainedBytes problem"),
    ReplicationDatabaseConnection: asParent("edges pageInfo"),
    ReplicationDatabaseEdge: asParent("node cursor"),
  },
  weights: { "Replication.servers": 50, "Replication.databases": 50 },
  types: [defineQueries],
});
