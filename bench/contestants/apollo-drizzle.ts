/**
 * Apollo Server with Drizzle over the driver: relational queries, prepared. The page and all that belongs to it are
 * asked for by the field `resource` in one go, which is the kindest way to use an ORM here. `node apollo-drizzle.ts
 * <tenant database URL> <region key> <pool size>`; prints its port.
 */
import { and, eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgSchema, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import pg from "pg";
import { type NewComment, serve, toConnection } from "./apollo-server.ts";

const [connectionString = "", regionKey = "", max = "4"] = process.argv.slice(2);

const app = pgSchema("app");
const tenantry = pgSchema("tenantry");
const at = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const resources = app.table(
  "resources",
  {
    databaseId: integer("database_id").notNull(),
    id: uuid("id").notNull(),
    organizationId: uuid("organization_id").notNull(),
    name: text("name").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.databaseId, table.id] })],
);
const organizations = tenantry.table("directory_organizations", {
  databaseId: integer("database_id").notNull(),
  id: uuid("organization_id").notNull(),
  name: text("name").notNull(),
});
const members = tenantry.table("directory_members", {
  databaseId: integer("database_id").notNull(),
  organizationId: uuid("organization_id").notNull(),
  id: uuid("user_id").notNull(),
  name: text("name").notNull(),
});
const comments = app.table("comments", {
  id: uuid("id").primaryKey(),
  databaseId: integer("database_id").notNull(),
  organizationId: uuid("organization_id").notNull(),
  resourceId: uuid("resource_id").notNull(),
  authorId: uuid("author_id").notNull(),
  body: text("body").notNull(),
  createdAt: at("created_at").notNull().defaultNow(),
});

const schema = {
  resources,
  organizations,
  members,
  comments,
  resourceRelations: relations(resources, ({ one, many }) => ({
    organization: one(organizations, {
      fields: [resources.databaseId, resources.organizationId],
      references: [organizations.databaseId, organizations.id],
    }),
    comments: many(comments),
  })),
  commentRelations: relations(comments, ({ one }) => ({
    resource: one(resources, {
      fields: [comments.databaseId, comments.resourceId],
      references: [resources.databaseId, resources.id],
    }),
    author: one(members, {
      fields: [comments.databaseId, comments.organizationId, comments.authorId],
      references: [members.databaseId, members.organizationId, members.id],
    }),
  })),
};

const db = drizzle({ client: new pg.Pool({ connectionString, max: Number(max) }), schema });
const found = await db.execute<{ id: number }>(sql`select database_id as id from tenantry.identity`);
const databaseId = found.rows[0]?.id ?? 0;

const columns = { id: true, body: true, createdAt: true, authorId: true, organizationId: true } as const;
const page = db.query.resources
  .findFirst({
    where: and(eq(resources.databaseId, databaseId), eq(resources.id, sql.placeholder("id"))),
    with: {
      organization: { columns: { id: true, name: true } },
      comments: {
        columns,
        orderBy: (table, { asc }) => [asc(table.id)],
        limit: sql.placeholder("limit"),
        with: { author: { columns: { id: true, name: true } } },
      },
    },
  })
  .prepare("page");
const resourceOf = db.query.resources
  .findFirst({ where: and(eq(resources.databaseId, databaseId), eq(resources.id, sql.placeholder("id"))) })
  .prepare("resource");
const addComment = db
  .insert(comments)
  .values({
    id: sql`gen_random_uuid()`,
    databaseId,
    organizationId: sql.placeholder("organizationId"),
    resourceId: sql.placeholder("resourceId"),
    authorId: sql.placeholder("authorId"),
    body: sql.placeholder("body"),
  })
  .returning()
  .prepare("add_comment");
const authorOf = db.query.members
  .findFirst({
    where: and(
      eq(members.databaseId, databaseId),
      eq(members.organizationId, sql.placeholder("organizationId")),
      eq(members.id, sql.placeholder("authorId")),
    ),
  })
  .prepare("author");

const PAGE_SIZE = 20;

type Comment = typeof comments.$inferSelect & { author?: { id: string; name: string } | null };

await serve(
  {
    Query: {
      resource: (_: unknown, { id }: { id: string }) => page.execute({ id, limit: PAGE_SIZE + 1 }),
    },
    Mutation: {
      createComment: async (_: unknown, { input }: NewComment) => {
        const resource = await resourceOf.execute({ id: input.resourceId });
        const [added] = await addComment.execute({ ...input, organizationId: resource?.organizationId });
        return added;
      },
    },
    Resource: {
      createdAt: ({ createdAt }: { createdAt: Date }) => createdAt.toISOString(),
      region: () => ({ key: regionKey }),
      comments: (resource: { comments: Comment[] }, { first }: { first: number }) =>
        toConnection(resource.comments, Math.min(first, PAGE_SIZE)),
    },
    Comment: {
      createdAt: ({ createdAt }: Comment) => createdAt.toISOString(),
      author: (comment: Comment) => comment.author ?? authorOf.execute(comment),
    },
  },
  () => ({}),
);
