/**
 * Apollo Server with DataLoader over the driver, as it is written by hand: a loader per relation and request, one prepared statement each.
 * `node apollo-dataloader.ts <tenant database URL> <region key> <pool size>`; prints its port.
 */
import DataLoader from "dataloader";
import pg from "pg";
import { type NewComment, serve, toConnection } from "./apollo-server.ts";

const [connectionString = "", regionKey = "", max = "4"] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: Number(max) });

type Resource = { id: string; databaseId: number; organizationId: string; name: string; createdAt: Date };
type Comment = {
  id: string;
  databaseId: number;
  organizationId: string;
  resourceId: string;
  authorId: string;
  body: string;
  createdAt: Date;
};
type Named = { id: string; name: string };

const COMMENT = `c.id, c.database_id as "databaseId", c.organization_id as "organizationId", c.resource_id as "resourceId",
  c.author_id as "authorId", c.body, c.created_at as "createdAt"`;

async function rows<Row extends object>(name: string, text: string, values: unknown[]): Promise<Row[]> {
  return (await pool.query<Row>({ name, text, values })).rows;
}

async function resources(ids: readonly string[]): Promise<(Resource | undefined)[]> {
  const found = await rows<Resource>(
    "resources",
    `select id, database_id as "databaseId", organization_id as "organizationId", name, created_at as "createdAt"
     from app.resources
     where database_id = (select database_id from tenantry.identity) and id = any($1::uuid[])`,
    [ids],
  );
  const byId = new Map(found.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id));
}

async function organizations(ids: readonly string[]): Promise<(Named | undefined)[]> {
  const found = await rows<Named>(
    "organizations",
    `select organization_id as id, name from tenantry.directory_organizations
     where database_id = (select database_id from tenantry.identity) and organization_id = any($1::uuid[])`,
    [ids],
  );
  const byId = new Map(found.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id));
}

type Authorship = { organizationId: string; authorId: string };

async function authors(asked: readonly Authorship[]): Promise<(Named | undefined)[]> {
  const found = await rows<Named & { organizationId: string }>(
    "authors",
    `select organization_id as "organizationId", user_id as id, name from tenantry.directory_members
     where database_id = (select database_id from tenantry.identity)
       and (organization_id, user_id) in (select * from unnest($1::uuid[], $2::uuid[]))`,
    [asked.map(({ organizationId }) => organizationId), asked.map(({ authorId }) => authorId)],
  );
  const byKey = new Map(found.map((row) => [`${row.organizationId} ${row.id}`, row]));
  return asked.map(({ organizationId, authorId }) => byKey.get(`${organizationId} ${authorId}`));
}

async function pages(asked: readonly { resourceId: string; first: number }[]): Promise<Comment[][]> {
  const found = await rows<Comment>(
    "comments",
    `select c.* from unnest($1::uuid[], $2::int[]) as asked (resource_id, page)
     cross join lateral (
       select ${COMMENT} from app.comments c where c.resource_id = asked.resource_id order by c.id limit asked.page + 1
     ) c`,
    [asked.map(({ resourceId }) => resourceId), asked.map(({ first }) => first)],
  );
  const byResource = Map.groupBy(found, ({ resourceId }) => resourceId);
  return asked.map(({ resourceId }) => byResource.get(resourceId) ?? []);
}

const context = () => ({
  resources: new DataLoader(resources),
  organizations: new DataLoader(organizations),
  authors: new DataLoader(authors, {
    cacheKeyFn: ({ organizationId, authorId }: Authorship) => `${organizationId} ${authorId}`,
  }),
  pages: new DataLoader(pages, { cacheKeyFn: ({ resourceId, first }) => `${resourceId} ${first}` }),
});
type Context = ReturnType<typeof context>;

await serve(
  {
    Query: {
      resource: (_: unknown, { id }: { id: string }, loaders: Context) => loaders.resources.load(id),
    },
    Mutation: {
      createComment: async (_: unknown, { input }: NewComment) => {
        const [added] = await rows<Comment>(
          "add_comment",
          `insert into app.comments as c (id, database_id, organization_id, resource_id, author_id, body)
           select gen_random_uuid(), r.database_id, r.organization_id, r.id, $2, $3 from app.resources r
           where r.id = $1 and r.database_id = (select database_id from tenantry.identity) returning ${COMMENT}`,
          [input.resourceId, input.authorId, input.body],
        );
        return added;
      },
    },
    Resource: {
      createdAt: ({ createdAt }: Resource) => createdAt.toISOString(),
      organization: ({ organizationId }: Resource, _: unknown, loaders: Context) =>
        loaders.organizations.load(organizationId),
      region: () => ({ key: regionKey }),
      comments: async ({ id }: Resource, { first }: { first: number }, loaders: Context) =>
        toConnection(await loaders.pages.load({ resourceId: id, first }), first),
    },
    Comment: {
      createdAt: ({ createdAt }: Comment) => createdAt.toISOString(),
      author: (comment: Comment, _: unknown, loaders: Context) => loaders.authors.load(comment),
    },
  },
  context,
);
