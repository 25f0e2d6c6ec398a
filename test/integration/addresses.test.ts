/**
 * Addresses of users: one rule of equality in whatever locale home's database has, and only a proved address counts. Home is
 * Turkish here, where i and I are two letters.
 */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isEmail, validName } from "../../src/base/kernel/validation.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { addMember, comment, createOrganization, createResource, createUser } from "../support/journey.ts";
import { invite } from "../support/organization-fixture.ts";
import { postAs } from "../support/signed-in.ts";

let provider: IdentityProvider;
/** In development, for the operator. */
let app: TestApp;
/** Where callers sign in, and strangers do not become users. */
let closed: TestApp;
/** Where they do. */
let open: TestApp;

beforeAll(async () => {
  const name = `turkish_${randomBytes(6).toString("hex")}`;
  await sql(
    `${serverUrl("home")}/postgres`,
    `create database ${name} template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale 'tr-TR'`,
  );
  provider = await startIdentityProvider({});
  app = await startApp({ databaseUrl: `${serverUrl("home")}/${name}` });
  const { databaseUrl, secretKey } = app;
  const oidc = { issuer: provider.issuer, audience: AUDIENCE };
  closed = await startApp({ databaseUrl, secretKey, role: "api", signIn: { mode: "bearer", oidc } });
  open = await startApp({ databaseUrl, secretKey, role: "api", signIn: { mode: "bearer", oidc, createUsers: true } });
});
afterAll(async () => {
  await open.stop();
  await closed.stop();
  await app.stop();
  await provider.close();
});

const CREATE = "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }";
const UPDATE = "mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id } }";
const INVITE = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { id } }";
const ACCEPT = "mutation ($token: String!) { acceptInvitation(token: $token) { role } }";
const ME = "{ me { id name email } }";

let count = 0;
/** A word that no other address has; its letters are the same in all locales. */
function fresh(): string {
  count += 1;
  return `${"abcdefg".charAt(count % 7)}${count}`;
}

const userWith = async (email: string): Promise<string> =>
  (await app.ask(CREATE, { input: { name: "Prepared", email } })).createUser.id;

type Claims = { sub: string; email?: string; email_verified?: unknown; name?: unknown };
/** Whom a token signs in; or the code. */
async function signIn(at: TestApp, claims: Claims): Promise<{ id: string; name: string; email: string } | string> {
  const { data, errors } = await postAs(at, await provider.sign(claims), ME);
  return errors?.[0]?.extensions.code ?? data.me;
}
async function signedIn(claims: Claims): Promise<{ id: string; name: string; email: string }> {
  const me = await signIn(open, claims);
  if (typeof me === "string") throw new Error(me);
  return me;
}

test("home is Turkish: its own lower() would keep INFO and info apart", async () => {
  const [row] = await sql(app.databaseUrl, "select lower('INFO') <> 'info' as apart");
  expect(row).toEqual({ apart: true });
});

describe("two spellings are one address", () => {
  test("of a user", async () => {
    const name = fresh();
    const id = await userWith(`INFO.${name}@EXAMPLE.TEST`);
    const email = `info.${name}@example.test`;
    const taken = { code: "CONFLICT", field: "email" };
    expect(await app.refuse(CREATE, { input: { name: "Two", email } })).toMatchObject(taken);
    const other = await userWith(`${fresh()}@example.test`);
    expect(await app.refuse(UPDATE, { input: { id: other, email } })).toMatchObject(taken);
    await app.ask(UPDATE, { input: { id, email } });
  });

  test("of a token", async () => {
    const name = fresh();
    const id = await userWith(`INFO.${name}@EXAMPLE.TEST`);
    const claims = { sub: name, email: `info.${name}@example.test`, email_verified: true };
    expect(await signIn(closed, claims)).toMatchObject({ id });
  });

  test("of two subjects at the same moment: one of them is the prepared user", async () => {
    const name = fresh();
    const id = await userWith(`INFO.${name}@EXAMPLE.TEST`);
    const claims = { email: `info.${name}@example.test`, email_verified: true };
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query("begin");
    await client.query("select from tenantry.users where id = $1 for update", [id]);
    const both = Promise.all(["one", "two"].map((sub) => signIn(closed, { ...claims, sub: `${sub} of ${name}` })));
    const waiting =
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%identities%'";
    await waitFor(async () => ((await sql(app.databaseUrl, waiting)).length === 2 ? true : undefined), {
      timeoutMs: 10_000,
    });
    await client.query("commit");
    await client.end();
    const results = await both;
    expect(results.filter((me) => typeof me !== "string" && me.id === id)).toHaveLength(1);
    expect(results.filter((me) => me === "UNAUTHENTICATED")).toHaveLength(1);
  });

  test("of an invitation, which a second one replaces", async () => {
    const organization = await createOrganization(app);
    const name = fresh();
    const invited = await userWith(`INFO.${name}@EXAMPLE.TEST`);
    for (const email of [`info.${name}@example.test`, `Info.${name}@Example.Test`])
      await app.ask(INVITE, { input: { organizationId: organization, email } });
    const rows = await sql(
      app.databaseUrl,
      "select email from tenantry.invitations where organization_id = $1 and revoked_at is null",
      [organization],
    );
    expect(rows).toEqual([{ email: `Info.${name}@Example.Test` }]);
    const { token } = await invite(app, await createOrganization(app), `info.${name}@example.test`);
    expect((await app.ask(ACCEPT, { token }, invited)).acceptInvitation.role).toBe("MEMBER");
  });
});

describe("characters that become other letters, or look like them", () => {
  test.each([
    ["the Kelvin sign", "k", "\u212a"],
    ["a dotless i", "i", "\u0131"],
    ["a dotted I", "i", "\u0130"],
    ["a long s", "s", "\u017f"],
    ["a full-width letter", "k", "\uff4b"],
  ])("are nobody's: %s", async (_, letter, other) => {
    const name = fresh();
    const [email, lookalike] = [`${letter}.${name}@example.com`, `${other}.${name}@example.com`];
    const prepared = await userWith(email);
    const organization = await createOrganization(app);
    const bad = { code: "INVALID_INPUT", field: "email" };
    expect(await app.refuse(CREATE, { input: { name: "A", email: lookalike } })).toMatchObject(bad);
    expect(await app.refuse(UPDATE, { input: { id: prepared, email: lookalike } })).toMatchObject(bad);
    const input = { organizationId: organization, email: lookalike };
    expect(await app.refuse(INVITE, { input })).toMatchObject(bad);
    const claims = { sub: `other.${name}`, email: lookalike, email_verified: true };
    expect(await signIn(closed, claims)).toBe("UNAUTHENTICATED");
    const made = await signedIn(claims);
    expect(made.id).not.toBe(prepared);
    expect(isEmail(made.email)).toBe(false);
    expect(await signIn(closed, { sub: `own.${name}`, email, email_verified: true })).toMatchObject({ id: prepared });
  });
});

describe("an address that the provider has not verified", () => {
  const unproved = () => {
    const email = `ceo.${fresh()}@example.com`;
    return { email, squatter: { sub: `squatter of ${email}`, email, email_verified: false, name: "CEO" } };
  };

  test.each([[false], [undefined], ["yes"], [1]])("is no address of the user who is made: %j", async (verified) => {
    const { email, squatter } = unproved();
    const me = await signedIn({ ...squatter, email_verified: verified });
    expect(me).toEqual({ id: me.id, name: "CEO", email: `no-address-${me.id}@invalid` });
    expect(await signedIn(squatter)).toEqual(me);
    expect(await sql(app.databaseUrl, "select from tenantry.users where email = $1", [email])).toEqual([]);
  });

  test("locks out nobody: the true person signs in, and as a user whom the operator prepares", async () => {
    const { email, squatter } = unproved();
    const me = await signedIn(squatter);
    const truth = await signedIn({ sub: `true ${email}`, email, email_verified: true });
    expect(truth.email).toBe(email);
    expect(truth.id).not.toBe(me.id);
    const other = unproved();
    await signedIn(other.squatter);
    const prepared = await userWith(other.email);
    const claims = { sub: `true ${other.email}`, email: other.email, email_verified: true };
    expect(await signIn(closed, claims)).toMatchObject({ id: prepared });
  });

  test("accepts no invitation, and no list shows it", async () => {
    const { email, squatter } = unproved();
    const me = await signedIn(squatter);
    const organization = await createOrganization(app);
    const { token } = await invite(app, organization, email);
    const accept = async (claims: Claims) =>
      (await postAs(open, await provider.sign(claims), ACCEPT, { token })).errors?.[0]?.extensions.code ?? "accepted";
    expect(await accept(squatter)).toBe("NOT_FOUND");
    await addMember(app, organization, me.id);
    const { organization: shown } = await app.ask(
      "query ($id: ID!) { organization(id: $id) { members { edges { node { user { name email } } } } } }",
      { id: organization },
      me.id,
    );
    expect(JSON.stringify(shown)).not.toContain(email);
    expect(await accept({ sub: `true ${email}`, email, email_verified: true })).toBe("accepted");
  });

  test("becomes the user's when a later token proves it, once, and unless it is another's by then", async () => {
    const { email, squatter } = unproved();
    const me = await signedIn(squatter);
    const proof = { ...squatter, email_verified: true };
    expect(await signIn(closed, proof)).toEqual({ ...me, email });
    expect(await signedIn({ ...proof, email: `other.${email}` })).toEqual({ ...me, email });
    const log = "select action, who, via from tenantry.audit_log where subject_id = $1 order by id";
    expect(await sql(app.databaseUrl, log, [me.id])).toEqual([
      { action: "createUser", who: "USER", via: "TOKEN" },
      { action: "updateUser", who: "USER", via: "TOKEN" },
    ]);
    const late = unproved();
    const without = await signedIn(late.squatter);
    await userWith(late.email.toUpperCase());
    expect(await signedIn({ ...late.squatter, email_verified: true })).toEqual(without);
  });

  test("is taken by one of many who prove it at the same moment", async () => {
    const email = `many.${fresh()}@example.com`;
    const subjects = Array.from({ length: 6 }, (_, index) => ({ sub: `${index} of ${email}`, email }));
    const made = await Promise.all(subjects.map((claims) => signedIn(claims)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(6);
    const proved = await Promise.all(subjects.map((claims) => signedIn({ ...claims, email_verified: true })));
    expect(proved.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    expect(proved.filter((me) => me.email === email)).toHaveLength(1);
  });
});

describe("the name that a token says", () => {
  test.each([
    ["as a name", "Zo\u00eb  L\u00f6we", "Zo\u00eb L\u00f6we"],
    ["without what names may not have", "\u202eAda\r\nLovelace\u0000\u200b", "Ada Lovelace"],
    ["cut", "n".repeat(500), "n".repeat(200)],
    ["not when it is none", "\u200d \n", "New user"],
    ["not when it is no text", { first: "Ada" }, "New user"],
    ["not when there is none", undefined, "New user"],
  ])("is taken %s", async (_, name, expected) => {
    const email = `${fresh()}.name@example.com`;
    const me = await signedIn({ sub: email, email, email_verified: true, name });
    expect(me).toMatchObject({ name: expected, email });
  });
});

test("an author in the default organization can be added by id by nobody but the operator, and shows no address", async () => {
  const email = `nora.${fresh()}@example.com`;
  const nora = await userWith(email);
  const mallory = await createUser(app, "Mallory");
  const organization = await createOrganization(app, "Mallory's", mallory);
  const resource = await createResource(app, { name: "At home" });
  await comment(app, resource, nora, "Hello");
  const read = await app.ask(
    "query ($id: ID!) { resource(id: $id) { comments { edges { node { author { id } } } } } }",
    { id: resource },
    mallory,
  );
  const { id } = read.resource.comments.edges[0].node.author;
  const add =
    "mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { user { email } } }";
  const input = { organizationId: organization, userId: id, role: "VIEWER" };
  const refused = await app.refuse(add, { input }, mallory);
  expect(refused).toMatchObject({ code: "INVALID_INPUT", field: "userId" });
  expect(JSON.stringify(refused)).not.toContain(email);
  expect(await sql(app.databaseUrl, "select from tenantry.memberships where user_id = $1", [nora])).toEqual([]);
});

describe("home's database and the program have one rule", () => {
  /** Every character of the first plane that can be stored, and some beyond. */
  const characters = Array.from({ length: 0xffff }, (_, index) => index + 1)
    .filter((code) => code < 0xd800 || code > 0xdfff)
    .concat(0x1_f469, 0x2_0000, 0xe_0067)
    .map((code) => String.fromCodePoint(code));

  test("of what is a name", async () => {
    const rows = await sql<{ text: string; is: boolean }>(
      app.databaseUrl,
      "select text, tenantry.is_name('a' || text || 'b') as is from unnest($1::text[]) as text",
      [characters],
    );
    const isName = (text: string) => {
      try {
        return validName("name", text) === text;
      } catch {
        return false;
      }
    };
    expect(rows).toHaveLength(characters.length);
    expect(rows.filter(({ text, is }) => is !== isName(`a${text}b`))).toEqual([]);
    const [ends] = await sql(
      app.databaseUrl,
      `select tenantry.is_name('') as empty, tenantry.is_name('  ') as blank, tenantry.is_name(null) as nothing,
         tenantry.is_name(repeat('x', 200)) as most, tenantry.is_name(repeat('x', 201)) as long`,
    );
    expect(ends).toEqual({ empty: false, blank: false, nothing: false, most: true, long: false });
  });

  test("of what is one address: letters of ASCII have two spellings, and nothing else has", async () => {
    const rows = await sql<{ text: string; key: string }>(
      app.databaseUrl,
      "select text, tenantry.address_key(text) as key from unnest($1::text[]) as text",
      [characters],
    );
    const key = (text: string) => (/^[A-Z]$/.test(text) ? text.toLowerCase() : text);
    expect(rows.filter((row) => row.key !== key(row.text))).toEqual([]);
  });
});
