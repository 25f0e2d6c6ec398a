/** Objects by nothing but their ids: of every type, with the rights of the fields that read them elsewhere. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
let ada: string;
let stranger: string;
const ids: Record<string, string> = {};
const NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  ada = await createUser(app, "Ada");
  stranger = await createUser(app, "Eve");
  const organizationId = await createOrganization(app, "Acme");
  await addMember(app, organizationId, ada, "ADMIN");
  const placement = await grant(app, organizationId, "eu", "SHARED");
  const resource = await createResource(app, { name: "Plans", organizationId, regionKey: "eu" });
  const { region } = await app.ask('{ region(key: "eu") { id } }');
  Object.assign(ids, {
    User: ada,
    Organization: organizationId,
    Membership: `${organizationId}:${ada}`,
    Region: region.id,
    Placement: placement.id,
    Resource: resource,
    Comment: await comment(app, resource, ada),
  });
});
afterAll(async () => app?.stop());

test("a member finds each type by its id, in the order of the ids", async () => {
  const { nodes } = await app.ask(NODES, { ids: Object.values(ids) }, ada);
  expect(nodes).toEqual(Object.entries(ids).map(([__typename, id]) => ({ __typename, id })));
  for (const id of Object.values(ids))
    expect((await app.ask("query ($id: ID!) { node(id: $id) { id } }", { id }, ada)).node).toEqual({ id });
});

test("a stranger gets null for what is there, as for what is not", async () => {
  const nobody = "01890000-0000-7000-8000-000000000001";
  const { nodes } = await app.ask(NODES, { ids: [...Object.values(ids), nobody, `${nobody}:${nobody}`] }, stranger);
  const seen = nodes.map((one: { id: string } | null) => one?.id ?? null);
  expect(seen).toEqual([null, null, null, ids["Region"], null, null, null, null, null]);
});

test("who may list invitations, keys and jobs finds them by their ids, and nobody else does", async () => {
  const owner = await createUser(app, "Owner");
  const organizationId = await createOrganization(app, "Keys", owner);
  const admin = await createUser(app, "Admin");
  await addMember(app, organizationId, admin, "ADMIN");
  await grant(app, organizationId, "eu", "DEDICATED");
  const invite = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id } }";
  const { inviteMember } = await app.ask(
    invite,
    { input: { organizationId, email: "new@example.com", sendMail: false } },
    owner,
  );
  const create = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key { id } } }";
  const made = await app.ask(create, { input: { organizationId, name: "Key", role: "VIEWER" } }, owner);
  const operators = await app.ask(create, { input: { name: "Operators" } });
  const { jobs } = await app.ask("query ($id: ID!) { jobs(organizationId: $id) { edges { node { id } } } }", {
    id: organizationId,
  });
  const wanted = [inviteMember.id, made.createApiKey.key.id, operators.createApiKey.key.id, jobs.edges[0].node.id];
  const seenBy = async (who: string | undefined) =>
    (await app.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { kind: __typename } }", { ids: wanted }, who)).nodes.map(
      (one: { kind: string } | null) => one?.kind ?? null,
    );
  expect(await seenBy(undefined)).toEqual(["Invitation", "ApiKey", "ApiKey", "Job"]);
  expect(await seenBy(owner)).toEqual(["Invitation", "ApiKey", null, "Job"]);
  expect(await seenBy(admin)).toEqual(["Invitation", null, null, null]);
  expect(await seenBy(stranger)).toEqual([null, null, null, null]);
  await app.ask("mutation ($id: ID!) { revokeInvitation(id: $id) { id } }", { id: inviteMember.id }, owner);
  expect(await seenBy(owner)).toEqual([null, "ApiKey", null, "Job"]);
});

test("text that is no id is refused by its place, and more than 100 ids at once", async () => {
  expect(await app.refuse('{ node(id: "one") { id } }')).toMatchObject({ code: "INVALID_INPUT", field: "id" });
  const many = Array.from({ length: 101 }, () => ids["User"]);
  expect(await app.refuse(NODES, { ids: many })).toMatchObject({ code: "INVALID_INPUT", field: "ids" });
});

test("the operator finds a user by their address, and an organization's jobs", async () => {
  const { user } = await app.ask("query ($id: ID!) { user(id: $id) { email } }", { id: ada });
  const byAddress = "query ($email: String!) { users(email: $email) { edges { node { id } } } }";
  const found = await app.ask(byAddress, { email: user.email.toUpperCase() });
  expect(found.users.edges).toEqual([{ node: { id: ada } }]);
  expect((await app.ask(byAddress, { email: "nobody@example.com" })).users.edges).toEqual([]);
  expect(await app.refuse(byAddress, { email: user.email }, stranger)).toMatchObject({ code: "FORBIDDEN" });
  const jobs = "query ($id: ID!) { jobs(organizationId: $id, state: DONE) { edges { node { kind } } } }";
  expect((await app.ask(jobs, { id: ids["Organization"] })).jobs.edges).toEqual([
    { node: { kind: "provision-placement" } },
  ]);
  const other = await createOrganization(app, "Other");
  expect((await app.ask(jobs, { id: other })).jobs.edges).toEqual([]);
});

test("the membership's id stays when the role changes, and the caller is told what the role allows", async () => {
  const query = `query ($id: ID!) {
    organization(id: $id) { viewerRole viewerMay members { edges { node { id role } } } } me { organizations { edges { node { id } } } }
  }`;
  const before = await app.ask(query, { id: ids["Organization"] }, ada);
  expect(before.organization).toMatchObject({
    viewerRole: "ADMIN",
    viewerMay: ["READ", "WRITE_CONTENT", "MANAGE_CONTENT", "MANAGE_MEMBERS"],
    members: { edges: [{ node: { id: ids["Membership"], role: "ADMIN" } }] },
  });
  expect(before.me.organizations.edges).toEqual([{ node: { id: ids["Organization"] } }]);
  await addMember(app, ids["Organization"] ?? "", ada, "VIEWER");
  const after = await app.ask(query, { id: ids["Organization"] }, ada);
  expect(after.organization).toMatchObject({
    viewerRole: "VIEWER",
    viewerMay: ["READ"],
    members: { edges: [{ node: { id: ids["Membership"], role: "VIEWER" } }] },
  });
  const operators = await app.ask(query, { id: ids["Organization"] });
  expect(operators.organization.viewerRole).toBeNull();
  expect(operators.organization.viewerMay).toContain("MANAGE_KEYS");
});
