/** Databases of other encodings and locales: refused in one sentence, or the same people in them. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { serverUrl, sql, startApp } from "../support/app.ts";
import { createOrganization, createResource, grant, registerRegion } from "../support/journey.ts";

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
