/** Sign-in with tokens of a real OpenID Connect provider: whom they sign in, and what is refused. */
import { createClient } from "graphql-ws";
import { exportSPKI, importJWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BearerSignIn } from "../../src/engine/auth/bearer.ts";
import { OidcVerifiers } from "../../src/engine/auth/oidc.ts";
import { EndedSignIns } from "../../src/engine/auth/ended-sign-ins.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { AUDIENCE, type IdentityProvider, makeKey, startIdentityProvider } from "../support/identity-provider.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";
import { eventually } from "../support/journey.ts";

const CREATED = { email: "created@example.com", email_verified: true, name: "Created" };
const PEOPLE = {
  ada: { email: "Ada@Example.com", email_verified: true, name: "Ada of the provider" },
  unverified: { email: "bob@example.com", email_verified: false, name: "Not Bob" },
  impostor: { email: "ada@example.com", email_verified: true, name: "Another Ada" },
  nameless: {},
  created: CREATED,
  root: { roles: ["reader", "tenantry-operator"] },
  reader: { roles: ["tenantry-reader"] },
  nearly: { roles: ["tenantry-operator-2"], email: "nearly@example.com" },
};
const COOLDOWN_MS = 200;

let provider: IdentityProvider;
let app: TestApp;
/** The same home, where a token of somebody unknown makes a user. */
let open: TestApp;
let ada: string;
let operatorKey: string;

beforeAll(async () => {
  provider = await startIdentityProvider(PEOPLE);
  const oidc = { issuer: provider.issuer, audience: AUDIENCE, cooldownMs: COOLDOWN_MS };
  const operatorClaim = { name: "roles", value: "tenantry-operator" };
  const readOnlyClaim = { name: "roles", value: "tenantry-reader" };
  const api = { corsOrigins: ["https://app.example.com"] };
  app = await startApp({ api, signIn: { mode: "bearer", oidc, operatorClaim, readOnlyClaim } });
  const { databaseUrl, secretKey } = app;
  open = await startApp({ databaseUrl, secretKey, role: "api", signIn: { mode: "bearer", oidc, createUsers: true } });
  ({ secret: operatorKey } = await createApiKey(app));
  const input = { name: "Ada", email: "ada@example.com" };
  ada = (await postAs(app, operatorKey, CREATE_USER, { input })).data.createUser.id;
  await postAs(app, operatorKey, CREATE_USER, { input: { name: "Bob", email: "bob@example.com" } });
});
afterAll(async () => {
  await open.stop();
  await app.stop();
  await provider.close();
});

const CREATE_USER = "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }";
const ME = "{ me { id name } }";

async function expectRefused(token: string | undefined): Promise<void> {
  const answer = await postAs(app, token, ME);
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toBe(token === undefined ? "Bearer" : 'Bearer error="invalid_token"');
  expect(answer.errors).toEqual([
    {
      message: "Sign in: send a valid token or API key in the header Authorization: Bearer.",
      extensions: { code: "UNAUTHENTICATED", requestId: answer.headers.get("x-request-id") },
    },
  ]);
  expect(answer.data ?? null).toBeNull();
}

/** What the audit log has about a user whom signing in made or linked. */
const recordedAbout = (id: string) =>
  sql(
    app.databaseUrl,
    "select action, who, via, host(address) as address from tenantry.audit_log where subject_id = $1 and who_id = $1",
    [id],
  );

describe("a token of the provider", () => {
  test("signs in the user with its verified address, whom the operator made; and stays theirs", async () => {
    const token = await provider.grant("ada");
    expect((await postAs(app, token, ME)).data).toEqual({ me: { id: ada, name: "Ada" } });
    expect(await recordedAbout(ada)).toEqual([
      { action: "linkIdentity", who: "USER", via: "TOKEN", address: "127.0.0.1" },
    ]);
    // By issuer and subject from now on: the address may change.
    const { data } = await postAs(app, await provider.sign({ sub: "ada", email: "other@example.com" }), ME);
    expect(data.me.id).toBe(ada);
  });

  test("of somebody else with the same address does not sign in a user whom somebody uses", async () => {
    await postAs(app, await provider.grant("ada"), ME);
    for (const at of [app, open]) {
      const { status, errors } = await postAs(at, await provider.grant("impostor"), ME);
      expect({ status, code: errors?.[0]?.extensions.code }).toEqual({ status: 401, code: "UNAUTHENTICATED" });
    }
  });

  test("with an address that the provider has not verified signs nobody in", async () => {
    expect((await postAs(app, await provider.grant("unverified"), ME)).errors?.[0]?.message).toContain("no user here");
  });

  test("says that its address is verified also as a text", async () => {
    const input = { name: "Texts", email: "texts@example.com" };
    const { id } = (await postAs(app, operatorKey, CREATE_USER, { input })).data.createUser;
    const claims = { sub: "texts", email: "texts@example.com" };
    const unverified = await provider.sign({ ...claims, email_verified: "false" });
    expect((await postAs(app, unverified, ME)).status).toBe(401);
    const token = await provider.sign({ ...claims, email_verified: "true" });
    expect((await postAs(app, token, ME)).data.me.id).toBe(id);
  });

  test("of somebody unknown makes a user where that is allowed, once", async () => {
    const token = await provider.grant("created");
    expect((await postAs(app, token, ME)).status).toBe(401);
    const answers = await Promise.all(Array.from({ length: 5 }, () => postAs(open, token, ME)));
    const ids = new Set(answers.map(({ data }) => data.me.id as string));
    expect(ids.size).toBe(1);
    expect(answers[0]?.data.me.name).toBe("Created");
    expect(await recordedAbout([...ids][0] ?? "")).toMatchObject([{ action: "createUser", via: "TOKEN" }]);
    // The first refusal was not remembered.
    expect((await postAs(app, token, ME)).data.me.id).toBe([...ids][0]);
  });

  test("without an address signs in whom the operator linked to it", async () => {
    const token = await provider.grant("nameless");
    expect((await postAs(open, token, ME)).status).toBe(401);
    const input = { name: "Linked", email: "linked@example.com" };
    const userId = (await postAs(app, operatorKey, CREATE_USER, { input })).data.createUser.id as string;
    const link = "mutation ($input: LinkIdentityInput!) { linkIdentity(input: $input) { id } }";
    const identity = { input: { userId, issuer: provider.issuer, subject: "nameless" } };
    expect((await postAs(app, await provider.grant("ada"), link, identity)).errors?.[0]?.extensions.code).toBe(
      "FORBIDDEN",
    );
    await postAs(app, operatorKey, link, identity);
    expect((await postAs(app, token, ME)).data.me.id).toBe(userId);
    // Erasing takes it back.
    await postAs(app, operatorKey, "mutation ($id: ID!) { eraseUser(id: $id) { complete } }", { id: userId });
    expect(await eventually(async () => (await postAs(app, token, ME)).status === 401)).toBe(true);
    const kept = await sql(app.databaseUrl, "select from tenantry.identities where user_id = $1", [userId]);
    expect(kept).toEqual([]);
  });

  test("with the operator's claim is the operator; nearly the same is not", async () => {
    expect(
      (await postAs(app, await provider.grant("root"), "{ users { edges { node { id } } } me { id } }")).data.me,
    ).toBe(null);
    await postAs(app, await provider.grant("root"), CREATE_USER, { input: { name: "A", email: "a1@example.com" } });
    expect((await postAs(app, await provider.grant("nearly"), ME)).status).toBe(401);
    // On the instance without the claim it is nobody special.
    expect((await postAs(open, await provider.grant("root"), ME)).status).toBe(401);
  });

  test("with the read-only claim sees what the operator sees and changes nothing; with both claims it is the operator", async () => {
    const reader = await provider.grant("reader");
    expect((await postAs(app, reader, "{ users { edges { node { email } } } }")).data.users.edges).not.toEqual([]);
    const input = { name: "Nobody", email: "not.made@example.com" };
    const refused = await postAs(app, reader, CREATE_USER, { input });
    expect(refused.errors?.[0]).toMatchObject({
      message: "A read-only operator may change nothing.",
      extensions: { code: "FORBIDDEN" },
    });
    const find = "select from tenantry.users where email = $1";
    expect(await sql(app.databaseUrl, find, [input.email])).toEqual([]);
    const both = await provider.sign({ sub: "both", roles: ["tenantry-reader", "tenantry-operator"] });
    expect((await postAs(app, both, CREATE_USER, { input })).errors).toBeUndefined();
    // On the instance without the claim it is nobody special.
    expect((await postAs(open, reader, ME)).status).toBe(401);
  });

  test.each([
    ["PS256", 200],
    ["ES256", 200],
    ["EdDSA", 200],
    // Good ones, but not on the list.
    ["RS512", 401],
    ["ES384", 401],
  ])("signed with %s is answered with %i", async (alg, status) => {
    const now = Math.floor(Date.now() / 1_000);
    const key = await makeKey(`one-${alg}`, alg);
    const single = await startSingleKeyIssuer(key.jwk);
    const other = await startApp({
      databaseUrl: app.databaseUrl,
      secretKey: app.secretKey,
      role: "api",
      signIn: { mode: "bearer", oidc: { issuer: single.issuer, audience: AUDIENCE }, createUsers: true },
    });
    const token = await new SignJWT({
      iss: single.issuer,
      aud: AUDIENCE,
      sub: "x",
      exp: now + 60,
      email: `${alg}@example.com`,
    })
      .setProtectedHeader({ alg, kid: key.jwk.kid })
      .sign(key.privateKey);
    const answer = await postAs(other, token, ME);
    expect(answer.status).toBe(status);
    // Not the address, which a name would show to everybody.
    expect(answer.data?.me.name).toBe(status === 200 ? "New user" : undefined);
    await other.stop();
    await single.close();
  });
});

describe("refused is, always in the same words,", () => {
  const now = () => Math.floor(Date.now() / 1_000);
  const cases: [string, () => Promise<string | undefined>][] = [
    ["no token at all", async () => undefined],
    ["an expired token", () => provider.sign({ exp: now() - 31 })],
    ["a token that is not valid yet", () => provider.sign({ nbf: now() + 60 })],
    ["a token for another audience", () => provider.sign({ aud: "https://other.example.com" })],
    ["a token of another issuer", () => provider.sign({ iss: "https://other.example.com" })],
    ["a token without an audience", () => provider.sign({}, { without: "aud" })],
    ["a token without an end", () => provider.sign({}, { without: "exp" })],
    ["a token without a subject", () => provider.sign({}, { without: "sub" })],
    ["a token with an empty subject", () => provider.sign({ sub: "" })],
    ["a token with NUL in its subject", () => provider.sign({ sub: "a\0da" })],
    ["a token with half of a surrogate pair in its subject", () => provider.sign({ sub: "ada\ud800" })],
    ["a token that ends at no moment", () => provider.sign({ exp: 1e300 })],
    ["a token that ends just after the last moment there is", () => provider.sign({ exp: 8.64e12 + 1 })],
    ["a token that begins at no moment", () => provider.sign({ nbf: -1e300 })],
    ["a token that was issued at no moment", () => provider.sign({ iat: 1e300 })],
    ["a token of another type", () => provider.sign({}, { header: { typ: "logout+jwt" } })],
    ["a token signed with an unknown key", async () => provider.sign({}, { key: await makeKey("unknown") })],
    [
      "a token signed with another key of the same name",
      async () => {
        return provider.sign({}, { key: await makeKey(provider.key().jwk.kid) });
      },
    ],
    ["alg none", async () => unsigned({ alg: "none" })],
    ["alg None, without a signature", async () => unsigned({ alg: "None", kid: provider.key().jwk.kid })],
    ["HS256 with the public key as the secret", hmacWithPublicKey],
    [
      "a token whose claims were changed",
      async () => {
        const [header, , signature] = (await provider.sign()).split(".");
        const claims = { iss: provider.issuer, aud: AUDIENCE, sub: "created", exp: now() + 600 };
        return `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`;
      },
    ],
    ["garbage", async () => "garbage"],
    ["dots", async () => "a.b.c"],
    ["a token that is too long", () => provider.sign({ padding: "x".repeat(9_000) })],
    ["a key of nobody", async () => `tnk_${"0".repeat(32)}_${"A".repeat(43)}`],
    [
      "a key with another secret",
      async () => operatorKey.replace(/.{5}$/, (end) => (end === "AAAAA" ? "BBBBB" : "AAAAA")),
    ],
  ];

  test.each(cases)("%s", async (_, make) => {
    await expectRefused(await make());
  });

  test("a clock that differs a little is not", async () => {
    expect((await postAs(app, await provider.sign({ exp: now() - 10, nbf: now() + 10 }), ME)).status).toBe(200);
  });

  async function hmacWithPublicKey(): Promise<string> {
    const { n, e, kid } = provider.key().jwk;
    const jwk = { kty: "RSA", n: n ?? "", e: e ?? "" } as const;
    const pem = await exportSPKI(await importJWK(jwk, "RS256", { extractable: true }));
    return new SignJWT({ iss: provider.issuer, aud: AUDIENCE, sub: "ada", exp: now() + 600 })
      .setProtectedHeader({ alg: "HS256", kid })
      .sign(Buffer.from(pem));
  }

  function unsigned(header: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part(header)}.${part({ iss: provider.issuer, aud: AUDIENCE, sub: "ada", exp: now() + 600 })}.`;
  }
});

test("who is not signed in gets nothing of any field, not even the schema", async () => {
  for (const query of [
    "{ regions { key } }",
    "{ __schema { types { name } } }",
    'mutation { createOrganization(input: { name: "A" }) { id } }',
  ]) {
    const { status, errors, data } = await postAs(app, undefined, query);
    expect({ status, code: errors?.[0]?.extensions.code, data: data ?? null }, query).toEqual({
      status: 401,
      code: "UNAUTHENTICATED",
      data: null,
    });
  }
  // The header of development has no say.
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": ada },
    body: JSON.stringify({ query: ME }),
  });
  expect(response.status).toBe(401);
});

test("when the provider rotates its keys, new tokens are taken and old ones no longer", async () => {
  const before = await provider.sign();
  expect((await postAs(app, before, ME)).status).toBe(200);
  await provider.rotate();
  // The list of keys is asked for again, though not more often than the cooldown allows.
  expect(await eventually(async () => (await postAs(app, await provider.sign(), ME)).status === 200)).toBe(true);
  expect((await postAs(app, await provider.grant("ada"), ME)).data.me.id).toBe(ada);
  expect(await eventually(async () => (await postAs(app, before, ME)).status === 401)).toBe(true);
});

/** Does something many times; the provider may be asked once in each cooldown. */
async function expectFewRequests(call: () => Promise<unknown>): Promise<void> {
  const before = provider.requests();
  const started = performance.now();
  for (let count = 0; count < 30; count += 1) await call();
  const allowed = 1 + Math.ceil((performance.now() - started) / COOLDOWN_MS);
  expect(provider.requests() - before).toBeLessThanOrEqual(allowed);
}

test("tokens with unknown keys do not make us ask the provider again and again", async () => {
  const stranger = await makeKey("stranger");
  let count = 0;
  await expectFewRequests(async () => {
    count += 1;
    await postAs(app, await provider.sign({ jti: String(count) }, { key: stranger }), ME);
  });
});

test("a provider that is away keeps nobody out whose key is known, and others hear that it is away", async () => {
  expect((await postAs(app, await provider.sign(), ME)).status).toBe(200);
  provider.setAway(true);
  const stranger = await makeKey("while-away");
  const code = await eventually(async () => {
    const { errors } = await postAs(app, await provider.sign({}, { key: stranger }), ME);
    return errors?.[0]?.message.includes("does not answer") === true ? errors[0].extensions.code : undefined;
  });
  expect(code).toBe("SIGN_IN_UNAVAILABLE");
  const away = await postAs(app, await provider.sign({}, { key: stranger }), ME);
  expect({ status: away.status, retryAfter: away.headers.get("retry-after") }).toEqual({
    status: 503,
    retryAfter: "1",
  });
  const metrics = await fetch(`${app.url}/metrics`, {
    headers: { authorization: `Bearer ${await provider.sign({}, { key: stranger })}` },
  });
  expect(metrics.status).toBe(503);
  expect((await postAs(app, await provider.sign({ jti: "known" }), ME)).status).toBe(200);
  // One that starts meanwhile serves keys, and tokens as soon as the provider is back.
  const late = await startApp({
    databaseUrl: app.databaseUrl,
    secretKey: app.secretKey,
    role: "api",
    signIn: { mode: "bearer", oidc: { issuer: provider.issuer, audience: AUDIENCE, cooldownMs: COOLDOWN_MS } },
  });
  const token = await provider.sign();
  expect((await postAs(late, token, ME)).errors?.[0]?.message).toContain("does not answer");
  await expectFewRequests(() => postAs(late, token, ME));
  expect((await postAs(late, operatorKey, ME)).status).toBe(200);
  provider.setAway(false);
  expect(await eventually(async () => (await postAs(late, await provider.sign(), ME)).status === 200)).toBe(true);
  await late.stop();
});

test("an issuer that is not quite the provider's is said at once, with both values", async () => {
  const said: string[] = [];
  const issuer = `${provider.issuer}/`;
  const verifier = new OidcVerifiers([{ issuer, audience: AUDIENCE }], (error) => said.push(String(error)));
  await verifier.look();
  expect(said).toEqual([
    `Error: the issuer is set as ${issuer}, and the provider there calls itself "${provider.issuer}": both must be the same, to the last slash`,
  ]);
});

test("the log hears why a token is refused, without the token", async () => {
  const reasons: string[] = [];
  const oidc = { issuer: provider.issuer, audience: AUDIENCE };
  const { home } = app.services;
  const parts = { home, endedSignIns: new EndedSignIns(home, () => undefined), onError: () => undefined };
  const signIn = new BearerSignIn({ ...parts, onRefused: (reason) => reasons.push(reason) }, { oidc });
  const tokens = [
    await provider.sign({ aud: "https://other.example" }),
    await provider.sign({ iss: "https://other.example" }),
    await provider.sign({ exp: 1 }),
    `tnk_${"0".repeat(32)}_${"A".repeat(43)}`,
  ];
  for (const token of tokens)
    await expect(signIn.identify({ authorization: `Bearer ${token}` })).rejects.toThrow("Sign in: send a valid token");
  await expect(signIn.identify({ authorization: null })).rejects.toThrow("Sign in: send a valid token");
  expect(reasons).toEqual([
    expect.stringContaining('"aud"'),
    expect.stringContaining('"iss"'),
    expect.stringContaining('"exp"'),
    "there is no such API key, or it has expired or was revoked",
  ]);
});

describe("a subscription", () => {
  const query = (resource: string) => `subscription { commentAdded(resourceId: "${resource}") { body } }`;
  const until = (seconds: number) => ({ sub: "ada", exp: Math.floor(Date.now() / 1_000) + seconds });
  let resource: string;
  beforeAll(async () => {
    // From then on the subject is known, also of tokens without an address.
    await postAs(app, await provider.grant("ada"), ME);
    const create = 'mutation { createResource(input: { name: "Followed" }) { id } }';
    resource = (await postAs(app, operatorKey, create)).data.createResource.id;
  });

  test("over a web socket takes the token in connectionParams, and ends with it", async () => {
    const client = createClient({
      url: `${app.url.replace("http", "ws")}/graphql`,
      connectionParams: { authorization: `Bearer ${await provider.sign(until(2))}` },
    });
    const events = client.iterate<{ commentAdded: { body: string } }>({ query: query(resource) });
    const first = events.next();
    const write = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";
    let heard = false;
    void first.then(() => {
      heard = true;
    });
    await waitFor(
      async () => {
        if (heard) return true;
        const input = { resourceId: resource, body: "Heard", authorId: ada };
        await postAs(app, operatorKey, write, { input });
        return undefined;
      },
      { timeoutMs: 5_000, pauseMs: 25 },
    );
    expect((await first).value.data.commentAdded).toEqual({ body: "Heard" });
    const seen: unknown[] = [];
    for await (const event of events) seen.push(event);
    expect(JSON.stringify(seen.at(-1))).toContain("UNAUTHENTICATED");
    await client.dispose();
  });

  /** Connections of this home that wait for new comments. */
  async function listening(): Promise<number> {
    const rows = await sql(
      app.databaseUrl,
      `select from pg_stat_activity where datname = current_database() and query like '%listen "tenantry_comment"'
         and pid <> pg_backend_pid()`,
    );
    return rows.length;
  }

  test("over a web socket without a token, or with a bad one, ends the socket", async () => {
    for (const connectionParams of [{}, { authorization: "Bearer garbage" }, { "x-user-id": ada }]) {
      const url = `${app.url.replace("http", "ws")}/graphql`;
      const client = createClient({ url, connectionParams, retryAttempts: 0 });
      const first = client.iterate({ query: query(resource) }).next();
      await expect(first).rejects.toMatchObject({ code: "authorization" in connectionParams ? 4403 : 4401 });
      await client.dispose();
    }
  });

  test("over server-sent events takes the header, and ends with the token", async () => {
    const follow = async (token: string | undefined) =>
      fetch(`${app.url}/graphql`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "text/event-stream",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query: query(resource) }),
      });
    expect(await (await follow(undefined)).text()).toContain("UNAUTHENTICATED");
    const stream = await follow(await provider.sign(until(2)));
    expect(stream.status).toBe(200);
    expect(await eventually(async () => (await listening()) > 0)).toBe(true);
    const text = await stream.text();
    expect(text).toContain("UNAUTHENTICATED");
    expect(text).toContain("event: complete");
    expect(text).not.toContain('"http"');
    // Nothing goes on listening, although nothing has happened to the resource since.
    expect(await eventually(async () => (await listening()) === 0)).toBe(true);
  });

  test("with a key ends when the key is revoked", async () => {
    const { key, secret } = await createApiKey(app);
    const client = createClient({
      url: `${app.url.replace("http", "ws")}/graphql`,
      connectionParams: { authorization: `Bearer ${secret}` },
    });
    const first = client.iterate({ query: query(resource) }).next();
    // Before that, it would be the beginning that is refused.
    expect(await eventually(async () => (await listening()) > 0)).toBe(true);
    await postAs(app, operatorKey, "mutation ($id: ID!) { revokeApiKey(id: $id) { id } }", { id: key.id });
    expect(JSON.stringify(await first)).toContain("UNAUTHENTICATED");
    await client.dispose();
  });
});

test("the explorer and health are served to anybody, metrics to operators, also to those who read only", async () => {
  const page = await fetch(app.url, { headers: { accept: "text/html" } });
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('"mode":"bearer"');
  expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
  const metrics = async (token?: string) =>
    (await fetch(`${app.url}/metrics`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }))
      .status;
  expect([
    await metrics(),
    await metrics("garbage"),
    await metrics(await provider.sign()),
    await metrics(operatorKey),
    await metrics(await provider.grant("reader")),
  ]).toEqual([401, 401, 403, 200, 200]);
});

test("a page on the list may call with the token that it has, others may not", async () => {
  const preflight = (origin: string) =>
    fetch(`${app.url}/graphql`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
  const refused = await preflight("https://other.example.com");
  expect(refused.status).toBe(403);
  expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  const response = await preflight("https://app.example.com");
  expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
  expect(response.headers.get("access-control-allow-headers")).toContain("authorization");
  expect(response.headers.get("access-control-allow-credentials")).not.toBe("true");
});

/** The least that is a provider: a configuration and one key of any algorithm. */
async function startSingleKeyIssuer(jwk: { kid: string; d?: string }) {
  const { createServer } = await import("node:http");
  const { d: _, ...publicKey } = jwk;
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify(request.url === "/keys" ? { keys: [publicKey] } : { issuer, jwks_uri: `${issuer}/keys` }),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  return {
    issuer,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
