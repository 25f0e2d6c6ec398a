/**
 * The limit: `node:http` and the driver, with one prepared statement for each request that makes the answer's text in
 * SQL. Nobody signs in, nothing is routed, checked or masked. `node bare.ts <tenant database URL> <region key> <pool
 * size>`; prints its port.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";

const [connectionString, regionKey = "", max = "4"] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: Number(max) });

const READ = {
  name: "read",
  text: `
    select json_build_object('data', json_build_object('resource', json_build_object(
      'id', r.id, 'name', r.name, 'createdAt', r.created_at,
      'organization', json_build_object('id', o.organization_id, 'name', o.name),
      'region', json_build_object('key', $2::text),
      'comments', json_build_object(
        'edges', c.edges,
        'pageInfo', json_build_object('hasNextPage', c.found > 20, 'endCursor', c.last)))))::text as answer
    from app.resources r
    join tenantry.directory_organizations o using (database_id, organization_id)
    cross join lateral (
      select json_agg(json_build_object('cursor', p.id, 'node', json_build_object(
               'id', p.id, 'body', p.body, 'createdAt', p.created_at,
               'author', json_build_object('id', p.author_id, 'name', p.name))) order by p.id)
               filter (where p.position <= 20) as edges,
             count(*) as found, max(p.id::text) filter (where p.position <= 20) as last
      from (
        select c.id, c.body, c.created_at, c.author_id, m.name, row_number() over (order by c.id) as position
        from app.comments c
        left join tenantry.directory_members m
          on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id
        where c.resource_id = r.id order by c.id limit 21
      ) p
    ) c
    where r.id = $1 and r.database_id = (select database_id from tenantry.identity)`,
};

const WRITE = {
  name: "write",
  text: `
    with added as (
      insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
      select gen_random_uuid(), r.database_id, r.organization_id, r.id, $2, $3
      from app.resources r where r.id = $1 and r.database_id = (select database_id from tenantry.identity)
      returning *
    )
    select json_build_object('data', json_build_object('createComment', json_build_object(
      'id', c.id, 'body', c.body, 'createdAt', c.created_at,
      'author', json_build_object('id', c.author_id, 'name', m.name))))::text as answer
    from added c left join tenantry.directory_members m
      on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id`,
};

type Asked = { id?: string; resourceId?: string; authorId?: string; body?: string };

async function bodyOf(request: IncomingMessage): Promise<Asked> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as Asked;
}

const server = createServer((request, response) => {
  const answer = async () => {
    const asked = await bodyOf(request);
    const { rows } =
      asked.id === undefined
        ? await pool.query<{ answer: string }>({ ...WRITE, values: [asked.resourceId, asked.authorId, asked.body] })
        : await pool.query<{ answer: string }>({ ...READ, values: [asked.id, regionKey] });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(rows[0]?.answer ?? '{"data":null}');
  };
  answer().catch((error: unknown) => {
    response.writeHead(500);
    response.end(String(error));
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
