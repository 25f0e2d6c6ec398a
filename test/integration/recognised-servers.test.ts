/** A region's server is known by the mark that home left there, whatever its system identifier has become. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import { readServersHealth } from "../../src/engine/links/replication-health.ts";
import { updateRegion } from "../../src/engine/regions/register-region.ts";
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

let region: OwnServer;
let other: OwnServer;
let app: TestApp;
let resource: string;
let author: string;

beforeAll(async () => {
  [region, other] = await Promise.all([startServer(), startServer()]);
  app = await startApp();
  await registerRegion(app, "own", region.url());
  const organizationId = await createOrganization(app);
  await grant(app, organizationId, "own");
  author = await createUser(app);
  await addMember(app, organizationId, author);
  resource = await createResource(app, { name: "Kept", organizationId });
});
afterAll(async () => {
  await app.stop();
  await Promise.all([region, other].map((server) => server[Symbol.asyncDispose]()));
});

const identifier = async (server: OwnServer) =>
  (
    await sql<{ is: string }>(server.url("postgres"), "select system_identifier::text as is from pg_control_system()")
  )[0]?.is;
const recorded = async () =>
  (
    await sql<{ is: string }>(app.databaseUrl, "select system_identifier as is from tenantry.regions where key = 'own'")
  )[0]?.is;
/** What an upgrade leaves: the server has another identifier than the one that home knows. */
const upgraded = () => sql(app.databaseUrl, "update tenantry.regions set system_identifier = '4711' where key = 'own'");
const update = (input: object) =>
  app.refuse("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", {
    input: { key: "own", ...input },
  });
const register = (connectionUrl: string) =>
  app.refuse("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", {
    input: { key: "again", name: "Again", connectionUrl },
  });

test("an upgraded server is taken at the same URL, with a word on what changed, and is not a second region", async () => {
  await upgraded();
  expect(await register(region.url())).toMatchObject({
    code: "CONFLICT",
    message: "This server is registered already, as region own.",
  });
  const { changed } = await updateRegion(app.services, OPERATOR, { key: "own", connectionUrl: region.url() });
  expect(changed).toBe(
    `The server of region own has another system identifier: ${await identifier(region)} in place of 4711. Its mark says that it is the region's, as after pg_upgrade.`,
  );
  expect(await recorded()).toBe(await identifier(region));
  // The API's password there is made of the identifier.
  await expect.poll(() => comment(app, resource, author).catch(String)).toMatch(/^[0-9a-f-]{36}$/);
  expect((await readServersHealth(app.services, OPERATOR)).map(({ problem }) => problem)).toEqual([null, null]);
  expect(await updateRegion(app.services, OPERATOR, { key: "own", connectionUrl: region.url() })).toMatchObject({
    changed: undefined,
  });
});

test("another server is refused, with a mark or without, and nothing is written on it", async () => {
  expect(await update({ connectionUrl: other.url() })).toMatchObject({
    code: "CONFLICT",
    field: "connectionUrl",
    message: expect.stringContaining("Another server answers there"),
  });
  expect(await sql(other.url("postgres"), "select from pg_roles where rolname ~ '^tenantry'")).toEqual([]);
  await registerRegion(app, "other", other.url());
  expect(await update({ connectionUrl: other.url() })).toMatchObject({ code: "CONFLICT" });
});

test("a pooler has to lead to the server that answers now", async () => {
  await upgraded();
  const systemIdentifier = (await identifier(region)) ?? "";
  // No pooler, but what answers as one: each connection is the server's own.
  const url = (server: OwnServer) => `postgres://127.0.0.1:${new URL(server.url()).port}`;
  expect(await update({ poolUrl: url(other) })).toMatchObject({ code: "INVALID_INPUT", field: "poolUrl" });
  await updateRegion(app.services, OPERATOR, { key: "own", poolUrl: url(region) });
  expect(await recorded()).toBe(systemIdentifier);
  await updateRegion(app.services, OPERATOR, { key: "own", poolUrl: null });
  await expect.poll(() => comment(app, resource, author).catch(String)).toMatch(/^[0-9a-f-]{36}$/);
});

const templates = () =>
  sql<{ name: string; oid: string }>(
    region.url("postgres"),
    "select datname as name, oid::text from pg_database where datname ~ '^tenantry_.*_template_[0-9]+_[0-9]+$'",
  );

test("every database of the server admits connections, as pg_upgrade wants, and nobody but a superuser has one to the template", async () => {
  expect(
    await sql(
      region.url("postgres"),
      "select datname from pg_database where not datallowconn and datname <> 'template0'",
    ),
  ).toEqual([]);
  const [{ name } = { name: "" }] = await templates();
  await sql(region.url("postgres"), "create role somebody login password 'recognised-somebody' createdb createrole");
  await sql(region.url("postgres"), `grant connect on database "${name}" to somebody`);
  const url = new URL(region.url(name));
  [url.username, url.password] = ["somebody", "recognised-somebody"];
  await expect(sql(url.href, "select")).rejects.toMatchObject({ code: "53300" });
  await sql(region.url("postgres"), `revoke connect on database "${name}" from somebody`);
  await expect(sql(url.href, "select")).rejects.toMatchObject({ code: "42501" });
  expect(
    await sql(region.url("postgres"), "select has_database_privilege($1, $2, 'connect') as may", [
      app.services.apiRole.name,
      name,
    ]),
  ).toEqual([{ may: false }]);
});

test.each([
  ["a collation of another version", "update pg_database set datcollversion = '1.2.3' where datname = $1"],
  ["no connections admitted", "update pg_database set datallowconn = false where datname = $1"],
  ["a drop that was interrupted", "update pg_database set datconnlimit = -2 where datname = $1"],
])("a template with %s is made anew", async (_, spoil) => {
  const [before] = await templates();
  await sql(region.url("postgres"), spoil, [before?.name]);
  expect((await grant(app, await createOrganization(app), "own")).state).toBe("ACTIVE");
  const after = await templates();
  expect(after).toEqual([{ name: before?.name, oid: expect.not.stringMatching(`^${before?.oid}$`) }]);
  expect((await grant(app, await createOrganization(app), "own", "SHARED")).state).toBe("ACTIVE");
  expect(await templates()).toEqual(after);
});

test("a server that is home and a region keeps all that is in use when its identifier has become another one", {
  timeout: 60_000,
}, async () => {
  await using both = await startServer();
  const own = await startApp({ homeServer: both.url() });
  try {
    await registerRegion(own, "both", both.url());
    const organizationId = await createOrganization(own);
    const { id, database } = await grant(own, organizationId, "both");
    await sql(own.databaseUrl, "update tenantry.regions set system_identifier = '4711' where key = 'both'");
    expect(await findOrphans(own.services)).toEqual([]);
    const dropped = (await repair(own.services, OPERATOR, [])).filter(({ outcome }) => outcome.includes("dropped"));
    expect(dropped).toEqual([]);
    // Without a mark, what the server says of itself now.
    const role = `tenantry_${own.services.installation}_api`;
    const [{ mark } = { mark: "" }] = await sql<{ mark: string }>(
      both.url("postgres"),
      "select shobj_description(oid, 'pg_authid') as mark from pg_roles where rolname = $1",
      [role],
    );
    await sql(both.url("postgres"), `comment on role ${role} is null`);
    expect(await findOrphans(own.services)).toEqual([]);
    await sql(both.url("postgres"), `comment on role ${role} is '${mark}'`);
    // And what is in nobody's use is named once.
    await sql(both.url("postgres"), `create database ${database.replace(/_\d+$/, "_901")}`);
    expect((await findOrphans(own.services)).map(({ server, kind }) => `${server} ${kind}`)).toEqual(["home database"]);

    // A region that is taken out of service leaves home's API its role.
    await sql(both.url("postgres"), `drop database ${database.replace(/_\d+$/, "_901")}`);
    await own.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
      input: {
        placementId: id,
        confirm: "Acme",
        skipGrace: true,
      },
    });
    const rows = (table: string) => sql(own.databaseUrl, `select from tenantry.${table}`);
    await expect.poll(() => rows("placements"), { timeout: 20_000 }).toEqual([]);
    await own.ask('mutation { retireRegion(input: { key: "both" }) { key } }');
    await expect.poll(() => rows("regions"), { timeout: 20_000 }).toEqual([]);
    expect(await sql(both.url("postgres"), "select from pg_roles where rolname = $1", [role])).toHaveLength(1);
  } finally {
    await own.stop();
  }
});
