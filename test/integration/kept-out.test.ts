/**
 * `pg_hba.conf` that admits the role which Tenantry was given, and nobody else, as hardened servers have it. It is in no catalog:
 * registering, checking, `doctor` and the start sign in as the API's role, and say so.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { getRegion } from "../../src/engine/regions/regions.ts";
import { tryAllServers, tryRegion } from "../../src/engine/regions/try-server.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, eventually, grant, registerRegion } from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const REGISTER = "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }";
const UPDATE = "mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }";

let home: OwnServer;
let own: OwnServer;
let app: TestApp;

beforeAll(async () => {
  [home, own] = await Promise.all([startServer({ databases: ["app"] }), startServer()]);
  app = await startApp({ databaseUrl: home.url("app") });
});
afterAll(async () => {
  await app.stop();
  await Promise.all([home[Symbol.asyncDispose](), own[Symbol.asyncDispose]()]);
});

/** Puts lines in place of the server's rules. Returns what puts these back. */
async function admit(server: OwnServer, lines: string): Promise<() => Promise<void>> {
  const [{ file } = { file: "" }] = await sql<{ file: string }>(
    server.url("postgres"),
    "select current_setting('hba_file') as file",
  );
  const before = readFileSync(file, "utf8");
  const write = async (text: string) => {
    const loadedAt = () => sql(server.url("postgres"), "select pg_conf_load_time() as at");
    const last = await loadedAt();
    writeFileSync(file, text);
    await sql(server.url("postgres"), "select pg_reload_conf()");
    expect(await eventually(async () => JSON.stringify(await loadedAt()) !== JSON.stringify(last))).toBe(true);
  };
  await write(lines);
  return () => write(before);
}

const GIVEN_ROLE_ONLY = "local all postgres trust\nhost all postgres 127.0.0.1/32 scram-sha-256\n";
const sentence = (server: OwnServer, database: string) => {
  const { hostname, port } = new URL(server.url());
  const role = app.services.apiRole.name;
  return (
    `The role ${role}, which the API signs in with, is kept out of the server at ${hostname}:${port}. ` +
    "Let it in from where Tenantry runs, in pg_hba.conf, as the role that you gave is. " +
    `PostgreSQL says: no pg_hba.conf entry for host "127.0.0.1", user "${role}", database "${database}", no encryption.`
  );
};

test("a region is not registered, and neither is its new address taken", async () => {
  const putBack = await admit(own, GIVEN_ROLE_ONLY);
  const input = { key: "own", name: "Own", connectionUrl: own.url() };
  const refusal = await app.refuse(REGISTER, { input });
  expect(refusal).toMatchObject({ code: "CAPABILITY_MISSING", field: "connectionUrl" });
  expect(refusal.message).toMatch(/is kept out of the server at .* PostgreSQL says: no pg_hba\.conf entry/);
  expect(await sql(app.databaseUrl, "select from tenantry.regions")).toEqual([]);
  // What was made to find out is gone again.
  expect(await sql(own.url("postgres"), "select from pg_database where datname like 'tenantry%'")).toEqual([]);
  await putBack();
  await registerRegion(app, "own", own.url());
  const again = await admit(own, GIVEN_ROLE_ONLY);
  const update = { key: "own", connectionUrl: own.url() };
  expect(await app.refuse(UPDATE, { input: update })).toMatchObject({ code: "CAPABILITY_MISSING" });
  await again();
});

test("a server that admits the API's role to tenant databases only will do", async () => {
  const role = app.services.apiRole.name;
  const lines = `${GIVEN_ROLE_ONLY}host postgres ${role} 127.0.0.1/32 reject\nhost all ${role} 127.0.0.1/32 scram-sha-256\n`;
  const putBack = await admit(own, lines);
  await app.ask(UPDATE, { input: { key: "own", connectionUrl: own.url() } });
  expect(await tryRegion(app.services, OPERATOR, await getRegion(app.services, "own"))).toEqual([]);
  expect(await grant(app, await createOrganization(app), "own")).toMatchObject({ state: "ACTIVE" });
  await putBack();
});

test("doctor and region check say it of a region that was registered before, by a tenant database", async () => {
  const { database } = await grant(app, await createOrganization(app), "own");
  expect(await tryAllServers(app.services, OPERATOR)).toEqual([]);
  const putBack = await admit(own, GIVEN_ROLE_ONLY);
  const [{ name } = { name: database }] = await sql<{ name: string }>(
    app.databaseUrl,
    "select name from tenantry.tenant_databases order by id limit 1",
  );
  const found = [{ server: "own", sentence: sentence(own, name) }];
  expect(await tryAllServers(app.services, OPERATOR)).toEqual(found);
  expect(await tryRegion(app.services, OPERATOR, await getRegion(app.services, "own"))).toHaveLength(1);
  await putBack();
});

test("a process of the API does not start where home keeps its role out, and doctor says it of home", async () => {
  const putBack = await admit(home, GIVEN_ROLE_ONLY);
  expect(await tryAllServers(app.services, OPERATOR)).toEqual([{ server: "home", sentence: sentence(home, "app") }]);
  const { databaseUrl, secretKey } = app;
  await expect(startApp({ databaseUrl, secretKey, role: "api" })).rejects.toThrow(sentence(home, "app"));
  await putBack();
});
