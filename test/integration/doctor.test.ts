/** `tenantry doctor --repair` and `tenantry jobs`, as an operator runs them. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findOrphans, findStuckPlacements } from "../../src/engine/doctor/find-orphans.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { startServer } from "../support/servers.ts";
import {
  createOrganization,
  createResource,
  eventually,
  grant,
  type Granted,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
let placement: Granted;
let prefix: string;
const eu = () => `${serverUrl("eu")}/postgres`;

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  const organization = await createOrganization(app, "Patient");
  placement = await grant(app, organization, "eu");
  await createResource(app, { name: "Healthy", organizationId: organization });
  prefix = placement.database.replace(/_\d+$/, "");
});
afterAll(() => app.stop());

const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

async function tenantry(...args: string[]): Promise<{ code: number; json: any; output: string }> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  const result = await promisify(execFile)(process.execPath, [program, ...args], { env }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, output: stdout + stderr };
    },
  );
  return { ...result, json: args.includes("--json") ? JSON.parse(result.output) : undefined };
}

test("a server whose slots may keep any amount of WAL is no problem, and is advised to bound it", {
  timeout: 90_000,
}, async () => {
  await using server = await startServer({ settings: { max_slot_wal_keep_size: "-1" } });
  await registerRegion(app, "unbounded", server.url());
  const advised = "max_slot_wal_keep_size = '10GB'";
  const { servers } = (await tenantry("doctor", "--json")).json as { servers: { name: string; advice: string[] }[] };
  expect(servers.filter(({ advice }) => advice.join().includes(advised)).map(({ name }) => name)).toEqual([
    "unbounded",
  ]);
  const checked = await tenantry("region", "check", "unbounded");
  expect(checked).toMatchObject({ code: 0, output: expect.stringContaining(advised) });
  expect((await tenantry("doctor")).output).toContain(advised);
  await tenantry("region", "retire", "unbounded");
  expect(await eventually(async () => (await tenantry("region", "list", "--json")).json.regions.length === 1)).toBe(
    true,
  );
});

test("what nobody knows is named, and removed when it holds nothing or is named", async () => {
  await eventually(async () => (await tenantry("doctor", "--json")).code === 0);
  const [empty, full, strange] = [`${prefix}_901`, `${prefix}_902`, `${prefix}_903`];
  const [template] = await sql<{ name: string }>(
    eu(),
    "select datname as name from pg_database where starts_with(datname, $1)",
    [`${prefix}_template`],
  );
  for (const name of [empty, full]) await sql(eu(), `create database ${name} template ${template?.name}`);
  await sql(eu(), `create database ${strange}`);
  await sql(`${serverUrl("eu")}/${strange}`, "create table public.kept as select 1 as row");
  await sql(
    `${serverUrl("eu")}/${full}`,
    "insert into tenantry.identity (installation_id, database_id) values ($1, 902)",
    [prefix.replace("tenantry_", "")],
  );
  await sql(
    `${serverUrl("eu")}/${full}`,
    "insert into app.resources (database_id, id, organization_id, name) values (902, gen_random_uuid(), gen_random_uuid(), 'Kept')",
  );
  await sql(`${serverUrl("eu")}/${empty}`, `select pg_create_logical_replication_slot('${empty}_catalog', 'pgoutput')`);
  await sql(app.databaseUrl, `create publication ${empty}_directory`);
  await sql(
    app.databaseUrl,
    `create subscription ${empty}_catalog connection 'host=127.0.0.1' publication nobody with (connect = false)`,
  );
  const ill = await tenantry("doctor", "--json");
  expect(ill.code).toBe(1);
  const named = (result: typeof ill) => result.json.orphans.map(({ kind, name }: any) => `${kind} ${name}`).toSorted();
  expect(named(ill)).toEqual([
    `database ${empty}`,
    `database ${full}`,
    `database ${strange}`,
    `publication ${empty}_directory`,
    `slot ${empty}_catalog`,
    `subscription ${empty}_catalog`,
  ]);
  const repaired = await tenantry("doctor", "--repair", "--json");
  // One that is no tenant database may hold anything.
  expect(named(repaired)).toEqual([`database ${full}`, `database ${strange}`]);
  expect(repaired.json.orphans.map(({ rows }: any) => rows).toSorted()).toEqual([1, null]);
  for (const name of [full, strange])
    expect(repaired.json.repairs.find(({ what }: any) => what === `database ${name}`).done).toBe(false);
  const dropped = await tenantry("doctor", "--repair", "--drop", full, "--drop", strange, "--json");
  expect(dropped.json.orphans).toEqual([]);
  expect(await sql(eu(), "select from pg_database where datname = any($1)", [[empty, full, strange]])).toEqual([]);
  // What is ours and in use was left alone.
  expect(await sql(eu(), "select from pg_database where datname = $1", [placement.database])).toHaveLength(1);
  await createResource(app, { name: "Still healthy" });
}, 60_000);

test("a subscription on a region's server that leads to home's database is named, without what it holds", async () => {
  await eventually(async () => (await tenantry("doctor", "--json")).code === 0);
  const home = new URL(app.databaseUrl);
  // Quoted as libpq reads it, and with a password that looks like settings.
  const held = `host = '${home.hostname}' port=${home.port} user=postgres password='x \\'host=held-there' dbname='${home.pathname.slice(1).replaceAll("_", "\\_")}'`;
  // Made by hand, in a database of ours and in another one: neither has the gateway's credential.
  const strange = { ours: `${prefix}_strange`, another: "strange_to_home" };
  const made = [
    [`${serverUrl("eu")}/${placement.database}`, strange.ours],
    [eu(), strange.another],
  ] as const;
  for (const [url, name] of made)
    await sql(
      url,
      `create subscription ${name} connection '${held.replaceAll("'", "''")}' publication nothing with (connect = false, slot_name = none)`,
    );
  try {
    const ill = await tenantry("doctor", "--json");
    expect(ill.code).toBe(1);
    expect(ill.json.credentials.map(({ server }: { server: string }) => server)).toEqual(["eu", "eu"]);
    const { output } = await tenantry("doctor");
    for (const name of Object.values(strange)) expect(output).toContain(`The subscription ${name} in the database`);
    expect(output + ill.output).not.toContain("held-there");
  } finally {
    for (const [url, name] of made) await sql(url, `drop subscription ${name}`);
  }
  expect((await tenantry("doctor", "--json")).json.credentials).toEqual([]);
}, 60_000);

test("a schema that somebody changed by hand is told in sentences", async () => {
  const url = `${serverUrl("eu")}/${placement.database}`;
  await sql(url, "drop index app.comments_resource_id");
  await sql(url, "alter table app.resources add column color text");
  const ill = await tenantry("doctor", "--json");
  expect(ill.code).toBe(1);
  expect(ill.json.drift).toMatchObject([{ database: placement.database }]);
  expect(ill.json.drift[0].differences.join("\n")).toMatch(/lacks index comments_resource_id[^]*column color/);
  await sql(url, "create index comments_resource_id on app.comments (resource_id, id)");
  await sql(url, "alter table app.resources drop column color");
  expect((await tenantry("doctor", "--json")).json.drift).toEqual([]);
}, 60_000);

test("rows that home refused are told, with the reason, until they are gone", async () => {
  const [{ id } = { id: 0 }] = await sql<{ id: number }>(
    app.databaseUrl,
    "select id from tenantry.tenant_databases where name = $1",
    [placement.database],
  );
  const asSent = (statement: string) =>
    sql(app.databaseUrl, `begin; set local tenantry.catalog_sender = '${id}'; ${statement}; commit`);
  const rows = [randomUUID(), randomUUID()].map((row) => `(${id}, '${row}')`).join(", ");
  await asSent(`insert into tenantry_inbox.resources (database_id, id) values ${rows}`);
  const problem = `2 rows of tenant database ${id} were refused, the first because its organization has no placement in this database`;
  const ill = await tenantry("doctor", "--json");
  expect(ill.code).toBe(1);
  const flows = ill.json.databases.find(({ database }: any) => database === placement.database).flows;
  expect(flows).toMatchObject([
    { direction: "directory", problem: null },
    { direction: "catalog", healthy: false, problem },
  ]);
  const { replication } = await app.ask(
    "{ replication { databases(first: 10) { edges { node { database flows { problem } } } } } }",
  );
  expect(JSON.stringify(replication)).toContain(problem);
  await asSent(`delete from tenantry_inbox.resources where database_id = ${id} and fault is not null`);
  expect((await tenantry("doctor", "--json")).code).toBe(0);
}, 60_000);

test("a placement that nobody works on is set going again", async () => {
  const organization = await createOrganization(app, "Forgotten");
  const { id } = await grant(app, organization, "eu");
  await sql(app.databaseUrl, "update tenantry.placements set state = 'PROVISIONING' where id = $1", [id]);
  const ill = await tenantry("doctor", "--json");
  expect(ill.json.placements).toMatchObject([{ id, state: "PROVISIONING", isWaiting: false }]);
  await tenantry("doctor", "--repair", "--json");
  const state = async () =>
    (await app.ask("query ($id: ID!) { placement(id: $id) { state } }", { id })).placement.state === "ACTIVE";
  expect(await eventually(state)).toBe(true);
}, 60_000);

test("jobs lists what was asked for, and refuses a state that there is not", async () => {
  const all = await tenantry("jobs", "--json", "--placement", placement.id);
  expect(all.json.jobs).toMatchObject([{ kind: "provision-placement", state: "DONE", requestedBy: "operator" }]);
  expect(all.json.jobs[0].steps.length).toBeGreaterThan(3);
  const lines = (await tenantry("jobs")).output.split("\n");
  expect(lines[0]).toMatch(/^STATE +JOB +SUBJECT +STEP +ATTEMPTS +ASKED +BY +DUE +ID$/);
  expect(lines.find((line) => line.includes("provision-placement"))).toMatch(/^DONE /);
  const refused = await tenantry("jobs", "--state", "nonsense");
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.output).toContain("--state must be one of");
}, 60_000);

test("the stream of a move is no orphan while the move is there, and a placement on a move is not set going by others", async () => {
  const { services, databaseUrl } = app;
  const [placed] = await sql<{ number: number; databaseId: number; regionId: string }>(
    databaseUrl,
    `select number, database_id as "databaseId", region_id as "regionId" from tenantry.placements where id = $1`,
    [placement.id],
  );
  const slot = `${placement.database}_move_${placed?.number}`;
  const tenant = `${serverUrl("eu")}/${placement.database}`;
  await sql(tenant, "select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
  const orphans = async () => (await findOrphans(services)).map(({ kind, name }) => `${kind} ${name}`);
  expect(await orphans()).toEqual([`slot ${slot}`]);
  await sql(
    databaseUrl,
    `with target as (
       insert into tenantry.tenant_databases (region_id, isolation, name) values ($1, 'DEDICATED', $2) returning id
     ), moved as (
       update tenantry.placements set state = 'MOVING' where id = $3 returning id, database_id
     ) insert into tenantry.moves (placement_id, from_database_id, to_database_id, other_database_id)
       select moved.id, moved.database_id, target.id, target.id from moved, target`,
    [placed?.regionId, `${prefix}_904`, placement.id],
  );
  expect(await orphans()).toEqual([]);
  expect((await findStuckPlacements(services)).map(({ id, state }) => [id, state])).toEqual([[placement.id, "MOVING"]]);
  expect(await repair(services, OPERATOR, [])).toEqual([]);
  expect(
    await sql(databaseUrl, "select from tenantry.jobs where kind = 'revoke-placement' and placement_id = $1", [
      placement.id,
    ]),
  ).toEqual([]);
  await sql(databaseUrl, "delete from tenantry.moves");
  await sql(databaseUrl, "update tenantry.placements set state = 'ACTIVE' where id = $1", [placement.id]);
  await sql(databaseUrl, "delete from tenantry.tenant_databases where name = $1", [`${prefix}_904`]);
  // Without its move it is one again.
  expect(await orphans()).toEqual([`slot ${slot}`]);
  await sql(tenant, "select pg_drop_replication_slot($1)", [slot]);
});
