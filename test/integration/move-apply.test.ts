/** What tenant databases have for the stream of a move: whose rows can be picked out of it, and what comes twice is there once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, grant, registerRegion } from "../support/journey.ts";
import { schemaWith } from "../support/fleet.ts";

let app: TestApp;
let from: string;
let to: string;
let organization: string;
let number: number;

const OTHER_SHAPES = `
  create table app.alone (id uuid primary key default tenantry.new_id(), organization_id uuid not null default tenantry.organization());
  select tenantry.tenant_table('app.alone');
  create table app.listed (id uuid primary key default tenantry.new_id(), organization_id uuid not null default tenantry.organization(),
    name text not null);
  select tenantry.tenant_table('app.listed');
  select tenantry.catalog('app.listed', '{name}');
  create table app.keyed (organization_id uuid not null default tenantry.organization(), id uuid not null default tenantry.new_id(),
    primary key (organization_id, id));
  select tenantry.tenant_table('app.keyed');
  create table app.gone (id uuid primary key, organization_id uuid not null);
  select tenantry.tenant_table('app.gone');
  select tenantry.drop_tenant_table('app.gone');`;

beforeAll(async () => {
  app = await startApp({ tenantSchema: schemaWith(OTHER_SHAPES) });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  organization = await createOrganization(app);
  const granted = await grant(app, organization, "eu", "SHARED");
  from = `${serverUrl("eu")}/${granted.database}`;
  to = `${serverUrl("us")}/${(await grant(app, await createOrganization(app), "us", "SHARED")).database}`;
  const [row] = await sql<{ number: number }>(app.databaseUrl, "select number from tenantry.placements where id = $1", [
    granted.id,
  ]);
  number = row?.number ?? 0;
});
afterAll(() => app.stop());

const identities = (url: string) =>
  sql<{ table: string; columns: string[]; index: string }>(
    url,
    `select c.relname::text as table, i.relname::text as index,
       (select array_agg(a.attname::text order by a.attname) from pg_attribute a
        where a.attrelid = c.oid and a.attnum = any (x.indkey::int2[])) as columns
     from pg_class c join pg_index x on x.indrelid = c.oid and (case c.relreplident when 'd' then x.indisprimary else x.indisreplident end)
     join pg_class i on i.oid = x.indexrelid
     where c.relnamespace = 'app'::regnamespace or c.oid in ('tenantry.audit_log'::regclass, 'tenantry.move_marks'::regclass)
     order by 1`,
  );

test("a row's identity has what moves and the catalog pick it out by, with an index of its own only where none would do", async () => {
  const listed = ["database_id", "id", "organization_id"];
  expect(await identities(from)).toEqual([
    { table: "alone", columns: listed, index: "alone_identity_key" },
    { table: "audit_log", columns: ["id", "organization_id"], index: "audit_log_pkey" },
    { table: "comments", columns: ["id", "organization_id"], index: "comments_pkey" },
    { table: "keyed", columns: ["id", "organization_id"], index: "keyed_pkey" },
    { table: "listed", columns: listed, index: "listed_identity_key" },
    { table: "move_marks", columns: ["mark", "number"], index: "move_marks_pkey" },
    { table: "resources", columns: listed, index: "resources_organization_key" },
  ]);
  const functions = await sql(from, "select from pg_proc where proname in ('replace_in_listed', 'replace_in_gone')");
  expect(functions).toHaveLength(1);
});

const TABLES = ["app.resources", "app.comments", "tenantry.audit_log"];
const contents = async (url: string) => {
  const found = await Promise.all(
    TABLES.map((table) =>
      sql<{ row: string }>(
        url,
        `select (to_jsonb(r) - 'database_id')::text as row from ${table} r where organization_id = $1 order by 1`,
        [organization],
      ),
    ),
  );
  return found.map((rows) => rows.map(({ row }) => row));
};

test("a stream of one organization that repeats what was copied changes nothing, and goes on", async () => {
  const stranger = await createOrganization(app);
  const { id: neighbour } = await grant(app, stranger, "eu", "SHARED");
  expect(neighbour).toBeDefined();
  const one = { scope: `${organization}/${number}/operator`, id: organization };
  const write = (text: string) => sql(from, `begin; set local tenantry.scope = '${one.scope}'; ${text}; commit`);
  const [name, filter] = [`moving_${process.pid}`, `where (organization_id = '${organization}')`];
  await sql(
    from,
    `create publication ${name} for table ${TABLES.map((table) => `${table} ${filter}`).join(", ")},
    tenantry.move_marks where (number = ${number})`,
  );
  await sql(from, `select pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  try {
    await write(
      `insert into app.resources (id, name) values ('${uuid(1)}', 'One'), ('${uuid(2)}', 'Two'), ('${uuid(3)}', 'Three')`,
    );
    await write(
      `insert into app.comments (id, resource_id, author_id, body) select gen_random_uuid(), id, id, name from app.resources`,
    );
    await write(
      `update app.resources set name = 'Changed' where id = '${uuid(1)}'; delete from app.resources where id = '${uuid(2)}'`,
    );
    await sql(from, "insert into tenantry.move_marks values ($1, 1)", [number]);
    // What is copied is of later than where the stream begins.
    for (const table of [...TABLES, "tenantry.move_marks"]) {
      const rows = await sql<{ row: object }>(from, `select to_jsonb(r) as row from ${table} r`);
      await sql(
        to,
        `insert into ${table} select (jsonb_populate_record(null::${table}, one || jsonb_build_object('database_id', (select database_id from tenantry.identity)))).*
         from jsonb_array_elements($1::jsonb) one`,
        [JSON.stringify(rows.map(({ row }) => row))],
      );
    }
    await sql(
      to,
      `create subscription ${name} connection '${from}' publication ${name} with (create_slot = false, copy_data = false)`,
    );
    await write(`update app.resources set name = 'Again' where id = '${uuid(3)}'`);
    await write(`delete from app.comments where body = 'One'`);
    await write(`insert into app.resources (id, name) values ('${uuid(4)}', 'Four')`);
    await sql(
      from,
      `insert into app.resources (organization_id, id, name) values ('${stranger}', '${uuid(5)}', 'Not theirs')`,
    );
    await sql(from, "insert into tenantry.move_marks values ($1, 2), ($1 + 1, 2)", [number]);
    await expect
      .poll(() => sql(to, "select number, mark::int from tenantry.move_marks order by 1, 2"), { timeout: 10_000 })
      .toEqual([
        { number, mark: 1 },
        { number, mark: 2 },
      ]);
    expect(await contents(to)).toEqual(await contents(from));
    expect((await contents(to)).map((rows) => rows.length)).toEqual([3, 1, 12]);
    expect(await sql(to, "select from app.resources where organization_id = $1", [stranger])).toEqual([]);
  } finally {
    await sql(to, `drop subscription if exists ${name}`);
    await sql(from, `drop publication ${name}`);
  }
});

const uuid = (last: number) => `00000000-0000-4000-8000-00000000000${last}`;

test("whoever copies may leave the look for what is there out", async () => {
  const id = "00000000-0000-4000-8000-000000000009";
  const insert = `insert into app.resources (organization_id, id, name) values ('${organization}', '${id}', 'Copied')`;
  const asReplica = (text: string) => sql(to, `begin; set local session_replication_role = replica; ${text}; commit`);
  const copying = `select set_config('tenantry.copying', '${organization}/' || tenantry.database_id(), true)`;
  await asReplica(insert);
  await asReplica(insert);
  await expect(asReplica(`${copying}; ${insert}`)).rejects.toMatchObject({ code: "23505" });
});
