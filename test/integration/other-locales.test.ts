/** Databases of other encodings and locales: refused in one sentence, or the same people in them. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { describeSchema } from "../../src/engine/migrations/fingerprint.ts";
import { majorVersionOf, serverUrl, sql, startApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

async function createDatabase(options: string): Promise<string> {
  const name = `locale_${randomBytes(4).toString("hex")}`;
  await sql(`${serverUrl("home")}/postgres`, `create database ${name} template template0 ${options}`);
  return `${serverUrl("home")}/${name}`;
}

const CREATE_USER = "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }";

test.each(["LATIN1", "SQL_ASCII"])(
  "a home whose encoding is %s is refused, and nothing is made in it",
  async (encoding) => {
    const databaseUrl = await createDatabase(`encoding '${encoding}' locale 'C'`);
    const name = new URL(databaseUrl).pathname.slice(1);
    await expect(startApp({ databaseUrl })).rejects.toThrow(
      `The home server will not do. The database ${name} has the encoding ${encoding}, and Tenantry needs UTF8. ` +
        `Make another one: CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8';`,
    );
    expect(await sql(databaseUrl, "select from pg_namespace where nspname = 'tenantry'")).toEqual([]);
  },
);

test("in a home with a Turkish locale two writings of an address are one person", async () => {
  const databaseUrl = await createDatabase("encoding 'UTF8' locale_provider icu icu_locale 'tr-TR' locale 'C'");
  const [folded] = await sql(databaseUrl, "select lower('INFO') as one");
  expect(folded).toEqual({ one: "ınfo" });
  const app = await startApp({ databaseUrl });
  await app.ask(CREATE_USER, { input: { name: "One", email: "INFO@EXAMPLE.TEST" } });
  for (const email of ["info@example.test", "Info@Example.Test", "INFO@EXAMPLE.TEST"])
    expect(await app.refuse(CREATE_USER, { input: { name: "Two", email } })).toMatchObject({ code: "CONFLICT" });
  const organization = await createOrganization(app);
  const invite = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id } }";
  for (const email of ["IRIS@EXAMPLE.TEST", "iris@example.test"])
    await app.ask(invite, { input: { organizationId: organization, email, role: "MEMBER" } });
  // The second one takes the place of the first.
  expect(await sql(databaseUrl, "select email from tenantry.invitations where revoked_at is null")).toEqual([
    { email: "iris@example.test" },
  ]);
  await app.stop();
});

/** What new databases of the server take their locale from, as a cluster that was made with another one has it. */
const changeTemplate = (server: OwnServer, changes: string) =>
  sql(server.url("postgres"), `update pg_database set ${changes} where datname = 'template0'`);

test("a region's server whose locale cannot hold UTF8 is refused when it is registered, and nothing is left there", async () => {
  await using server = await startServer();
  await changeTemplate(
    server,
    "encoding = pg_char_to_encoding('LATIN1'), datctype = 'de_DE.ISO-8859-1', datcollate = 'de_DE.ISO-8859-1'",
  );
  const app = await startApp();
  try {
    const input = { key: "latin", name: "Latin", connectionUrl: server.url() };
    expect(
      await app.refuse("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", { input }),
    ).toMatchObject({
      code: "CAPABILITY_MISSING",
      message: expect.stringContaining("its cluster needs a locale for UTF8, or C."),
    });
    expect(await sql(app.databaseUrl, "select from tenantry.regions")).toEqual([]);
    expect(await sql(server.url("postgres"), "select from pg_database where datname ~ '^tenantry'")).toEqual([]);
  } finally {
    await app.stop();
  }
});

test("a tenant database with a Turkish locale works like the others, and its schema reads the same", async () => {
  await using server = await startServer();
  const locale = (await majorVersionOf(server.url("postgres"))) >= 17 ? "datlocale" : "daticulocale";
  await changeTemplate(server, `datlocprovider = 'i', ${locale} = 'tr-TR', datcollversion = null`);
  const app = await startApp();
  try {
    await registerRegion(app, "tr", server.url());
    const organizationId = await createOrganization(app, "ISPARTA");
    const { database } = await grant(app, organizationId, "tr");
    expect(await sql(server.url(database), "select lower('INFO') as one")).toEqual([{ one: "ınfo" }]);

    const author = await createUser(app, "INCI");
    await addMember(app, organizationId, author);
    const resource = await createResource(app, { name: "IIII", organizationId });
    await comment(app, resource, author, "ISPARTA'DA");
    const listed = "select name from catalog.resources where id = $1";
    expect(await eventually(async () => (await sql(app.databaseUrl, listed, [resource]))[0]?.["name"])).toBe("IIII");
    expect((await sql(server.url(database), "select action from tenantry.audit_log")).length).toBeGreaterThan(0);
    expect(await findDrift(app.services)).toEqual([]);

    const tenant = app.services.pools.open("tenant", parseServerUrl(server.url(), "url"), database);
    const { facts } = await describeSchema(tenant);
    expect(facts.filter((fact) => JSON.stringify(fact).includes("ı"))).toEqual([]);
  } finally {
    await app.stop();
  }
}, 60_000);

test("no function of ours folds letters by the database's locale", async () => {
  const app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  const { database } = await grant(app, await createOrganization(app), "eu");
  for (const url of [app.databaseUrl, `${serverUrl("eu")}/${database}`]) {
    const rows = await sql<{ name: string }>(
      url,
      `select p.oid::regprocedure::text as name from pg_proc p
       where p.pronamespace in ('tenantry'::regnamespace, (select oid from pg_namespace where nspname = 'catalog'))
         and coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
           ~* '\\m(lower|upper|initcap)\\((?!\\(?[a-z_]+ collate "C")'`,
    );
    expect(rows).toEqual([]);
  }
  await app.stop();
});

test("a template whose collations are of another version is made anew", async () => {
  const app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await grant(app, await createOrganization(app), "eu");
  const server = `${serverUrl("eu")}/postgres`;
  const template = "starts_with(datname, $1) and datconnlimit = 0";
  const prefix = [`tenantry_${app.services.installation}_template`];
  const before = await sql<{ oid: number }>(server, `select oid from pg_database where ${template}`, prefix);
  await sql(server, `update pg_database set datcollversion = 'another' where ${template}`, prefix);
  const organization = await createOrganization(app);
  expect(await grant(app, organization, "eu")).toMatchObject({ state: "ACTIVE", failure: null });
  await createResource(app, { name: "Kept", organizationId: organization, regionKey: "eu" });
  const after = await sql<{ oid: number }>(server, `select oid from pg_database where ${template}`, prefix);
  expect(after).toHaveLength(1);
  expect(after).not.toEqual(before);
  await app.stop();
});
