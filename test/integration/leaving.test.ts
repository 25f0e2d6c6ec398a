/** Changing roles and leaving: who makes and unmakes owners, whom one may add, and the last owner. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createApiKey } from "../../src/engine/auth/api-keys.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser } from "../support/journey.ts";
import { postAs } from "../support/signed-in.ts";

let app: TestApp;
let owner: string;
let admin: string;
let member: string;
let organization: string;

beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());
beforeEach(async () => {
  [owner, admin, member] = (await Promise.all(["Owner", "Admin", "Member"].map((name) => createUser(app, name)))) as [
    string,
    string,
    string,
  ];
  organization = await createOrganization(app, "Leaving", owner);
  await addMember(app, organization, admin, "ADMIN");
  await addMember(app, organization, member);
});

const ADD =
  "mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role user { email } } }";
const REMOVE = "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }";
const LEAVE = "mutation ($id: ID!) { leaveOrganization(organizationId: $id) { id name } }";

const add = (userId: string, role: string) => ({ input: { organizationId: organization, userId, role } });
const remove = (userId: string) => ({ input: { organizationId: organization, userId } });
const roles = async () =>
  Object.fromEntries(
    (
      await sql<{ id: string; role: string }>(
        app.databaseUrl,
        "select user_id as id, role from tenantry.memberships where organization_id = $1",
        [organization],
      )
    ).map(({ id, role }) => [id, role]),
  );

describe("a role", () => {
  test("is changed by who may manage members, and owners' by owners", async () => {
    await app.ask(ADD, add(member, "VIEWER"), admin);
    expect(await roles()).toMatchObject({ [member]: "VIEWER" });
    for (const [userId, role] of [
      [admin, "OWNER"],
      [member, "OWNER"],
      [owner, "VIEWER"],
    ] as const)
      expect(await app.refuse(ADD, add(userId, role), admin)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(REMOVE, remove(owner), admin)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(ADD, add(member, "ADMIN"), member)).toMatchObject({ code: "FORBIDDEN" });
    await app.ask(ADD, add(admin, "OWNER"), owner);
    expect(await roles()).toEqual({ [owner]: "OWNER", [admin]: "OWNER", [member]: "VIEWER" });
  });

  test("of the last owner stays", async () => {
    expect(await app.refuse(ADD, add(owner, "ADMIN"), owner)).toMatchObject({ code: "CONFLICT" });
    expect(await app.refuse(ADD, add(owner, "ADMIN"))).toMatchObject({ code: "CONFLICT" });
    expect(await roles()).toMatchObject({ [owner]: "OWNER" });
  });
});

describe("somebody is added by id", () => {
  test("who is in an organization that both are in", async () => {
    const second = await createOrganization(app, "Second", admin);
    const input = { organizationId: second, userId: member, role: "MEMBER" };
    expect((await app.ask(ADD, { input }, admin)).addOrganizationMember.role).toBe("MEMBER");
  });

  test("but nobody else, whose name and address that would show: not of another organization, of none, or of none any more", async () => {
    const stranger = await createUser(app, "Stranger");
    await createOrganization(app, "Elsewhere", stranger);
    // Their ids are shown to everybody in the default organization.
    const loner = await createUser(app, "Loner");
    const gone = await createUser(app, "Gone");
    await addMember(app, organization, gone);
    await app.ask(LEAVE, { id: organization }, gone);
    const erased = await createUser(app, "Erased");
    await app.ask("mutation ($id: ID!) { eraseUser(id: $id) { complete } }", { id: erased });
    const before = await roles();
    const refused = await app.refuse(ADD, add(organization, "MEMBER"), owner);
    expect(refused).toMatchObject({ code: "INVALID_INPUT", field: "userId" });
    expect(refused.message).toContain("inviteMember");
    for (const userId of [stranger, loner, gone, erased])
      expect(await app.refuse(ADD, add(userId, "MEMBER"), owner)).toEqual(refused);
    expect(await roles()).toEqual(before);
    for (const userId of [stranger, loner, gone])
      expect((await app.ask(ADD, add(userId, "MEMBER"))).addOrganizationMember.role).toBe("MEMBER");
    expect(await app.refuse(ADD, add(erased, "MEMBER"))).toMatchObject({ code: "INVALID_INPUT", field: "userId" });
  });

  test("by a key of an organization nobody new, also where who made it knows them", async () => {
    const second = await createOrganization(app, "Second", owner);
    const maker = { kind: "user", userId: owner } as const;
    const input = { name: "Key", organizationId: second, role: "OWNER", expiresInDays: 1 } as const;
    const { secret } = await createApiKey(app.services, maker, input);
    const answer = async (userId: string, role: string) =>
      (await postAs(app, secret, ADD, { input: { organizationId: second, userId, role } })).errors?.[0]?.extensions;
    expect(await answer(member, "MEMBER")).toMatchObject({ code: "INVALID_INPUT", field: "userId" });
    await app.ask(ADD, { input: { organizationId: second, userId: member } }, owner);
    expect(await answer(member, "ADMIN")).toBeUndefined();
  });
});

describe("leaving", () => {
  test("is everybody's own to do, and ends what one sees there", async () => {
    expect((await app.ask(LEAVE, { id: organization }, member)).leaveOrganization).toEqual({
      id: organization,
      name: "Leaving",
    });
    expect(await roles()).toEqual({ [owner]: "OWNER", [admin]: "ADMIN" });
    expect(await app.refuse(LEAVE, { id: organization }, member)).toMatchObject({ code: "NOT_FOUND" });
  });

  test("shows no members in the answer any more", async () => {
    const query =
      "mutation ($id: ID!) { leaveOrganization(organizationId: $id) { members { edges { node { role } } } } }";
    expect(await app.refuse(query, { id: organization }, member)).toMatchObject({ code: "NOT_FOUND" });
    expect(await roles()).toEqual({ [owner]: "OWNER", [admin]: "ADMIN" });
  });

  test("is not for the last owner, and for one of two it is", async () => {
    expect(await app.refuse(LEAVE, { id: organization }, owner)).toMatchObject({ code: "CONFLICT" });
    await addMember(app, organization, admin, "OWNER");
    await app.ask(LEAVE, { id: organization }, owner);
    expect(await roles()).toEqual({ [admin]: "OWNER", [member]: "MEMBER" });
  });

  test("is not for the last owner who was not erased", async () => {
    await addMember(app, organization, admin, "OWNER");
    await app.ask("mutation ($id: ID!) { eraseUser(id: $id) { complete } }", { id: admin });
    expect(await app.refuse(LEAVE, { id: organization }, owner)).toMatchObject({ code: "CONFLICT" });
    await app.ask(REMOVE, remove(admin), owner);
  });

  test("by all owners at the same moment leaves one", async () => {
    const others = await Promise.all(Array.from({ length: 5 }, (_, i) => createUser(app, `Owner${i}`)));
    for (const one of others) await addMember(app, organization, one, "OWNER");
    const codes = await Promise.all(
      [owner, ...others].map((one) =>
        app.ask(LEAVE, { id: organization }, one).then(
          () => "left",
          (error: unknown) => (String(error).includes("CONFLICT") ? "CONFLICT" : String(error)),
        ),
      ),
    );
    expect(codes.toSorted()).toEqual(["CONFLICT", "left", "left", "left", "left", "left"]);
    expect(Object.values(await roles()).filter((role) => role === "OWNER")).toHaveLength(1);
  });

  test("two owners who remove each other leave one", async () => {
    await addMember(app, organization, admin, "OWNER");
    await Promise.allSettled([app.ask(REMOVE, remove(admin), owner), app.ask(REMOVE, remove(owner), admin)]);
    expect(Object.values(await roles()).filter((role) => role === "OWNER")).toHaveLength(1);
  });
});
