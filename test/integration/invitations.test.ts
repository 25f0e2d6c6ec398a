/** Invitations by e-mail: sent by a real mail server's protocol, accepted once, by whom they were sent to. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SMTPServer } from "smtp-server";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser } from "../support/journey.ts";

let app: TestApp;
let server: SMTPServer;
const letters: string[] = [];
/** Whether the mail server takes letters. */
let isTaking = true;
let organization: string;
let owner: string;

beforeAll(async () => {
  server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onData: (stream, _session, callback) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (isTaking) letters.push(Buffer.concat(chunks).toString());
        callback(isTaking ? null : new Error("not today"));
      });
    },
  });
  const listening = server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => listening.on("listening", () => resolve()));
  const address = listening.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  app = await startApp({ mail: { smtpUrl: `smtp://127.0.0.1:${port}`, from: "tenantry@example.com" } });
  owner = await createUser(app, "Owner");
  organization = await createOrganization(app, "Inviting", owner);
});
afterAll(async () => {
  await app.stop();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const INVITE =
  "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id email role organization { name } } }";
const ACCEPT =
  "mutation ($token: String!) { acceptInvitation(token: $token) { role user { id } organization { id } } }";
const OPEN = "query ($id: ID!) { organization(id: $id) { invitations { edges { node { id email role } } } } }";

let count = 0;
async function guest(): Promise<{ id: string; email: string }> {
  count += 1;
  const email = `guest.${count}.${Date.now()}@example.com`;
  const { createUser: made } = await app.ask(
    'mutation ($email: String!) { createUser(input: { name: "Guest", email: $email }) { id } }',
    { email },
  );
  return { id: made.id, email };
}

async function invite(email: string, role = "MEMBER", as = owner): Promise<{ id: string; token: string }> {
  const { inviteMember } = await app.ask(INVITE, { input: { organizationId: organization, email, role } }, as);
  const token = /^ {2}(\S{43})\s*$/m.exec(letters.at(-1) ?? "")?.[1] ?? "";
  return { id: inviteMember.id, token };
}

const openAddresses = async () =>
  (await app.ask(OPEN, { id: organization }, owner)).organization.invitations.edges.map(
    ({ node }: { node: { email: string } }) => node.email,
  );

test("who is invited becomes a member with the token of the letter, once", async () => {
  const { id, email } = await guest();
  const { token } = await invite(email.toUpperCase(), "ADMIN");
  expect(letters.at(-1)).toContain("Invitation to Inviting");
  expect(await openAddresses()).toContain(email.toUpperCase());
  expect((await app.ask(ACCEPT, { token }, id)).acceptInvitation).toEqual({
    role: "ADMIN",
    user: { id },
    organization: { id: organization },
  });
  expect(await openAddresses()).not.toContain(email.toUpperCase());
  expect(await app.refuse(ACCEPT, { token }, id)).toMatchObject({ code: "NOT_FOUND" });
  // Only the digest is kept.
  const rows = await sql<{ text: string }>(app.databaseUrl, "select i::text as text from tenantry.invitations i");
  expect(rows.map(({ text }) => text).join()).not.toContain(token);
});

test("somebody else, a revoked, a replaced and an expired one are the same: not found", async () => {
  const [one, other] = [await guest(), await guest()];
  const first = await invite(one.email);
  expect(await app.refuse(ACCEPT, { token: first.token }, other.id)).toMatchObject({ code: "NOT_FOUND" });
  const second = await invite(one.email);
  expect(await app.refuse(ACCEPT, { token: first.token }, one.id)).toMatchObject({ code: "NOT_FOUND" });
  await app.ask("mutation ($id: ID!) { revokeInvitation(id: $id) { id } }", { id: second.id }, owner);
  expect(await app.refuse(ACCEPT, { token: second.token }, one.id)).toMatchObject({ code: "NOT_FOUND" });
  const third = await invite(one.email);
  await sql(app.databaseUrl, "update tenantry.invitations set expires_at = now() where id = $1", [third.id]);
  expect(await app.refuse(ACCEPT, { token: third.token }, one.id)).toMatchObject({ code: "NOT_FOUND" });
  expect(await app.refuse(ACCEPT, { token: third.token })).toMatchObject({ code: "FORBIDDEN" });
});

test("who may not add such a member may not invite one, and a stranger learns nothing", async () => {
  const [member, admin, stranger] = [await createUser(app), await createUser(app), await createUser(app)];
  await addMember(app, organization, member, "MEMBER");
  await addMember(app, organization, admin, "ADMIN");
  const input = { organizationId: organization, email: "somebody@example.com" };
  expect(await app.refuse(INVITE, { input }, member)).toMatchObject({ code: "FORBIDDEN" });
  expect(await app.refuse(INVITE, { input: { ...input, role: "OWNER" } }, admin)).toMatchObject({ code: "FORBIDDEN" });
  expect(await app.refuse(INVITE, { input }, stranger)).toMatchObject({ code: "NOT_FOUND" });
  const { id } = await invite("somebody@example.com", "MEMBER", admin);
  const REVOKE = "mutation ($id: ID!) { revokeInvitation(id: $id) { id } }";
  expect(await app.refuse(REVOKE, { id }, stranger)).toMatchObject({ code: "NOT_FOUND" });
  expect(await app.refuse(REVOKE, { id }, member)).toMatchObject({ code: "FORBIDDEN" });
  expect(await app.refuse(OPEN, { id: organization }, member)).toMatchObject({ code: "FORBIDDEN" });
});

test("an invitation never takes a role away", async () => {
  const { email, id } = await guest();
  await addMember(app, organization, id, "ADMIN");
  const { token } = await invite(email, "VIEWER");
  expect((await app.ask(ACCEPT, { token }, id)).acceptInvitation.role).toBe("ADMIN");
});

test("bad input, and a mail server that takes nothing, leave nothing open", async () => {
  const input = { organizationId: organization, email: "nobody" };
  expect(await app.refuse(INVITE, { input }, owner)).toMatchObject({ code: "INVALID_INPUT", field: "email" });
  const long = { ...input, email: "later@example.com", expiresInDays: 31 };
  expect(await app.refuse(INVITE, { input: long }, owner)).toMatchObject({
    code: "INVALID_INPUT",
    field: "expiresInDays",
  });
  isTaking = false;
  const lost = { organizationId: organization, email: "lost@example.com" };
  expect(await app.refuse(INVITE, { input: lost }, owner)).toMatchObject({ code: "CAPABILITY_MISSING" });
  isTaking = true;
  expect(await openAddresses()).not.toContain("lost@example.com");
});
