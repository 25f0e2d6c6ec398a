/** The whole journey over plain HTTP, checked with SQL on the servers; regions on servers of their own and on home's. */
import { DEFAULT_ORGANIZATION_ID } from "../../src/base/kernel/ids.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
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

describe.each([
  ["a server of its own", "eu"],
  ["home's server", "home"],
] as const)("with the region on %s", (_, server) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.stop());

  test("a person goes through it from user to reading it all back", async () => {
    const ada = await createUser(app, "Ada");
    const bob = await createUser(app, "Bob");
    const stranger = await createUser(app, "Stranger");
    const organization = await createOrganization(app, "Acme");
    await addMember(app, organization, ada, "OWNER");
    await registerRegion(app, "eu", serverUrl(server));
    const placement = await grant(app, organization, "eu");
    expect(placement).toMatchObject({ state: "ACTIVE", failure: null });
    // Also who joins after the grant.
    await addMember(app, organization, bob);

    const atHome = await createResource(app, { name: "Default project" });
    const inRegion = await createResource(app, { name: "Project", organizationId: organization, regionKey: "eu" });
    await comment(app, atHome, stranger, "At home");
    await comment(app, inRegion, ada, "In the region");

    const tenant = `${serverUrl(server)}/${placement.database}`;
    await eventually(async () => (await sql(tenant, "select from tenantry.directory_members")).length === 2);
    const members = await sql(tenant, "select user_id, role, name from tenantry.directory_members order by name");
    expect(members).toEqual([
      { user_id: ada, role: "OWNER", name: "Ada" },
      { user_id: bob, role: "MEMBER", name: "Bob" },
    ]);
    expect(await sql(tenant, "select organization_id, name from tenantry.directory_organizations")).toEqual([
      { organization_id: organization, name: "Acme" },
    ]);

    await eventually(async () => (await sql(app.databaseUrl, "select from catalog.resources")).length === 2);
    const catalog = await sql(app.databaseUrl, "select id, name, organization_id from catalog.resources order by name");
    expect(catalog).toEqual([
      { id: atHome, name: "Default project", organization_id: DEFAULT_ORGANIZATION_ID },
      { id: inRegion, name: "Project", organization_id: organization },
    ]);
    expect(await sql(tenant, "select body from app.comments")).toEqual([{ body: "In the region" }]);
    expect(await sql(app.databaseUrl, "select body from app.comments")).toEqual([{ body: "At home" }]);

    const read = await app.ask(`{
      resources { edges { node {
        name region { key } organization { name }
        comments { edges { node { body author { name } } } }
      } } }
    }`);
    const note = (body: string, name: string) => ({ edges: [{ node: { body, author: { name } } }] });
    expect(read.resources.edges.map((edge: { node: unknown }) => edge.node)).toEqual([
      { name: "Default project", region: null, organization: null, comments: note("At home", "Stranger") },
      {
        name: "Project",
        region: { key: "eu" },
        organization: { name: "Acme" },
        comments: note("In the region", "Ada"),
      },
    ]);
  });

  test("who leaves the organization leaves the region's directory, and who changes their name does there too", async () => {
    const organization = await createOrganization(app, "Leavers");
    const [stays, leaves] = [await createUser(app, "Stays"), await createUser(app, "Leaves")];
    await addMember(app, organization, stays);
    await addMember(app, organization, leaves);
    const { database } = await grant(app, organization, "eu");
    const names = async () =>
      (
        await sql<{ name: string }>(
          `${serverUrl(server)}/${database}`,
          "select name from tenantry.directory_members order by name",
        )
      ).map(({ name }) => name);
    expect(await names()).toEqual(["Leaves", "Stays"]);
    await app.ask(
      "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }",
      {
        input: { organizationId: organization, userId: leaves },
      },
    );
    await sql(app.databaseUrl, "update tenantry.users set name = 'Renamed' where id = $1", [stays]);
    await eventually(async () => (await names()).join() === "Renamed");
    expect(await names()).toEqual(["Renamed"]);
  });

  test("a resource is found by its id alone, wherever it lives", async () => {
    const organization = await createOrganization(app, "Finders");
    await grant(app, organization, "eu");
    const id = await createResource(app, { name: "Found", organizationId: organization });
    const { resource } = await app.ask("query ($id: ID!) { resource(id: $id) { name region { key } } }", { id });
    expect(resource).toEqual({ name: "Found", region: { key: "eu" } });
  });

  test("granting again, also twice at the same moment, gives the same placement", async () => {
    const organization = await createOrganization(app, "Twice");
    const [first, second] = await Promise.all([grant(app, organization, "eu"), grant(app, organization, "eu")]);
    expect(second.id).toBe(first.id);
    expect((await grant(app, organization, "eu")).id).toBe(first.id);
    const databases = await sql(serverUrl(server) + "/postgres", "select from pg_database where datname = $1", [
      first.database,
    ]);
    expect(databases).toHaveLength(1);
  });
});
