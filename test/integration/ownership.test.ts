/** A copy of home touches nothing of what home owns, until a person has it adopt that. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import { readServersHealth } from "../../src/engine/links/replication-health.ts";
import { rotateLinkPasswords } from "../../src/engine/links/rotate-link-passwords.ts";
import { migrateFleet } from "../../src/engine/fleet/migrate-databases.ts";
import { adopt, planAdoption } from "../../src/engine/regions/adopt.ts";
import { checkRegion } from "../../src/engine/regions/probe-regions.ts";
import { newId } from "../../src/base/kernel/ids.ts";
import type { Session } from "../../src/base/postgres/database.ts";
import { forgetEntries, pruneEntries } from "../../src/engine/audit/prune.ts";
import { eraseColumns } from "../../src/engine/erasure/erase-columns.ts";
import { readEraseSql, runEraseSql } from "../../src/engine/erasure/erase-sql.ts";
import { numbersOf } from "../../src/engine/home/placement-numbers.ts";
import { getPlacement } from "../../src/engine/home/placements.ts";
import { deleteContent } from "../../src/engine/placements/shared-content.ts";
import { ownedPieces } from "../../src/engine/regions/owned-pieces.ts";
import { fileOf, readManifest } from "../../src/engine/transfer/export-format.ts";
import { runExport } from "../../src/engine/transfer/export-placement.ts";
import { importRows } from "../../src/engine/transfer/import-rows.ts";
import { lockingMarks, readMarks, replaceMarks, writingMarks } from "../../src/engine/regions/mark.ts";
import { getRegion } from "../../src/engine/regions/regions.ts";
import { regionAddress } from "../../src/engine/regions/region-address.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  type Granted,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

let home: OwnServer;
let region: OwnServer;
let app: TestApp;
let copy: TestApp;
let organization: string;
let resource: string;
let author: string;
let granted: Granted;

const REPLICATION = { sweepIntervalMs: 500, carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 } };
const OTHERS = { code: "CONFLICT", message: expect.stringContaining("The region own belongs to another home") };

beforeAll(async () => {
  [home, region] = await Promise.all([startServer(), startServer()]);
  app = await startApp({ homeServer: home.url(), replication: REPLICATION });
  await registerRegion(app, "own", region.url());
  organization = await createOrganization(app, "Acme");
  author = await createUser(app);
  await addMember(app, organization, author);
  granted = await grant(app, organization, "own");
  resource = await createResource(app, { name: "Before", organizationId: organization });
  await comment(app, resource, author, "Before");
  // As a dump that was restored: another database, and all that is in it.
  const { databaseUrl, secretKey } = app;
  await app.stop();
  const name = new URL(databaseUrl).pathname.slice(1);
  await sql(home.url("postgres"), `create database copy template ${name}`);
  app = await startApp({ databaseUrl, secretKey, replication: REPLICATION });
  copy = await startApp({ databaseUrl: home.url("copy"), secretKey, replication: REPLICATION });
});
afterAll(async () => {
  await Promise.all([app.stop(), copy.stop()]);
  await Promise.all([home, region].map((server) => server[Symbol.asyncDispose]()));
});

const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

async function tenantry(of: TestApp, ...args: string[]): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: of.databaseUrl, TENANTRY_SECRET_KEY: of.secretKey };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = await once(child, "close");
  return { code: Number(code), output };
}

/** What stands in the region: every subscription with where it leads, the roles' passwords, the databases and their remarks. */
async function regionNow(): Promise<unknown> {
  return Promise.all([
    sql(region.url("postgres"), "select subname, subconninfo, subslotname from pg_subscription order by 1"),
    sql(region.url("postgres"), "select rolname, rolpassword from pg_authid where rolname ~ '^tenantry' order by 1"),
    sql(
      region.url("postgres"),
      `select datname, shobj_description(oid, 'pg_database') as remark,
              (select array_agg(setconfig) from pg_db_role_setting where setdatabase = d.oid) as settings
       from pg_database d order by 1`,
    ),
    sql(region.url(granted.database), "select id, name from app.resources order by 1"),
  ]);
}

const isMember = async (user: string) =>
  (await sql(region.url(granted.database), "select from tenantry.directory_members where user_id = $1", [user]))
    .length === 1;
const revoke = (of: TestApp) =>
  of.refuse("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
    input: { placementId: granted.id, confirm: "Acme", skipGrace: true },
  });
const read = `query { resource(id: "RESOURCE") { name comments(first: 5) { edges { node { body } } } } }`;
const readIn = (of: TestApp) => of.ask(read.replace("RESOURCE", resource));

async function works(of: TestApp, name: string): Promise<void> {
  const id = await createResource(of, { name, organizationId: organization });
  await comment(of, id, author, name);
  const user = await createUser(of);
  await addMember(of, organization, user);
  expect(await eventually(() => isMember(user))).toBe(true);
  expect(
    await eventually(async () => (await sql(of.databaseUrl, "select from catalog.resources where id = $1", [id]))[0]),
  ).toBeDefined();
}

/** Everything that writes in a region, asked of a home that does not own it. */
async function isRefused(of: TestApp): Promise<void> {
  const { services } = of;
  await services.ownership.lookAround();
  expect(
    await of.refuse("mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }", {
      input: { name: "Not here", organizationId: organization },
    }),
  ).toMatchObject(OTHERS);
  expect(await of.refuse(read.replace("RESOURCE", resource))).toMatchObject(OTHERS);
  expect(await revoke(of)).toMatchObject(OTHERS);
  expect(
    await of.refuse("mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }", {
      input: { organizationId: await createOrganization(of, "New"), regionKey: "own" },
    }),
  ).toMatchObject(OTHERS);
  for (const input of [
    { key: "own", connectionUrl: region.url() },
    { key: "own", poolUrl: region.url().replace(/\/\/.*@/, "//") },
  ])
    expect(
      await of.refuse("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", { input }),
    ).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("belongs to another home") });
  await rotateLinkPasswords(services, OPERATOR, "own");
  const { failed } = await migrateFleet(services, "test", { verify: true });
  expect(failed.map(({ reason }) => reason)).toEqual([expect.stringContaining("belongs to another home")]);
  expect((await checkRegion(services, OPERATOR, await getRegion(services, "own"))).obstacle).toContain("another home");
  expect((await readServersHealth(services, OPERATOR)).find(({ name }) => name === "own")?.problem).toContain(
    "tenantry adopt",
  );
}

test("a copy of home with the same key changes nothing in a region, whatever is asked of it, and says why", async () => {
  await expect.poll(() => copy.services.ownership.lookAround().then(() => regionIsLost(copy))).toBe(true);
  const before = await regionNow();
  await isRefused(copy);
  // What a person repairs on the copy: what production has on the server that both homes are on is no orphan.
  const orphans = await findOrphans(copy.services);
  expect(orphans.map(({ server, kind }) => `${server} ${kind}`)).toContain("home slot");
  const repairs = await repair(copy.services, OPERATOR, []);
  expect(repairs.filter(({ server, done }) => server === "home" && done)).toEqual([]);
  await copy.sweep();
  expect(await regionNow()).toEqual(before);
  await works(app, "Production goes on");
});

/** Another home's mark, as if that had adopted the region; returns how to take it away. */
async function markedBy(owner: string, server = region): Promise<() => Promise<unknown>> {
  const role = `tenantry_${app.services.installation}_api`;
  const [{ mark } = { mark: "" }] = await sql<{ mark: string }>(
    server.url("postgres"),
    "select shobj_description(oid, 'pg_authid') as mark from pg_roles where rolname = $1",
    [role],
  );
  const write = (text: string) => sql(server.url("postgres"), `comment on role ${role} is '${text}'`);
  await write(mark.replace(/home [0-9a-f]{32}/, `home ${owner}`));
  return async () => {
    await write(mark);
    await app.services.ownership.lookAround();
  };
}

async function regionIsLost(of: TestApp): Promise<boolean> {
  return of.services.ownership.isLost((await getRegion(of.services, "own")).id);
}

test("of two homes that adopt at once one gets each server; the other one notices, stops and never writes back", async () => {
  const plans = await Promise.all([copy, copy].map(({ services }) => planAdoption(services, OPERATOR)));
  expect(plans[0]?.servers.map(({ server, standing }) => [server, standing])).toEqual([
    ["home", "OTHER"],
    ["own", "OTHER"],
  ]);
  expect(plans[0]?.servers[1]?.owner?.where).toContain(new URL(app.databaseUrl).pathname.slice(1));
  const outcomes = await Promise.all(plans.map((plan) => adopt(copy.services, OPERATOR, plan)));
  // One for each server.
  expect(outcomes.flat().toSorted()).toEqual([
    expect.stringMatching(/^home: .*changed a moment ago/),
    expect.stringMatching(/^own: .*changed a moment ago/),
  ]);

  await expect.poll(() => regionIsLost(app), { timeout: 10_000 }).toBe(true);
  await works(copy, "The copy goes on");
  const before = await regionNow();
  await isRefused(app);
  await expect(app.sweep()).resolves.toBeUndefined();
  expect(await regionNow()).toEqual(before);

  // And back, by a person.
  const looked = await tenantry(app, "doctor");
  expect(looked).toMatchObject({ code: 1, output: expect.stringContaining("belongs to another home") });
  const asked = await tenantry(app, "adopt");
  expect(asked).toMatchObject({ code: 1, output: expect.stringContaining("Nothing was changed") });
  expect(asked.output).toMatch(/own: the home at 127\.0\.0\.1:\d+\/copy owns it since/);
  expect(await regionIsLost(app)).toBe(true);
  expect(await tenantry(app, "adopt", "--yes")).toMatchObject({
    code: 0,
    output: expect.stringContaining("This home owns them now."),
  });
  await expect.poll(() => regionIsLost(copy), { timeout: 10_000 }).toBe(true);
  expect((await readIn(app)).resource.name).toBe("Before");
  await works(app, "Production again");
}, 60_000);

test("two homes mark a server at the same moment, each from its own database, and one of them wins", async () => {
  const { home: database, installation, ownership } = app.services;
  const { text, mark } = await readMarks(database, installation, (await ownership.identity()).owner);
  if (mark === undefined) throw new Error("home's server has no mark");
  const rival = copy.services.ownership.markOf(await copy.services.ownership.identity(), null);
  let second: Promise<unknown> = Promise.resolve();
  await database.transaction(async (transaction) => {
    await transaction.query("marks.lock", lockingMarks(installation));
    second = replaceMarks(copy.services.home, installation, rival, text).catch((error: unknown) => error);
    await expect
      .poll(() => sql(home.url("postgres"), "select from pg_stat_activity where wait_event_type = 'Lock'"))
      .toHaveLength(1);
    await transaction.query("marks.write", writingMarks(installation, { ...mark, since: new Date().toISOString() }));
  });
  expect(await second).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("changed a moment ago") });
  expect((await readMarks(database, installation, mark.owner)).mark?.owner).toBe(mark.owner);
  expect(await sql(home.url("postgres"), "select from pg_roles where rolname ~ 'marks_lock$'")).toEqual([]);
});

test("an erasure and a pruning stop with the piece that finds the region to be another home's", async () => {
  const { services } = app;
  const { regionId, database } = await getPlacement(services, OPERATOR, granted.id);
  const tenant = services.pools.open("tenant", await regionAddress(services, regionId), database);
  const owned = await ownedPieces(services, regionId);
  const { tables } = services.tables.at(null);
  const userId = newId();
  await sql(region.url(database), "update app.resources set created_by = $1", [userId]);
  const written = () => sql(region.url(database), "select from app.resources where created_by = $1", [userId]);
  const count = (await written()).length;
  expect(count).toBeGreaterThan(0);
  const entries = () => sql(region.url(database), "select id from tenantry.audit_log");
  const logged = await entries();
  expect(logged.length).toBeGreaterThan(0);
  const restore = await markedBy("0".repeat(32));
  const text = readEraseSql("erase.sql", "update app.resources set name = 'Erased'");
  const inSession = <Result>(work: (session: Session<"tenant">) => Promise<Result>) => tenant.session(work);
  for (const work of [
    () => eraseColumns(tenant, tables, { userId, id: newId() }, owned),
    () => inSession((session) => runEraseSql(session, text, userId, owned)),
    () => pruneEntries(tenant, new Date(Date.now() + 60_000), owned),
  ])
    await expect(work()).rejects.toMatchObject(OTHERS);
  expect(await written()).toHaveLength(count);
  expect(await sql(region.url(database), "select from app.resources where name = 'Erased'")).toEqual([]);
  expect(await entries()).toEqual(logged);
  await restore();
  await eraseColumns(tenant, tables, { userId, id: newId() }, await ownedPieces(services, regionId));
  expect(await written()).toEqual([]);
});

test("a revocation and an import stop with the piece that finds the region to be another home's", async () => {
  const { services } = app;
  const { id, regionId, organizationId, database } = await getPlacement(services, OPERATOR, granted.id);
  const folder = join(temporaryFolder(), "export");
  await runExport(services, OPERATOR, id, folder);
  const { tables } = services.tables.at(null);
  const table = tables.find(({ name }) => name === "app.resources");
  if (table === undefined) throw new Error("the table is gone");
  const placement = await getPlacement(services, OPERATOR, id);
  const tenant = services.pools.open("tenant", await regionAddress(services, regionId), database);
  const owned = await ownedPieces(services, regionId);
  const numbers = await numbersOf(services, id);
  const exported = fileOf(await readManifest(folder), table.name);
  const restore = await markedBy("0".repeat(32));
  const rows = () =>
    sql(region.url(database), "select from app.resources where organization_id = $1", [organizationId]);
  const before = (await rows()).length;
  expect(before).toBeGreaterThan(0);
  const signal = new AbortController().signal;
  await expect(deleteContent(tenant, placement, tables, owned, signal)).rejects.toMatchObject(OTHERS);
  await expect(forgetEntries(tenant, organizationId, owned)).rejects.toMatchObject(OTHERS);
  expect((await rows()).length).toBe(before);
  await sql(region.url(database), "delete from app.comments where organization_id = $1", [organizationId]);
  await sql(region.url(database), "delete from app.resources where organization_id = $1", [organizationId]);
  const write = () =>
    importRows({ database: tenant, placement, numbers, owned }, folder, { exported, table }, {}, { rows: 0, bytes: 0 });
  await expect(write()).rejects.toMatchObject(OTHERS);
  expect(await rows()).toEqual([]);
  // Nobody's mark: it is written anew, and the piece is tried again.
  await sql(region.url("postgres"), `comment on role tenantry_${services.installation}_api is null`);
  await expect(write()).rejects.toMatchObject({ code: "NOT_SYNCED" });
  expect((await write()).added).toBe(before);
  await restore();
});

test("a region that is being retired is adopted too, and then leaves nothing on its server", async () => {
  await using leaving = await startServer();
  await registerRegion(app, "leaving", leaving.url());
  await markedBy("0".repeat(32), leaving);
  const regions = () => sql(app.databaseUrl, "select from tenantry.regions where key = 'leaving'");
  await app.ask('mutation { retireRegion(input: { key: "leaving" }) { key } }');
  const job = "select last_error from tenantry.jobs where kind = 'retire-region' and last_error is not null";
  await expect
    .poll(() => sql(app.databaseUrl, job))
    .toMatchObject([{ last_error: expect.stringContaining("another home") }]);
  expect(await regions()).toHaveLength(1);
  const plan = await planAdoption(app.services, OPERATOR, ["leaving"]);
  expect(plan.servers).toMatchObject([{ server: "leaving", standing: "OTHER" }]);
  expect(await adopt(app.services, OPERATOR, plan)).toEqual([]);
  await expect.poll(regions, { timeout: 20_000 }).toEqual([]);
  expect(await sql(leaving.url("postgres"), "select from pg_roles where rolname ~ '^tenantry'")).toEqual([]);
}, 60_000);

test("a region that is being retired and is another home's can be abandoned", async () => {
  await using leaving = await startServer();
  await registerRegion(app, "abandoned", leaving.url());
  await markedBy("0".repeat(32), leaving);
  const retire = (abandonServer: boolean) =>
    app.ask("mutation ($input: RetireRegionInput!) { retireRegion(input: $input) { key } }", {
      input: { key: "abandoned", abandonServer },
    });
  await retire(false);
  const job = `select from tenantry.jobs j join tenantry.regions r on r.id = j.region_id
     where r.key = 'abandoned' and j.kind = 'retire-region' and j.last_error is not null`;
  await expect.poll(() => sql(app.databaseUrl, job), { timeout: 10_000 }).toHaveLength(1);
  await retire(true);
  const regions = () => sql(app.databaseUrl, "select from tenantry.regions where key = 'abandoned'");
  await expect.poll(regions, { timeout: 20_000 }).toEqual([]);
  expect(await sql(leaving.url("postgres"), "select from pg_roles where rolname ~ '^tenantry'")).toHaveLength(1);
}, 60_000);

test("where the operator's role is kept out, content goes on by the mark that the API's role reads", async () => {
  await using server = await startServer();
  const postgres = server.url("postgres");
  await sql(postgres, "create role keeper superuser login password 'kept'");
  const url = new URL(server.url());
  url.username = "keeper";
  url.password = "kept";
  await registerRegion(app, "kept", url.href);
  const organizationId = await createOrganization(app, "Kept");
  await grant(app, organizationId, "kept");
  const id = await createResource(app, { name: "Goes on", organizationId });
  await sql(postgres, "alter role keeper nologin");
  await sql(postgres, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keeper'");
  const { databaseUrl, secretKey } = app;
  const fresh = await startApp({ databaseUrl, secretKey, role: "api" });
  try {
    const asked = `query { resource(id: "${id}") { name } }`;
    expect((await fresh.ask(asked)).resource.name).toBe("Goes on");
    await markedBy("0".repeat(32), server);
    const later = await startApp({ databaseUrl, secretKey, role: "api" });
    try {
      expect(await later.refuse(asked)).toMatchObject({
        code: "CONFLICT",
        message: expect.stringContaining("The region kept belongs to another home"),
      });
    } finally {
      await later.stop();
    }
  } finally {
    await fresh.stop();
  }
}, 60_000);

test("a home that failed over is followed, and the server that it left is refused", async () => {
  const role = `tenantry_${app.services.installation}_api`;
  const [{ mark } = { mark: "" }] = await sql<{ mark: string }>(
    region.url("postgres"),
    "select shobj_description(oid, 'pg_authid') as mark from pg_roles where rolname = $1",
    [role],
  );
  const write = (timeline: string) =>
    sql(
      region.url("postgres"),
      `comment on role ${role} is '${mark.replace(/timeline [0-9A-F]{8}/, `timeline ${timeline}`)}'`,
    );
  const { id } = await getRegion(app.services, "own");
  await write("00000002");
  await expect(app.services.ownership.require(id)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("follows a later state of this home"),
  });
  await write("00000000");
  await app.services.ownership.require(id);
  await works(app, "Followed");
});
