/** Organizations after they were made: another name, another owner, their end. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { entriesOf } from "../support/audit.ts";
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

let app: TestApp;
let owner: string;
let member: string;
let organization: string;

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
});
afterAll(() => app.stop());
beforeEach(async () => {
  [owner, member] = (await Promise.all(["Owner", "Member"].map((name) => createUser(app, name)))) as [string, string];
  organization = await createOrganization(app, "Before", owner);
  await addMember(app, organization, member, "ADMIN");
});

const RENAME =
  "mutation ($input: RenameOrganizationInput!) { renameOrganization(input: $input) { id name createdAt updatedAt } }";
const DELETE = "mutation ($input: DeleteOrganizationInput!) { deleteOrganization(input: $input) }";
const HAND_OVER =
  "mutation ($input: TransferOwnershipInput!) { transferOwnership(input: $input) { role user { name } } }";
const LEAVE = "mutation ($id: ID!) { leaveOrganization(organizationId: $id) { id } }";
const READ = "query ($id: ID!) { organization(id: $id) { name createdAt updatedAt deletingAt } }";
const home = (text: string, values: unknown[] = [organization]) => sql(app.databaseUrl, text, values);
const roles = async () =>
  Object.fromEntries(
    (await home("select user_id, role from tenantry.memberships where organization_id = $1")).map((row) => [
      row["user_id"],
      row["role"],
    ]),
  );

describe("a name", () => {
  test("is changed by owners, arrives in the regions, and is in the audit log", async () => {
    const { database } = await grant(app, organization, "eu");
    const { organization: before } = await app.ask(READ, { id: organization }, member);
    expect(before).toMatchObject({ updatedAt: before.createdAt, deletingAt: null });
    const input = { organizationId: organization, name: "After" };
    expect(await app.refuse(RENAME, { input }, member)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(RENAME, { input: { ...input, name: " " } }, owner)).toMatchObject({ field: "name" });
    const { renameOrganization } = await app.ask(RENAME, { input }, owner);
    expect(renameOrganization).toMatchObject({ name: "After", createdAt: before.createdAt });
    expect(Date.parse(renameOrganization.updatedAt)).toBeGreaterThan(Date.parse(before.createdAt));
    expect(await sql(`${serverUrl("eu")}/${database}`, "select name from tenantry.directory_organizations")).toEqual([
      { name: "After" },
    ]);
    expect(await entriesOf(app, organization)).toContainEqual(
      expect.objectContaining({ action: "renameOrganization", outcome: "OK", whoId: owner, subjectId: organization }),
    );
  });
});

describe("ownership", () => {
  const handOver = (userId: string) => ({ input: { organizationId: organization, userId } });

  test("is handed over to a member, and then the owner before can leave", async () => {
    expect(await app.refuse(LEAVE, { id: organization }, owner)).toMatchObject({ code: "CONFLICT" });
    expect(await app.refuse(HAND_OVER, handOver(member), member)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(HAND_OVER, handOver(owner), owner)).toMatchObject({ field: "userId" });
    expect(await app.refuse(HAND_OVER, handOver(await createUser(app, "Else")), owner)).toMatchObject({
      field: "userId",
    });
    expect(await app.ask(HAND_OVER, handOver(member), owner)).toEqual({
      transferOwnership: { role: "OWNER", user: { name: "Member" } },
    });
    expect(await roles()).toEqual({ [owner]: "ADMIN", [member]: "OWNER" });
    await app.ask(LEAVE, { id: organization }, owner);
    expect(await roles()).toEqual({ [member]: "OWNER" });
  });

  test("is never nobody's, whatever happens at the same moment", async () => {
    await app.ask(HAND_OVER, handOver(member), owner);
    await app.ask(HAND_OVER, handOver(owner), member);
    await Promise.allSettled([
      app.ask(HAND_OVER, handOver(member), owner),
      app.ask(LEAVE, { id: organization }, member),
      app.ask(LEAVE, { id: organization }, owner),
    ]);
    expect(Object.values(await roles())).toContain("OWNER");
  });
});

describe("the end of an organization", () => {
  const end = (confirm: string) => ({ input: { organizationId: organization, confirm } });
  const isGone = async () => (await home("select id from tenantry.organizations where id = $1")).length === 0;

  test("asks for its name and says what would go", async () => {
    await grant(app, organization, "eu", "SHARED");
    const refused = await app.refuse(DELETE, end("before"), owner);
    expect(refused).toMatchObject({ code: "INVALID_INPUT", field: "confirm" });
    expect(refused.message).toContain("Its data in eu goes at once, and for good.");
    expect(refused.message).toContain("memberships (2)");
    expect(await app.refuse(DELETE, end("Before"), member)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(DELETE, end("Before"), await createUser(app))).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.ask(READ, { id: organization }, owner)).toMatchObject({ organization: { deletingAt: null } });
  });

  test("takes its data in every region along, and neither its people nor the audit log", async () => {
    const dedicated = await grant(app, organization, "eu");
    const shared = await grant(app, organization, "us", "SHARED");
    for (const regionKey of ["eu", "us"]) {
      const resource = await createResource(app, { name: "Goes", organizationId: organization, regionKey }, owner);
      await comment(app, resource, member, "Goes too");
    }
    expect(await app.ask(DELETE, end("Before"), owner)).toEqual({ deleteOrganization: organization });
    await eventually(isGone);
    expect(await sql(serverUrl("eu"), "select from pg_database where datname = $1", [dedicated.database])).toEqual([]);
    expect(await sql(serverUrl("us"), "select from pg_database where datname = $1", [shared.database])).toEqual([]);
    for (const table of ["tenantry.memberships", "tenantry.placements", "catalog.resources"])
      expect(await home(`select from ${table} where organization_id = $1`)).toEqual([]);
    expect(await home("select from tenantry.users where id = $1", [owner])).toHaveLength(1);
    expect(await app.refuse(READ, { id: organization }, owner)).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.refuse(DELETE, end("Before"), owner)).toMatchObject({ code: "NOT_FOUND" });
    const entries = (await entriesOf(app, null)).filter(({ organizationId }) => organizationId === organization);
    expect(entries).toContainEqual(expect.objectContaining({ action: "deleteOrganization", outcome: "OK" }));
  });

  test("leaves others in a shared database alone", async () => {
    const other = await createOrganization(app, "Neighbour", member);
    for (const one of [organization, other]) await grant(app, one, "us", "SHARED");
    const kept = await createResource(app, { name: "Stays", organizationId: other }, member);
    const goes = await createResource(app, { name: "Goes", organizationId: organization }, owner);
    await app.ask(DELETE, end("Before"), owner);
    await eventually(isGone);
    const read = "query ($id: ID!) { resource(id: $id) { name } }";
    expect(await app.ask(read, { id: kept }, member)).toEqual({ resource: { name: "Stays" } });
    expect(await app.refuse(read, { id: goes }, owner)).toMatchObject({ code: "NOT_FOUND" });
  });

  test("is one end, also while access to a region is granted and by two who ask at once", async () => {
    const results = await Promise.allSettled([
      grant(app, organization, "eu"),
      grant(app, organization, "us", "SHARED"),
      app.ask(DELETE, end("Before"), owner),
      app.ask(DELETE, end("Before"), owner),
    ]);
    expect(results.slice(2).map(({ status }) => status)).toContain("fulfilled");
    await eventually(isGone, 30_000);
    expect(await home("select from tenantry.placements where organization_id = $1")).toEqual([]);
    for (const { reason } of results.filter((one) => one.status === "rejected"))
      expect(String(reason)).toMatch(/CONFLICT|NOT_FOUND/);
  });

  test("lets no further access be granted", async () => {
    await home("update tenantry.organizations set deleting_at = now() where id = $1");
    const query = "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }";
    const input = { organizationId: organization, regionKey: "eu", isolation: "SHARED" };
    expect(await app.refuse(query, { input }, owner)).toMatchObject({ code: "CONFLICT" });
  });
});
