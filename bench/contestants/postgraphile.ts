/**
 * PostGraphile 5 with its recommended preset on the tenant database's own tables. Smart tags say the relations for which there is no
 * foreign key; two functions of its own give the region's key and create a comment, as its users would write them. Nobody signs in.
 * `node postgraphile.ts <tenant database URL> <region key> <pool size>`; prints its port and the database's id.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgSmartTagsPlugin } from "postgraphile/utils";

const [connectionString = "", regionKey = "", max = "4"] = process.argv.slice(2);

const client = new pg.Client({ connectionString });
await client.connect();
await client.query(`
  create schema if not exists bench_postgraphile;
  create or replace function app.resources_region_key(r app.resources) returns text stable language sql
    begin atomic select ${client.escapeLiteral(regionKey)}::text; end;
  create or replace function bench_postgraphile.add_comment(resource_id uuid, author_id uuid, body text)
    returns app.comments volatile language sql as $$
      insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
      select gen_random_uuid(), r.database_id, r.organization_id, r.id, $2, $3
      from app.resources r where r.id = $1 and r.database_id = (select database_id from tenantry.identity)
      returning *
    $$`);
const { rows } = await client.query<{ id: number }>("select database_id as id from tenantry.identity");
await client.end();

const relations = makePgSmartTagsPlugin([
  {
    kind: "class",
    match: "app.comments",
    tags: {
      foreignKey:
        "(database_id, organization_id, author_id) references tenantry.directory_members (database_id, organization_id, user_id)|@fieldName author",
    },
  },
  {
    kind: "class",
    match: "app.resources",
    tags: {
      foreignKey:
        "(database_id, organization_id) references tenantry.directory_organizations (database_id, organization_id)|@fieldName organization",
    },
  },
]);

const server = createServer();
const served = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [relations],
  // It leaves out relations whose foreign key is not the start of an index, as a comment's resource: its index starts with the resource.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      connectionString,
      schemas: ["app", "tenantry", "bench_postgraphile"],
      poolConfig: { max: Number(max) },
    }),
  ],
  grafast: { explain: false },
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
}).createServ(grafserv);
server.on("error", (error) => {
  throw error;
});
await served.addTo(server);
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port} ${rows[0]?.id}\n`));
