/** Roles that are remembered where content is read and written, with two API processes' worth of memory on one home. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";

let one: TestApp;
let other: TestApp;
let organizationId: string;
let resource: string;

beforeAll(async () => {
  one = await startApp();
  other = await startApp({ databaseUrl: one.databaseUrl, secretKey: one.secretKey, role: "api" });
  organizationId = await createOrganization(one);
  await registerRegion(one, "eu", serverUrl("eu"));
  await grant(one, organizationId, "eu");
  resource = await createResource(one, { name: "Shared", organizationId });
});
afterAll(async () => {
  await other.stop();
  await one.stop();
});

const read = async (app: TestApp, user: string) => {
  const response = await fetch(app.url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": user },
    body: JSON.stringify({ query: `{ resource(id: "${resource}") { id } }` }),
  });
  const { data } = (await response.json()) as { data: { resource: object | null } };
  return data.resource !== null;
};
const remove = (app: TestApp, userId: string) =>
  app.ask("mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }", {
    input: { organizationId, userId },
  });
const member = async (role = "MEMBER") => {
  const user = await createUser(one, "Somebody");
  await addMember(one, organizationId, user, role);
  return user;
};
const write = (app: TestApp, user: string) =>
  app.ask(
    "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }",
    { input: { resourceId: resource, body: "Here" } },
    user,
  );

test("who was removed reads nothing from the next operation on where that was done", async () => {
  for (let index = 0; index < 5; index += 1) {
    const user = await member();
    expect(await read(one, user)).toBe(true);
    await remove(one, user);
    expect(await read(one, user)).toBe(false);
  }
});

test("nor, a moment later, anywhere else", async () => {
  const user = await member();
  expect(await read(other, user)).toBe(true);
  await remove(one, user);
  expect(await eventually(async () => !(await read(other, user)))).toBe(true);
});

test("nor where home's word of it is lost", async () => {
  const user = await member();
  expect(await read(other, user)).toBe(true);
  // As a replica, triggers say nothing.
  await sql(
    one.databaseUrl,
    `set session_replication_role = replica; delete from tenantry.memberships where user_id = '${user}'`,
  );
  expect(await eventually(async () => !(await read(other, user)))).toBe(true);
});

test("who joins reads at once, everywhere, also having been refused a moment ago", async () => {
  const user = await createUser(one, "Newcomer");
  expect(await read(other, user)).toBe(false);
  await addMember(one, organizationId, user);
  expect(await read(other, user)).toBe(true);
  expect(await read(one, user)).toBe(true);
});

test("who may write from now on writes at once, everywhere", async () => {
  const user = await member("VIEWER");
  expect(await read(other, user)).toBe(true);
  await expect(write(other, user)).rejects.toThrow("FORBIDDEN");
  await addMember(one, organizationId, user, "MEMBER");
  await write(other, user);
});
