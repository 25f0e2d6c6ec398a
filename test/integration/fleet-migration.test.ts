/** Migrating the fleet: with failures, locks, restarts and interruptions; what is served meanwhile. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import {
  type FleetMigrationOptions,
  migrateFleet,
  planFleetMigration,
} from "../../src/engine/fleet/migrate-databases.ts";
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { addDatabases, openServices, schemaWith } from "../support/fleet.ts";
import { createOrganization, createResource, grant, registerRegion } from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const OLD = TENANT_SCHEMA.latestVersion;
const NEW = OLD + 1;
const V3 = schemaWith(
  `create table tenantry.labels (id uuid primary key, name text not null);
   alter table app.comments add column pinned boolean not null default false;`,
);
const FAST: FleetMigrationOptions = {
  limits: { total: 8, perServer: 4 },
  statements: { lockTimeoutMs: 50 },
  retry: { attempts: 2, lastAttempts: 60, pauseMs: 20, maxPauseMs: 200 },
};

let own: OwnServer;
let app: TestApp;
let organization: string;
/** In the region eu. */
let resource: string;
let eu: string[];
let us: string[];

const RESOURCE = "query ($id: ID!) { resource(id: $id) { name } }";
const euUrl = (database: string) => `${serverUrl("eu")}/${database}`;
const homeRows = () =>
  sql<{ name: string; version: number; fingerprint: string | null; failure: string | null }>(
    app.databaseUrl,
    `select name, engine_version + app_version as version, schema_fingerprint as fingerprint, migration_failure as failure
     from tenantry.tenant_databases order by id`,
  );
const jobs = () =>
  sql<{ state: string; error: string | null }>(
    app.databaseUrl,
    "select state, last_error as error from tenantry.jobs where kind = 'migrate-databases' order by id",
  );

beforeAll(async () => {
  own = await startServer();
  const first = await startApp();
  await registerRegion(first, "eu", serverUrl("eu"));
  await registerRegion(first, "us", own.url());
  organization = await createOrganization(first, "Real");
  // One real placement in each, which also makes the templates.
  await grant(first, organization, "eu");
  await grant(first, await createOrganization(first, "Other"), "us");
  resource = await createResource(first, { name: "Known", organizationId: organization });
  await first.stop();
  const { databaseUrl, secretKey } = first;
  app = await startApp({ databaseUrl, secretKey, role: "api" });
  [eu, us] = await Promise.all([addDatabases(app, "eu", serverUrl("eu"), 24), addDatabases(app, "us", own.url(), 24)]);
});
afterAll(async () => {
  await app.stop();
  await own[Symbol.asyncDispose]();
});

const migrateWith = async (schema: typeof V3, options: FleetMigrationOptions = {}) => {
  await using services = await openServices(app, schema);
  return await migrateFleet(services, "operator", { ...FAST, ...options });
};

test("a plan changes nothing", async () => {
  await using services = await openServices(app, V3);
  const before = await homeRows();
  const plan = await planFleetMigration(services);
  expect(plan.canaries.map(({ regionKey }) => regionKey)).toEqual(["eu", "us"]);
  expect(plan.waves.map(({ length }) => length)).toEqual([5, 43]);
  expect(await homeRows()).toEqual(before);
  expect(await jobs()).toEqual([]);
  expect(await sql(euUrl(eu[0] ?? ""), "select to_regclass('tenantry.labels') as labels")).toEqual([{ labels: null }]);
});

test("starting a newer program migrates nothing, and it serves what is one version behind", async () => {
  const newer = await startApp({ ...app, role: "api", tenantSchema: V3 });
  const { createResource: made } = await newer.ask(
    "mutation ($input: CreateResourceInput!) { createResource(input: $input) { name } }",
    { input: { name: "Served", organizationId: organization, regionKey: "eu" } },
  );
  expect(made.name).toBe("Served");
  await newer.stop();
  expect((await homeRows()).every(({ version }) => version === OLD)).toBe(true);
});

test("50 databases: one fails, one is locked, a server restarts; the rest is migrated, and another run does what is left", async () => {
  // From here on this program knows the way.
  expect(await app.ask(RESOURCE, { id: resource })).toEqual({ resource: { name: "Known" } });
  const [failing, locked] = [eu[10] ?? "", eu[20] ?? ""];
  await sql(euUrl(failing), "create table tenantry.labels (mine text)");
  const holder = new pg.Client({ connectionString: euUrl(locked), application_name: "a long report" });
  await holder.connect();
  await holder.query("begin; select count(*) from app.comments");
  const events: string[] = [];
  let restarted: Promise<void> | undefined;
  let released: Promise<unknown> | undefined;
  const report = await migrateWith(V3, {
    onEvent: ({ database, attempt }) => {
      events.push(`${database.name} ${attempt.kind}${attempt.kind === "done" ? "" : `: ${attempt.reason}`}`);
      if (events.length === 8) restarted = own.server.stop().then(() => own.server.start());
      // Held until all others are through: only the last round finds it free.
      if (events.filter((event) => event.endsWith(" done")).length === 48) released ??= holder.query("commit");
    },
  });
  await Promise.all([restarted, released]);
  await holder.end();
  expect(restarted).toBeDefined();
  expect(report).toMatchObject({ migrated: 49, left: 0, stopped: null, refused: [], drifted: [] });
  expect(report.failed).toEqual([
    { database: failing, region: "eu", reason: expect.stringContaining('relation "labels" already exists') },
  ]);
  expect(events.some((event) => event.startsWith(`${locked} blocked`) && event.includes("a long report"))).toBe(true);
  expect(events.at(-1)).toBe(`${locked} done`);
  expect(events.some((event) => event.includes(" unreachable: "))).toBe(true);
  const rows = await homeRows();
  expect(rows.filter(({ version }) => version === OLD).map(({ name }) => name)).toEqual([failing]);
  expect(rows.find(({ name }) => name === failing)?.failure).toContain("already exists");
  const fingerprints = new Set(rows.filter(({ version }) => version === NEW).map(({ fingerprint }) => fingerprint));
  expect([fingerprints.size, fingerprints.has(null)]).toEqual([1, false]);

  await sql(euUrl(failing), "drop table tenantry.labels");
  expect(await migrateWith(V3)).toMatchObject({ migrated: 1, upToDate: 49, failed: [] });
  expect((await homeRows()).every(({ version, failure }) => version === NEW && failure === null)).toBe(true);
  const recorded = (await jobs()).length;
  expect(await migrateWith(V3)).toMatchObject({ migrated: 0, upToDate: 50 });
  expect((await jobs()).length).toBe(recorded);
  const templates = await sql<{ name: string }>(
    euUrl("postgres"),
    "select datname as name from pg_database where datname like $1",
    [`${eu[0]?.replace(/\d+$/, "")}template%`],
  );
  expect(templates.map(({ name }) => name.replace(/.*template_/, ""))).toEqual([
    `${latestOf(V3).engine}_${latestOf(V3).app}`,
  ]);
});

test("an older program refuses what is newer than itself, also one that runs already", async () => {
  // Before anything reads the way anew.
  expect(await app.refuse(RESOURCE, { id: resource })).toMatchObject({ code: "CONFLICT" });
  const input = { name: "Refused", organizationId: organization, regionKey: "eu" };
  expect(
    await app.refuse("mutation ($input: CreateResourceInput!) { createResource(input: $input) { name } }", { input }),
  ).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("start the newer program") });
  await expect(migrateWith(TENANT_SCHEMA)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("start the newer program"),
  });
  // A home that was restored from before knows nothing of it. Each database does.
  const [forgotten] = await sql<{ name: string; checksum: string }>(
    app.databaseUrl,
    "delete from tenantry.migrations where part = 'app' and number = (select max(number) from tenantry.migrations where part = 'app') returning *",
  );
  const report = await migrateWith(TENANT_SCHEMA);
  expect(report).toMatchObject({ migrated: 0, failed: [] });
  expect(report.refused.length).toBe(50);
  expect(report.refused[0]?.reason).toContain("newer than this program");
  await sql(
    app.databaseUrl,
    `insert into tenantry.migrations (part, number, name, checksum)
     select 'app', max(number) + 1, $1, $2 from tenantry.migrations where part = 'app'`,
    [forgotten?.name, forgotten?.checksum],
  );
});

test("--verify looks into every database, and believes it rather than home", async () => {
  await sql(app.databaseUrl, "update tenantry.tenant_databases set schema_fingerprint = null");
  expect(await migrateWith(V3, { verify: true })).toMatchObject({ migrated: 0, verified: 50, failed: [] });
  expect((await homeRows()).every(({ fingerprint }) => fingerprint !== null)).toBe(true);
});

const V4 = schemaWith(V3.migrations.at(-1)?.sql ?? "", "alter table tenantry.labels add column color text;");

test("a canary that fails ends the run before anything else is begun", async () => {
  const plan = await openServices(app, V4).then(async (services) => {
    await using opened = services;
    return await planFleetMigration(opened);
  });
  const canary = plan.canaries.find(({ regionKey }) => regionKey === "eu")?.name ?? "";
  await sql(euUrl(canary), "alter table tenantry.labels rename to labels_elsewhere");
  const report = await migrateWith(V4, { limits: { total: 1 } });
  expect(report.stopped).toBe(`The canary ${canary} failed.`);
  expect(report.left).toBe(49);
  await sql(euUrl(canary), "alter table tenantry.labels_elsewhere rename to labels");
});

test("a run that is interrupted goes on where it was, also where home missed what was done", async () => {
  const interrupt = new AbortController();
  let done = 0;
  const report = await migrateWith(V4, {
    signal: interrupt.signal,
    onEvent: () => {
      done += 1;
      if (done === 10) interrupt.abort();
    },
  });
  expect(report.stopped).toBe("It was interrupted.");
  expect(report.migrated + report.left).toBe(50);
  expect(report.left).toBeGreaterThan(20);
  // As after a crash between the commit in the tenant database and the record at home.
  const behind = await sql<{ name: string }>(
    app.databaseUrl,
    `update tenantry.tenant_databases set app_version = app_version - 1 where engine_version + app_version = ${NEW + 1} returning name`,
  );
  expect(behind.length).toBe(report.migrated);
  const disarm = armFailpoint("migrate-databases/waves/before", () => {
    throw new Error("the process ends here");
  });
  await expect(migrateWith(V4)).rejects.toThrow("the process ends here");
  disarm();
  expect((await jobs()).at(-1)).toMatchObject({ state: "FAILED" });
  const second = await migrateWith(V4);
  expect(second.failed).toEqual([]);
  expect((await homeRows()).every(({ version }) => version === NEW + 1)).toBe(true);
  for (const { name } of behind.slice(0, 3)) {
    const server = us.includes(name) ? own.url(name) : (await isInEu(name)) ? euUrl(name) : own.url(name);
    expect(await sql(server, "select count(*)::int as n from tenantry.migrations")).toEqual([{ n: NEW + 1 }]);
  }
  expect((await jobs()).at(-1)).toMatchObject({ state: "DONE" });
});

async function isInEu(name: string): Promise<boolean> {
  return (await sql(euUrl("postgres"), "select from pg_database where datname = $1", [name])).length > 0;
}

const ADDED = [...V4.migrations.slice(OLD).map(({ sql: text }) => text), "select 5"];
const V5 = schemaWith(...ADDED);

test("a second run beside the first is refused", async () => {
  const started = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const disarm = armFailpoint("migrate-databases/canary/before", async () => {
    started.resolve();
    await mayEnd.promise;
  });
  const first = migrateWith(V5);
  await started.promise;
  disarm();
  await expect(migrateWith(V5)).rejects.toMatchObject({ code: "CONFLICT" });
  mayEnd.resolve();
  expect(await first).toMatchObject({ migrated: 50, failed: [] });
});

test("a program two versions ahead refuses, and says what to run", async () => {
  const ahead = await startApp({ ...app, role: "api", tenantSchema: schemaWith(...ADDED, "select 6", "select 7") });
  expect(
    await ahead.refuse("mutation ($input: CreateResourceInput!) { createResource(input: $input) { name } }", {
      input: { name: "Refused", organizationId: organization, regionKey: "eu" },
    }),
  ).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("run tenantry migrate") });
  await ahead.stop();
});
