/** The page of docs/how-to/invitations.md, as it stands there: from the letter to the membership, in a real browser. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { openBrowser } from "../support/browser.ts";
import { type IdentityProvider, AUDIENCE, startIdentityProvider } from "../support/identity-provider.ts";
import { recordSecret } from "../support/run-record.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

const HOW_TO = join(import.meta.dirname, "../../docs/how-to/invitations.md");
const EMAIL = "grace@example.com";

let app: TestApp;
let provider: IdentityProvider;
let browser: Awaited<ReturnType<typeof openBrowser>>;
let operator: string;
let organizationId: string;
const letters: string[] = [];
const closing: (() => Promise<unknown>)[] = [];

/** Listens on a free port of loopback; what is returned is its origin. */
async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  closing.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The team's site: the page as the how-to has it. */
async function startSite(): Promise<string> {
  const [, html = ""] = /```html\n([\s\S]*?)```/.exec(readFileSync(HOW_TO, "utf8")) ?? [];
  return listen(
    createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      response.end(html.replace("https://api.example.com", app.url));
    }),
  );
}

async function startMailServer(): Promise<string> {
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onData: (stream, _session, callback) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        letters.push(Buffer.concat(chunks).toString());
        callback(null);
      });
    },
  });
  const listening = server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => listening.on("listening", () => resolve()));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return `smtp://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  provider = await startIdentityProvider({});
  const [smtpUrl, site] = [await startMailServer(), await startSite()];
  const { issuer } = provider;
  app = await startApp({
    mail: { smtpUrl, from: "Tenantry <tenantry@example.com>" },
    invitationUrl: `${site}/invitation#token={token}`,
    api: { corsOrigins: [site] },
    signIn: { mode: "bearer", oidc: { issuer, audience: AUDIENCE }, createUsers: true },
  });
  operator = (await createApiKey(app)).secret;
  const made = await postAs(app, operator, 'mutation { createOrganization(input: { name: "Acme <b>" }) { id } }');
  organizationId = made.data.createOrganization.id;
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await app.stop();
  await provider.close();
  for (const close of closing) await close();
});

const invite = (input: object = {}) =>
  postAs(
    app,
    operator,
    "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id token expiresAt } }",
    { input: { organizationId, email: EMAIL, ...input } },
  );

/** The link of the letter's HTML part, as a mail program finds it. */
function linkOf(letter: string): string {
  const decoded = letter.replaceAll("=\r\n", "").replaceAll("=3D", "=");
  return /href="([^"]+)"/.exec(decoded)?.[1] ?? "";
}

test("a person opens the letter's link, signs in, accepts, and is a member", async () => {
  expect((await invite()).data.inviteMember.token).toBeNull();
  const letter = letters.at(-1) ?? "";
  expect(letter).toContain("Content-Type: multipart/alternative");
  const page = await browser.context.newPage();
  // The team's own script, with the provider that the test has.
  const signedIn = await provider.sign({ sub: "grace", email: EMAIL, email_verified: true });
  await page.route("**/sign-in.js", (route) =>
    route.fulfill({
      contentType: "text/javascript",
      body: `export const signIn = async () => ${JSON.stringify(signedIn)};`,
    }),
  );
  await page.goto(linkOf(letter));
  await page.getByRole("button", { name: "Sign in and accept" }).click();
  await page.getByText("Done: you belong to Acme <b> now.").waitFor();
  expect(await page.getByRole("button").count()).toBe(0);
  const members = await postAs(
    app,
    operator,
    "query ($id: ID!) { organization(id: $id) { members { edges { node { role user { email } } } } } }",
    { id: organizationId },
  );
  expect(members.data.organization.members.edges).toEqual([{ node: { role: "MEMBER", user: { email: EMAIL } } }]);

  // The same link again: the page says what to do.
  await page.reload();
  await page.getByRole("button", { name: "Sign in and accept" }).click();
  await page.getByText("ask for a new one").waitFor();
});

test("a team that sends its own letters gets the token, and nobody else does", async () => {
  const before = letters.length;
  const { token, id } = (await invite({ sendMail: false, role: "ADMIN" })).data.inviteMember;
  // The search through logs, audit log and metrics after the run finds it if it is anywhere.
  recordSecret(inject("runFolder"), token);
  expect(letters).toHaveLength(before);
  const listed = await postAs(
    app,
    operator,
    "query ($id: ID!) { organization(id: $id) { invitations { edges { node { id token } } } } }",
    { id: organizationId },
  );
  expect(listed.data.organization.invitations.edges).toEqual([{ node: { id, token: null } }]);
  const ACCEPT = "mutation ($token: String!) { acceptInvitation(token: $token) { role } }";
  const other = await provider.sign({ sub: "other", email: "other@example.com", email_verified: true });
  expect((await postAs(app, other, ACCEPT, { token })).errors?.[0]?.extensions.code).toBe("NOT_FOUND");
  const grace = await provider.sign({ sub: "grace", email: EMAIL, email_verified: true });
  expect((await postAs(app, grace, ACCEPT, { token })).data.acceptInvitation).toEqual({ role: "ADMIN" });
  const refused = await postAs(
    app,
    other,
    "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { token } }",
    { input: { organizationId, email: "third@example.com", sendMail: false } },
  );
  expect(refused.errors?.[0]?.extensions.code).toBe("NOT_FOUND");
  expect(JSON.stringify(refused.data ?? null)).not.toMatch(/[\w-]{43}/);
});
