/** Invitations by e-mail: sent by a real mail server's protocol, accepted once, by whom they were sent to. */
import { randomUUID } from "node:crypto";
import { SMTPServer } from "smtp-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApiKey } from "../../src/engine/auth/api-keys.ts";
import { MAILS_A_DAY } from "../../src/engine/people/mail-limits.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser } from "../support/journey.ts";
import { postAs } from "../support/signed-in.ts";

let app: TestApp;
let server: SMTPServer;
const mails: string[] = [];
/** Whether the mail server takes mails. */
let isTaking = true;
let mailServer: { smtpUrl: string; from: string };
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
        if (isTaking) mails.push(Buffer.concat(chunks).toString());
        callback(isTaking ? null : new Error("not today"));
      });
    },
  });
  const listening = server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => listening.on("listening", () => resolve()));
  const address = listening.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  mailServer = { smtpUrl: `smtp://127.0.0.1:${port}`, from: "tenantry@example.com" };
  app = await startApp({ mail: mailServer });
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
  return { id: inviteMember.id, token: tokenOf(mails.at(-1) ?? "") };
}

function tokenOf(mail: string): string {
  // Long lines are folded on the way (quoted-printable).
  return /^ {2}(\S{43})\s*$/m.exec(mail.replaceAll("=\r\n", ""))?.[1] ?? "";
}

const openAddresses = async () =>
  (await app.ask(OPEN, { id: organization }, owner)).organization.invitations.edges.map(
    ({ node }: { node: { email: string } }) => node.email,
  );

test("who is invited becomes a member with the token of the mail, once", async () => {
  const { id, email } = await guest();
  const { token } = await invite(email.toUpperCase(), "ADMIN");
  expect(mails.at(-1)).toContain("Invitation_to_=22Inviting=22");
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
  expect(await app.refuse(INVITE, { input: lost }, owner)).toMatchObject({ code: "MAIL_UNAVAILABLE" });
  isTaking = true;
  expect(await openAddresses()).not.toContain("lost@example.com");
});

test("an invitation that a lost one was to replace stays open", async () => {
  const { email, id } = await guest();
  const { token } = await invite(email);
  isTaking = false;
  // More often than an address is written to: nothing has reached it.
  for (let attempt = 0; attempt < MAILS_A_DAY.senderToAddress; attempt += 1)
    expect(await app.refuse(INVITE, { input: { organizationId: organization, email } }, owner)).toMatchObject({
      code: "MAIL_UNAVAILABLE",
    });
  isTaking = true;
  expect(await openAddresses()).toContain(email);
  expect((await app.ask(ACCEPT, { token }, id)).acceptInvitation.role).toBe("MEMBER");
});

test("where callers sign in and there is no mail server, inviting says so and changes nothing", async () => {
  const { databaseUrl, secretKey } = app;
  const other = await startApp({ databaseUrl, secretKey, role: "api", signIn: { mode: "bearer" } });
  const input = { name: "Key", organizationId: organization, role: "ADMIN", expiresInDays: 1 } as const;
  const { secret } = await createApiKey(app.services, { kind: "user", userId: owner }, input);
  const { email } = await guest();
  const of = async (role: string) =>
    (await postAs(other, secret, INVITE, { input: { organizationId: organization, email, role } })).errors?.[0];
  expect(await of("MEMBER")).toMatchObject({
    message: expect.stringContaining("No mail can be sent here: no mail server is set up.") as string,
    extensions: { code: "CAPABILITY_MISSING" },
  });
  // A caller that may not invite hears nothing of that.
  expect(await of("OWNER")).toMatchObject({ extensions: { code: "FORBIDDEN" } });
  expect(await openAddresses()).not.toContain(email);
  await other.stop();
});

describe("mails are bounded", () => {
  const input = (email: string, organizationId = organization) => ({ input: { organizationId, email } });
  const mailsTo = (email: string) => mails.filter((mail) => mail.includes(`To: ${email}`)).length;
  /** Mails that somebody has sent before. */
  const sent = (howMany: number, values: { sender?: string; organizationId?: string; email?: string; ago?: string }) =>
    sql(
      app.databaseUrl,
      `insert into tenantry.mails (id, sent_at, sender, organization_id, address)
       select gen_random_uuid(), now() - $2::interval, $3, $4, sha256(convert_to($5, 'UTF8')) from generate_series(1, $1)`,
      [
        howMany,
        values.ago ?? "1 hour",
        values.sender ?? randomUUID(),
        values.organizationId ?? randomUUID(),
        values.email ?? randomUUID(),
      ],
    );
  const refused = { code: "LIMIT_EXCEEDED", retryAfterSeconds: expect.any(Number) };

  test("of one sender to one address, by all processes together, and the open invitation stays as it is", async () => {
    const { databaseUrl, secretKey } = app;
    const other = await startApp({ databaseUrl, secretKey, role: "api", mail: mailServer });
    const { email, id } = await guest();
    const answers = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? app : other).ask(INVITE, input(email), owner)),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(MAILS_A_DAY.senderToAddress);
    expect(mailsTo(email)).toBe(MAILS_A_DAY.senderToAddress);
    // Also from another organization, in another spelling, and by a key that the sender has made.
    const second = await createOrganization(app, "Second", owner);
    const upper = email.toUpperCase();
    const refusal = await other.refuse(INVITE, input(upper, second), owner);
    expect(refusal).toMatchObject(refused);
    expect((refusal as { retryAfterSeconds?: number }).retryAfterSeconds).toBeGreaterThan(86_000);
    const key = { name: "Key", organizationId: second, role: "ADMIN", expiresInDays: 1 } as const;
    const { secret } = await createApiKey(app.services, { kind: "user", userId: owner }, key);
    expect((await postAs(app, secret, INVITE, input(email, second))).errors?.[0]?.extensions).toMatchObject(refused);
    await other.stop();
    expect(await openAddresses()).toContain(email);
    const tokens = mails.filter((mail) => mail.includes(`To: ${email}`)).map(tokenOf);
    const accepted = await Promise.allSettled(tokens.map((token) => app.ask(ACCEPT, { token }, id)));
    expect(accepted.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("of all senders to one address, and the operator's too", async () => {
    const { email } = await guest();
    await sent(MAILS_A_DAY.address - 1, { email });
    await app.ask(INVITE, input(email));
    expect(await app.refuse(INVITE, input(email))).toMatchObject(refused);
    expect(await app.refuse(INVITE, input(email.toUpperCase()), owner)).toMatchObject(refused);
    expect(mailsTo(email)).toBe(1);
  });

  test("of one sender, until the oldest is a day old", async () => {
    const sender = await createUser(app, "Sender");
    const own = await createOrganization(app, "Own", sender);
    await sent(MAILS_A_DAY.sender - 1, { sender });
    await sent(5, { sender, ago: "25 hours" });
    await app.ask(INVITE, input((await guest()).email, own), sender);
    expect(await app.refuse(INVITE, input((await guest()).email, own), sender)).toMatchObject(refused);
    // The operator answers for themselves.
    await app.ask(INVITE, input((await guest()).email, own));
    await sql(
      app.databaseUrl,
      "update tenantry.mails set sent_at = sent_at - interval '23 hours' where sender = $1 and sent_at < now() - interval '59 minutes'",
      [sender],
    );
    await app.ask(INVITE, input((await guest()).email, own), sender);
    const old = await sql(app.databaseUrl, "select from tenantry.mails where sent_at < now() - interval '1 day'");
    expect(old).toEqual([]);
  });

  test("also at the same moment, in organizations that know nothing of each other", async () => {
    const senders = await Promise.all(Array.from({ length: 4 }, (_, index) => createUser(app, `Sender${index}`)));
    const own = await Promise.all(senders.map((sender, index) => createOrganization(app, `Own ${index}`, sender)));
    const [sender = ""] = senders;
    const others = await Promise.all(own.map((_, index) => createOrganization(app, `More ${index}`, sender)));
    const sentOf = async (calls: Promise<unknown>[]) =>
      (await Promise.allSettled(calls)).filter(({ status }) => status === "fulfilled").length;
    const { email } = await guest();
    await sent(MAILS_A_DAY.address - 1, { email });
    expect(await sentOf(own.map((id, index) => app.ask(INVITE, input(email, id), senders[index])))).toBe(1);
    const [spent] = await sql<{ mails: number }>(
      app.databaseUrl,
      "select count(*)::int as mails from tenantry.mails where sender = $1",
      [sender],
    );
    await sent(MAILS_A_DAY.sender - 1 - (spent?.mails ?? 0), { sender });
    const addresses = await Promise.all(others.map(async () => (await guest()).email));
    expect(await sentOf(others.map((id, index) => app.ask(INVITE, input(addresses[index] ?? "", id), sender)))).toBe(1);
  });

  test("of one organization", async () => {
    const own = await createOrganization(app, "Large", owner);
    await sent(MAILS_A_DAY.organization, { organizationId: own });
    expect(await app.refuse(INVITE, input((await guest()).email, own), owner)).toMatchObject(refused);
    expect(await app.refuse(INVITE, input((await guest()).email, own))).toMatchObject(refused);
  });
});
