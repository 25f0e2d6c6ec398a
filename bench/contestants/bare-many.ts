/**
 * The limit with several tenant databases: `node:http`, the driver, a pool for each database, `Promise.all` over those that are asked
 * for. `cold`: a connection made for this request alone. `node bare-many.ts <region URL> <pool size>`; prints its port.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import pg from "pg";

const [regionUrl = "", max = "4"] = process.argv.slice(2);
const pools = new Map<string, pg.Pool>();

const READ = {
  name: "read",
  text: `
    select json_build_object('id', r.id, 'name', r.name, 'comments', json_build_object('edges', (
      select json_agg(json_build_object('node', json_build_object(
               'id', p.id, 'body', p.body, 'author', json_build_object('name', p.name))) order by p.id)
      from (
        select c.id, c.body, m.name from app.comments c
        left join tenantry.directory_members m
          on m.database_id = c.database_id and m.organization_id = c.organization_id and m.user_id = c.author_id
        where c.resource_id = r.id order by c.id limit 20
      ) p)))::text as answer
    from app.resources r
    where r.id = $1 and r.database_id = (select database_id from tenantry.identity)`,
};

type Asked = { asked: { database: string; id: string }[]; cold?: boolean };

function urlOf(database: string): string {
  const url = new URL(regionUrl);
  url.pathname = `/${database}`;
  return url.href;
}

function poolOf(database: string): pg.Pool {
  const open = pools.get(database) ?? new pg.Pool({ connectionString: urlOf(database), max: Number(max) });
  pools.set(database, open);
  return open;
}

async function readFrom(database: string, id: string, cold: boolean): Promise<string> {
  if (!cold)
    return (await poolOf(database).query<{ answer: string }>({ ...READ, values: [id] })).rows[0]?.answer ?? "null";
  const client = new pg.Client({ connectionString: urlOf(database) });
  await client.connect();
  try {
    return (await client.query<{ answer: string }>({ ...READ, values: [id] })).rows[0]?.answer ?? "null";
  } finally {
    // Not waited for: whoever asks has the answer.
    void client.end();
  }
}

const server = createServer((request, response) => {
  const answer = async () => {
    const { asked, cold = false } = (await json(request)) as Asked;
    const found = await Promise.all(asked.map(({ database, id }) => readFrom(database, id, cold)));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(`{"data":{${found.map((one, index) => `"r${index}":${one}`).join()}}}`);
  };
  answer().catch((error: unknown) => {
    response.writeHead(500);
    response.end(String(error));
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
