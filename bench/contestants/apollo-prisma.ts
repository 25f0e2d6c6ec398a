/**
 * Apollo Server with Prisma 7 and its adapter for the driver, as Prisma's guide has it: the page and all that belongs to it are asked for
 * with one nested `findUnique`, which Prisma answers with a query for each table. `relationJoins`, a preview, is off as by default.
 * `node apollo-prisma.ts <tenant database URL> <region key> <pool size>`; prints its port.
 */
import { PrismaPg } from "@prisma/adapter-pg";
import { type NewComment, serve, toConnection } from "./apollo-server.ts";
import { PrismaClient } from "./generated/client.ts";

const [connectionString = "", regionKey = "", max = "4"] = process.argv.slice(2);
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString, max: Number(max) }) });
const found = await prisma.$queryRaw<{ id: number }[]>`select database_id as id from tenantry.identity`;
const databaseId = found[0]?.id ?? 0;

const PAGE_SIZE = 20;
const NAMED = { select: { id: true, name: true } } as const;
const COMMENT = { id: true, body: true, createdAt: true, author: NAMED } as const;

type Comment = { id: string; body: string; createdAt: Date; author: { id: string; name: string } };

await serve(
  {
    Query: {
      resource: (_: unknown, { id }: { id: string }) =>
        prisma.resource.findUnique({
          where: { databaseId_id: { databaseId, id } },
          select: {
            id: true,
            name: true,
            createdAt: true,
            organization: NAMED,
            comments: { select: COMMENT, orderBy: { id: "asc" }, take: PAGE_SIZE + 1 },
          },
        }),
    },
    Mutation: {
      createComment: async (_: unknown, { input }: NewComment) => {
        const { organizationId } = await prisma.resource.findUniqueOrThrow({
          where: { databaseId_id: { databaseId, id: input.resourceId } },
          select: { organizationId: true },
        });
        return prisma.comment.create({ data: { ...input, databaseId, organizationId }, select: COMMENT });
      },
    },
    Resource: {
      createdAt: ({ createdAt }: { createdAt: Date }) => createdAt.toISOString(),
      region: () => ({ key: regionKey }),
      comments: (resource: { comments: Comment[] }, { first }: { first: number }) =>
        toConnection(resource.comments, Math.min(first, PAGE_SIZE)),
    },
    Comment: { createdAt: ({ createdAt }: Comment) => createdAt.toISOString() },
  },
  () => ({}),
);
