/** Tokens of several OpenID Connect providers: each proves its own, and only the first one is believed about more. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

const ME = "{ me { id name } }";
const CREATE_USER = "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }";
const LINK = "mutation ($input: LinkIdentityInput!) { linkIdentity(input: $input) { id } }";
const OTHERS_AUDIENCE = "client-7";

let first: IdentityProvider;
let other: IdentityProvider;
let app: TestApp;
/** The same home, where the other provider's word on addresses counts. */
let trusting: TestApp;
let operatorKey: string;

beforeAll(async () => {
  first = await startIdentityProvider({});
  other = await startIdentityProvider({});
  const oidc = { issuer: first.issuer, audience: AUDIENCE, cooldownMs: 200 };
  const otherIssuers = [{ issuer: other.issuer, audience: OTHERS_AUDIENCE, cooldownMs: 200 }];
  const operatorClaim = { name: "roles", value: "tenantry-operator" };
  const readOnlyClaim = { name: "roles", value: "tenantry-reader" };
  const signIn = { mode: "bearer", oidc, otherIssuers, operatorClaim, readOnlyClaim } as const;
  app = await startApp({ signIn });
  const { databaseUrl, secretKey } = app;
  const trust = { ...signIn, otherIssuersProveAddresses: true };
  trusting = await startApp({ databaseUrl, secretKey, role: "api", signIn: trust });
  ({ secret: operatorKey } = await createApiKey(app));
});
afterAll(async () => {
  await trusting.stop();
  await app.stop();
  await other.close();
  await first.close();
});

const ofOther = (claims: Record<string, unknown>) => other.sign({ aud: OTHERS_AUDIENCE, ...claims });
const statusOf = async (at: TestApp, token: string) => (await postAs(at, token, ME)).status;

async function createUser(name: string): Promise<string> {
  const input = { name, email: `${name}@example.com` };
  return (await postAs(app, operatorKey, CREATE_USER, { input })).data.createUser.id;
}

test("the same subject of two issuers is two people", async () => {
  const [ada, bea] = [await createUser("ada"), await createUser("bea")];
  for (const [userId, { issuer }] of [
    [ada, first],
    [bea, other],
  ] as const)
    await postAs(app, operatorKey, LINK, { input: { userId, issuer, subject: "one" } });
  expect((await postAs(app, await first.sign({ sub: "one" }), ME)).data.me.id).toBe(ada);
  expect((await postAs(app, await ofOther({ sub: "one" }), ME)).data.me.id).toBe(bea);
});

test("a token counts with its own issuer's key and audience only", async () => {
  const userId = await createUser("cleo");
  for (const { issuer } of [first, other])
    await postAs(app, operatorKey, LINK, { input: { userId, issuer, subject: "cleo" } });
  expect(await statusOf(app, await ofOther({ sub: "cleo" }))).toBe(200);
  expect(await statusOf(app, await other.sign({ sub: "cleo", aud: AUDIENCE }))).toBe(401);
  expect(await statusOf(app, await first.sign({ sub: "cleo", aud: OTHERS_AUDIENCE }))).toBe(401);
  // Signed by one, and said to be of the other.
  expect(await statusOf(app, await other.sign({ sub: "cleo", iss: first.issuer, aud: AUDIENCE }))).toBe(401);
  expect(await statusOf(app, await other.sign({ sub: "cleo", iss: "https://third.example" }))).toBe(401);
});

test("only the first issuer says who is an operator", async () => {
  for (const role of ["tenantry-operator", "tenantry-reader"]) {
    const claims = { sub: role, roles: [role] };
    expect(await statusOf(app, await first.sign(claims))).toBe(200);
    expect(await statusOf(trusting, await ofOther(claims))).toBe(401);
  }
});

test("another issuer's word on an address leads to no user, unless it is trusted with that", async () => {
  const dora = await createUser("dora");
  const token = await ofOther({ sub: "dora", email: "dora@example.com", email_verified: true });
  expect(await statusOf(app, token)).toBe(401);
  expect((await postAs(trusting, token, ME)).data.me.id).toBe(dora);
});

test("an issuer that is away keeps out its own callers only", async () => {
  const userId = await createUser("emil");
  for (const { issuer } of [first, other])
    await postAs(app, operatorKey, LINK, { input: { userId, issuer, subject: "emil" } });
  const { databaseUrl, secretKey } = app;
  const away = { issuer: "http://127.0.0.1:9", audience: AUDIENCE };
  const oidc = { issuer: first.issuer, audience: AUDIENCE };
  const late = await startApp({
    databaseUrl,
    secretKey,
    role: "api",
    signIn: { mode: "bearer", oidc, otherIssuers: [away] },
  });
  expect(await statusOf(late, await first.sign({ sub: "emil", iss: away.issuer }))).toBe(503);
  expect(await statusOf(late, await first.sign({ sub: "emil" }))).toBe(200);
  await late.stop();
});
