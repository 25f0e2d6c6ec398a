/** A home and a tenant database that were restored from dumps without the roles: the program makes good what is missing. */
import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { REGION_CHANNEL } from "../../src/engine/regions/regions.ts";
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { inboxRoleName, templateName } from "../../src/engine/replication/names.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let home: OwnServer;
let region: OwnServer;
let app: TestApp;
let organization: string;
let author: string;
let database: string;

beforeAll(async () => {
  [home, region] = await Promise.all([startServer(), startServer()]);
  app = await startApp({ homeServer: home.url() });
  await registerRegion(app, "own", region.url());
  organization = await createOrganization(app);
  author = await createUser(app);
  await addMember(app, organization, author);
  ({ database } = await grant(app, organization, "own"));
});
afterAll(async () => {
  await app.stop();
  await Promise.all([home, region].map((server) => server[Symbol.asyncDispose]()));
});

const role = () => app.services.apiRole.name;

async function work(name: string): Promise<void> {
  const resource = await createResource(app, { name, organizationId: organization });
  await comment(app, resource, author, name);
  expect((await app.ask("{ resources(first: 50) { edges { node { name } } } }")).resources.edges).toContainEqual({
    node: { name },
  });
}

/** As after a dump was restored where the role was missing: nothing in the database is granted to it. */
async function forget(server: OwnServer, databases: readonly string[]): Promise<void> {
  for (const name of databases) {
    await sql(server.url(name), `drop owned by ${role()}`);
    await sql(server.url("postgres"), `grant connect on database ${name} to public`);
  }
  await sql(server.url("postgres"), `drop role ${role()}`);
}

async function restart(): Promise<void> {
  const { databaseUrl, secretKey } = app;
  app = await startApp({ databaseUrl, secretKey });
}

const homeName = () => new URL(app.databaseUrl).pathname.slice(1);

test("home without the API's role and its grants works after a start", async () => {
  await work("Before");
  await app.stop();
  await forget(home, [homeName()]);
  await restart();
  await work("Home has them again");
  expect(await findDrift(app.services)).toEqual([]);
});

test("a tenant database without them works after a start, and nobody else may connect to it", async () => {
  const template = templateName(app.services.installation, latestOf(app.services.tenantSchema));
  await app.stop();
  await forget(region, [database, template, "postgres"]);
  await restart();
  const works = () => work("The region has them again").then(() => "works", String);
  await expect.poll(works, { timeout: 20_000 }).toBe("works");
  expect(
    await sql(
      region.url("postgres"),
      `select has_database_privilege('public', datname, 'connect') as everybody from pg_database where datname = $1`,
      [database],
    ),
  ).toEqual([{ everybody: false }]);
});

test("a region is carried while somebody keeps the API's role there from being looked at", async () => {
  const waiting = () =>
    sql(region.url("postgres"), "select from pg_locks where locktype = 'transactionid' and not granted");
  const [at] = await sql<{ id: number; region: string }>(
    app.databaseUrl,
    "select id, region_id as region from tenantry.tenant_databases where name = $1",
    [database],
  );
  const other = new pg.Client({ connectionString: region.url("postgres") });
  await other.connect();
  onTestFinished(() => other.end());
  // Something is to be set again, so who looks takes the lock: the name of this role (engine/regions/api-role.ts).
  await sql(region.url("postgres"), `alter role ${role()} reset all`);
  await other.query(`begin; create role ${role()}_lock`);
  // The region begins anew, and nobody has looked before.
  app.services.apiRole.seenOn.clear();
  await sql(app.databaseUrl, "select pg_notify($1, $2)", [REGION_CHANNEL, at?.region]);
  await expect.poll(waiting, { timeout: 10_000 }).toHaveLength(1);
  const links = (["directory", "catalog"] as const).map((direction) => ({ databaseId: at?.id ?? 0, direction }));
  expect(await app.services.nudges.carry(links, 20_000)).toEqual([]);
  expect(await waiting()).toHaveLength(1);
});

test("doctor says which rights are missing, at home and in a tenant database", async () => {
  await sql(app.databaseUrl, `revoke insert on tenantry.audit_log from ${role()}`);
  await sql(region.url(database), `revoke all on app.comments from ${role()}`);
  await sql(region.url(database), `revoke usage on schema app from ${role()}`);
  expect(await findDrift(app.services)).toEqual([
    {
      database: homeName(),
      version: expect.any(Number),
      differences: [`the role ${role()} lacks insert on table tenantry.audit_log`],
    },
    {
      database,
      version: expect.any(Number),
      differences: [
        `the role ${role()} lacks usage on schema app`,
        `the role ${role()} lacks delete, insert, select, update on table app.comments`,
      ],
    },
  ]);
});

test("doctor says that home's inbox role is a superuser", async () => {
  const inbox = inboxRoleName(app.services.installation);
  const drift = async () => (await findDrift(app.services)).find((one) => one.database === homeName())?.differences;
  const sentence = `the role ${inbox} is a superuser: run ALTER ROLE ${inbox} NOSUPERUSER;`;
  await sql(app.databaseUrl, `alter role ${inbox} superuser`);
  expect(await drift()).toContain(sentence);
  await sql(app.databaseUrl, sentence.slice(sentence.indexOf("ALTER")));
  expect((await drift()) ?? []).not.toContain(sentence);
});
