/** Migrations that change which columns flow: subscribers first when adding, publishers first when removing. */
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { MigrationSet } from "../../src/engine/migrations/migration-set.ts";
import { migrateFleet } from "../../src/engine/fleet/migrate-databases.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { openServices, schemaWith } from "../support/fleet.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";

const MEMBER = "database_id,organization_id,user_id,role,joined_at,name,email,user_created_at";
const ADD = `
alter table app.resources add column color text not null default 'red';
select tenantry.catalog('app.resources', '{name,created_by,created_at,updated_at,color}');
alter table tenantry.directory_members add column nickname text;
select tenantry.directory('tenantry.directory_members', '{${MEMBER},nickname}');`;
// Home publishes the directory, to databases of the version before too: it keeps the column.
const REMOVE = `
select tenantry.catalog('app.resources', '{name,created_by,created_at,updated_at}');
alter table app.resources drop column color;
select tenantry.directory('tenantry.directory_members', '{${MEMBER}}');
do $$ begin
  if to_regclass('tenantry.installation') is null then
    alter table tenantry.directory_members drop column nickname;
  end if;
end $$;`;

const REPLICATION = { sweepIntervalMs: 3_600_000, carrier: { idleMs: 50, retryMs: 50 } };

const MIGRATING = "update tenantry.tenant_databases set migrating_to_engine = $1, migrating_to_app = $2";

let app: TestApp;
let organization: string;
let tenant: string;
let database: string;

beforeEach(async () => {
  app = await startApp({ replication: REPLICATION });
  await registerRegion(app, "eu", serverUrl("eu"));
  organization = await createOrganization(app, "Flowing");
  ({ database } = await grant(app, organization, "eu"));
  tenant = `${serverUrl("eu")}/${database}`;
});
afterEach(() => app.stop());

/** The newer program in place of the older one. Home's own migration, at its start, adds what will flow. */
async function upgrade(schema: MigrationSet): Promise<void> {
  const { databaseUrl, secretKey } = app;
  await app.stop();
  app = await startApp({ databaseUrl, secretKey, replication: REPLICATION, tenantSchema: schema });
}

async function migrateTo(schema: MigrationSet) {
  await using services = await openServices(app, schema);
  return await migrateFleet(services, "operator");
}

const rows = async (url: string, text: string) =>
  (await sql<{ row: string }>(url, text)).map(({ row }) => row).toSorted();
const catalog = () =>
  rows(
    app.databaseUrl,
    `select name || ' ' || coalesce(color, 'none') as row from catalog.resources where organization_id = '${organization}'`,
  );
const directory = () =>
  rows(tenant, "select name || ' ' || coalesce(nickname, 'none') as row from tenantry.directory_members");
const directoryNames = () => rows(tenant, "select name as row from tenantry.directory_members");
const catalogLink = () =>
  sql(app.databaseUrl, "select oid from pg_subscription where subname like $1", [`${database}\\_%`]);
const published = async (url: string) =>
  (
    await sql<{ columns: string[] }>(
      url,
      "select attnames::text[] as columns from pg_publication_tables where pubname like $1",
      [`${database}\\_%`],
    )
  ).flatMap(({ columns }) => columns);

const nickname = (name: string, text: string) =>
  sql(app.databaseUrl, "update tenantry.directory_members set nickname = $2 where name = $1", [name, text]);

test("a column that is added flows both ways, for rows written before and after", async () => {
  await createResource(app, { name: "Before", organizationId: organization });
  await addMember(app, organization, await createUser(app, "Early"));
  const schema = schemaWith(ADD);
  await upgrade(schema);
  await nickname("Early", "Bird");
  // One version behind: served, and what is new stays where it is.
  await createResource(app, { name: "Between", organizationId: organization });
  await addMember(app, organization, await createUser(app, "Middle"));
  await nickname("Middle", "One");
  expect(await migrateTo(schema)).toMatchObject({ migrated: 1, failed: [] });
  await sql(tenant, "update app.resources set color = 'green' where name = 'Between'");
  await createResource(app, { name: "After", organizationId: organization });
  const user = await createUser(app, "Late");
  await addMember(app, organization, user);
  await nickname("Late", "Comer");
  await addMember(app, organization, await createUser(app, "Last"));
  await eventually(
    async () =>
      (await catalog()).join().includes("After red,Before red,Between green") && (await directory()).length === 4,
  );
  expect(await catalog()).toEqual(["After red", "Before red", "Between green"]);
  expect(await directory()).toEqual(["Early Bird", "Last none", "Late Comer", "Middle One"]);
  expect(await sql(app.databaseUrl, "select migrating_to_app from tenantry.tenant_databases")).toEqual([
    { migrating_to_app: null },
  ]);
});

test("a column that is removed stops flowing first, in place, and nothing halts", async () => {
  const before = schemaWith(ADD);
  await upgrade(before);
  expect(await migrateTo(before)).toMatchObject({ migrated: 1 });
  await createResource(app, { name: "Before", organizationId: organization });
  await addMember(app, organization, await createUser(app, "Early"));
  const schema = schemaWith(ADD, REMOVE);
  await upgrade(schema);
  const link = await catalogLink();
  // Written with the column, just before it goes.
  await nickname("Early", "Bird");
  expect(await migrateTo(schema)).toMatchObject({ migrated: 1, failed: [] });
  expect([...(await published(tenant)), ...(await published(app.databaseUrl))]).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/color|nickname/)]),
  );
  await createResource(app, { name: "After", organizationId: organization });
  await addMember(app, organization, await createUser(app, "Late"));
  await nickname("Early", "Again");
  // On a busy machine longer than a mutation waits.
  await eventually(async () => (await catalog()).length + (await directoryNames()).length === 4);
  expect(await catalog()).toEqual(["After none", "Before red"]);
  expect(await directoryNames()).toEqual(["Early", "Late"]);
  // Not reseeded: what flowed before went on flowing.
  expect(await catalogLink()).toEqual(link);
});

test("a crash after the tenant's part is made good by the next run", async () => {
  await createResource(app, { name: "Before", organizationId: organization });
  const schema = schemaWith(ADD);
  await upgrade(schema);
  // As it is left by a process that ended between the commit in the tenant database and anything after it.
  await sql(app.databaseUrl, MIGRATING, [latestOf(schema).engine, latestOf(schema).app]);
  const added = schema.migrations.at(-1);
  await sql(tenant, `set tenantry.migration = 'app ${added?.number}'; ${ADD}`);
  await sql(tenant, "insert into tenantry.migrations (part, number, name, checksum) values ('app', $1, $2, $3)", [
    added?.number,
    added?.name,
    added?.checksum,
  ]);
  expect(await migrateTo(schema)).toMatchObject({ migrated: 1, failed: [] });
  expect(await eventually(async () => (await catalog()).join() === "Before red")).toBe(true);
  // And when all that is missing is the end.
  await sql(app.databaseUrl, MIGRATING, [latestOf(schema).engine, latestOf(schema).app]);
  const [{ id } = { id: 0 }] = await sql<{ id: number }>(tenant, "select database_id as id from tenantry.identity");
  await sql(
    tenant,
    `alter publication ${database}_catalog set table app.resources
       (database_id, id, organization_id, name, created_by, created_at) where (database_id = ${id})`,
  );
  expect(await migrateTo(schema)).toMatchObject({ verified: 1, failed: [] });
  expect(await published(tenant)).toContain("color");
  await createResource(app, { name: "After", organizationId: organization });
  await eventually(async () => (await catalog()).length === 2);
  expect(await catalog()).toEqual(["After red", "Before red"]);
});
