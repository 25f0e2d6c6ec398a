/** The steps that most tests begin with. */
import { waitFor } from "../../src/base/kernel/wait.ts";
import { poolUrlOf, type TestApp } from "./app.ts";

let count = 0;

export async function createUser(app: TestApp, name = "Ada"): Promise<string> {
  count += 1;
  const email = `${name.toLowerCase()}.${count}.${Date.now()}@example.com`;
  const query =
    "mutation ($name: String!, $email: String!) { createUser(input: { name: $name, email: $email }) { id } }";
  return (await app.ask(query, { name, email })).createUser.id;
}

export async function createOrganization(app: TestApp, name = "Acme", as?: string): Promise<string> {
  const query = "mutation ($name: String!) { createOrganization(input: { name: $name }) { id } }";
  return (await app.ask(query, { name }, as)).createOrganization.id;
}

export async function addMember(app: TestApp, organizationId: string, userId: string, role = "MEMBER"): Promise<void> {
  await app.ask("mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role } }", {
    input: { organizationId, userId, role },
  });
}

export async function registerRegion(
  app: TestApp,
  key: string,
  connectionUrl: string,
  poolUrl = poolUrlOf(connectionUrl),
): Promise<void> {
  await app.ask("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", {
    input: { key, name: `Region ${key}`, connectionUrl, ...(poolUrl !== undefined && { poolUrl }) },
  });
}

export type Granted = { id: string; state: string; database: string; failure: string | null };

export async function grant(
  app: TestApp,
  organizationId: string,
  regionKey: string,
  isolation: "DEDICATED" | "SHARED" = "DEDICATED",
): Promise<Granted> {
  const query =
    "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id state database failure } }";
  return (await app.ask(query, { input: { organizationId, regionKey, isolation } })).grantRegionAccess;
}

export async function createResource(
  app: TestApp,
  input: { name: string; organizationId?: string; regionKey?: string },
  as?: string,
): Promise<string> {
  const query = "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }";
  return (await app.ask(query, { input }, as)).createResource.id;
}

export async function comment(app: TestApp, resourceId: string, authorId: string, body = "A note"): Promise<string> {
  const query = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";
  return (await app.ask(query, { input: { resourceId, authorId, body } })).createComment.id;
}

/** Waits until `look` gives something truthy, and returns the last it gave. For what replication brings. */
export async function eventually<T>(look: () => Promise<T>, timeoutMs = 10_000): Promise<T> {
  let last = await look();
  await waitFor(
    async () => {
      if (!last) last = await look();
      return last ? true : undefined;
    },
    { timeoutMs, pauseMs: 10 },
  );
  return last;
}
