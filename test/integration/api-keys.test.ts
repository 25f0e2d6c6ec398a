/** API keys: shown once, kept as a hash, bounded by a role and a time, over when they are revoked. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

/** In development, to prepare what the keys then work on. */
let app: TestApp;
/** A second process on the same home, where nobody calls without a key. */
let api: TestApp;
let acme: string;
let other: string;
let owner: string;
let member: string;
let viewer: string;
let stranger: string;
let plans: string;
let foreign: string;

beforeAll(async () => {
  app = await startApp();
  api = await startApp({
    databaseUrl: app.databaseUrl,
    secretKey: app.secretKey,
    role: "api",
    signIn: { mode: "bearer" },
  });
  [owner, member, viewer, stranger] = (await Promise.all(
    ["Owner", "Member", "Viewer", "Stranger"].map((name) => createUser(app, name)),
  )) as [string, string, string, string];
  acme = await createOrganization(app, "Acme", owner);
  other = await createOrganization(app, "Other", stranger);
  await addMember(app, acme, member);
  await addMember(app, acme, viewer, "VIEWER");
  await registerRegion(app, "eu", serverUrl("eu"));
  await grant(app, acme, "eu");
  await grant(app, other, "eu");
  plans = await createResource(app, { name: "Plans", organizationId: acme });
  foreign = await createResource(app, { name: "Foreign", organizationId: other });
  await comment(app, plans, member, "Hello");
});
afterAll(async () => {
  await api.stop();
  await app.stop();
});

const CREATE = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key { id } secret } }";
const REVOKE = "mutation ($id: ID!) { revokeApiKey(id: $id) { revokedAt } }";
const COMMENT = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { author { name } } }";
const RESOURCE = "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }";

const keyOf = async (role: "OWNER" | "ADMIN" | "MEMBER" | "VIEWER", organizationId = acme) =>
  createApiKey(app, { organizationId, role });
const codeOf = async (secret: string, query: string, variables: object = {}) =>
  (await postAs(api, secret, query, variables)).errors?.[0]?.extensions.code;

describe("making a key", () => {
  test("shows it once; the database has a hash of it and nothing else", async () => {
    const input = { name: "Deploy", organizationId: acme, role: "MEMBER", expiresInDays: 30 };
    const { createApiKey: made } = await app.ask(CREATE, { input }, owner);
    const [, id = "", secret = ""] = /^tnk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/.exec(made.secret) ?? [];
    expect(id).toBe(made.key.id.replaceAll("-", ""));
    const [row] = await sql<{ secret_hash: Buffer; text: string }>(
      app.databaseUrl,
      "select secret_hash, k::text as text from tenantry.api_keys k where id = $1",
      [made.key.id],
    );
    expect(row?.secret_hash).toEqual(createHash("sha256").update(secret).digest());
    expect(row?.text).not.toContain(secret);
    const schema = await app.ask('{ __type(name: "ApiKey") { fields { name } } }');
    expect(JSON.stringify(schema)).not.toMatch(/secret|hash/i);
    const { apiKeys } = await app.ask(
      "query ($id: ID!) { apiKeys(organizationId: $id) { edges { node { name role createdBy organization { name } expiresAt revokedAt lastUsedAt } } } }",
      { id: acme },
      owner,
    );
    expect(apiKeys.edges.at(-1).node).toMatchObject({
      name: "Deploy",
      role: "MEMBER",
      createdBy: owner,
      organization: { name: "Acme" },
      revokedAt: null,
      lastUsedAt: null,
    });
    const days = (Date.parse(apiKeys.edges.at(-1).node.expiresAt) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThan(30.1);
  });

  test("is for owners of the organization, and operators", async () => {
    const input = { name: "Key", organizationId: acme, role: "VIEWER" };
    expect(await app.refuse(CREATE, { input }, member)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(CREATE, { input }, stranger)).toMatchObject({ code: "NOT_FOUND" });
    expect(await app.refuse(CREATE, { input: { name: "Key" } }, owner)).toMatchObject({ code: "FORBIDDEN" });
    // One that leaked must not make others.
    expect(await codeOf((await keyOf("OWNER")).secret, CREATE, { input })).toBe("FORBIDDEN");
  });

  test.each([
    ["no role in an organization", () => ({ organizationId: acme }), "role"],
    ["a role for an operator's key", () => ({ role: "OWNER" }), "role"],
    ["readOnly in an organization", () => ({ organizationId: acme, role: "OWNER", readOnly: true }), "readOnly"],
    ["no time", () => ({ expiresInDays: 0 }), "expiresInDays"],
    ["more than a year", () => ({ expiresInDays: 366 }), "expiresInDays"],
    ["an empty name", () => ({ name: " " }), "name"],
    ["an id that is none", () => ({ organizationId: "x", role: "OWNER" }), "organizationId"],
  ])("with %s is INVALID_INPUT", async (_, wrong, field) => {
    expect(await app.refuse(CREATE, { input: { name: "Key", ...wrong() } })).toMatchObject({
      code: "INVALID_INPUT",
      field,
    });
  });

  test("is LIMIT_EXCEEDED when there are a hundred good ones", async () => {
    const full = await createOrganization(app, "Full");
    await sql(
      app.databaseUrl,
      `insert into tenantry.api_keys (id, name, secret_hash, organization_id, role, created_by, expires_at)
       select gen_random_uuid(), 'Key ' || i, sha256(i::text::bytea), $1, 'VIEWER', 'operator', now() + interval '1 day'
       from generate_series(1, 100) i`,
      [full],
    );
    const input = { name: "Key", organizationId: full, role: "VIEWER" };
    expect(await app.refuse(CREATE, { input })).toMatchObject({ code: "LIMIT_EXCEEDED" });
    await sql(
      app.databaseUrl,
      "update tenantry.api_keys set revoked_at = now() where organization_id = $1 and name = 'Key 1'",
      [full],
    );
    await app.ask(CREATE, { input });
  });
});

describe("a key of an organization", () => {
  const EVERYTHING = `{
    me { id } regions { key } users { edges { node { name } } }
    organizations { edges { node { name members { edges { node { user { name } role } } } placements { state } } } }
    resources { edges { node { name comments { edges { node { body author { name } } } } } } }
    jobs { edges { node { kind } } } }`;

  test.each([
    ["OWNER", () => owner],
    ["MEMBER", () => member],
    ["VIEWER", () => viewer],
  ] as const)("with the role %s sees what such a member sees", async (role, user) => {
    const [byKey, byUser] = [
      await postAs(api, (await keyOf(role)).secret, EVERYTHING),
      await app.ask(EVERYTHING, {}, user()),
    ];
    expect(byKey.errors).toBeUndefined();
    expect(byKey.data).toEqual({ ...byUser, me: null });
    expect(JSON.stringify(byKey.data)).not.toMatch(/Foreign|Other|Stranger/);
    expect(JSON.stringify(byKey.data)).toContain("Hello");
  });

  test("finds nothing of other organizations", async () => {
    const { secret } = await keyOf("OWNER");
    const placement = (await app.ask("query ($id: ID!) { organization(id: $id) { placements { id } } }", { id: other }))
      .organization.placements[0].id;
    const theirs = await keyOf("VIEWER", other);
    const attempts: [string, object][] = [
      ["query ($id: ID!) { organization(id: $id) { id } }", { id: other }],
      ["query ($id: ID!) { resource(id: $id) { id } }", { id: foreign }],
      ["query ($id: ID!) { placement(id: $id) { id } }", { id: placement }],
      ["query ($id: ID!) { user(id: $id) { id } }", { id: stranger }],
      ["query ($id: ID!) { apiKeys(organizationId: $id) { edges { cursor } } }", { id: other }],
      [COMMENT, { input: { resourceId: foreign, body: "A", authorId: stranger } }],
      [RESOURCE, { input: { name: "A", organizationId: other } }],
      [REVOKE, { id: theirs.key.id }],
      [REVOKE, { id: (await createApiKey(app)).key.id }],
    ];
    for (const [query, variables] of attempts) expect(await codeOf(secret, query, variables), query).toBe("NOT_FOUND");
    expect((await postAs(api, theirs.secret, "{ me { id } }")).status).toBe(200);
  });

  test("does what its role allows and no more", async () => {
    const { secret: reads } = await keyOf("VIEWER");
    const { secret: writes } = await keyOf("MEMBER");
    const { secret: manages } = await keyOf("ADMIN");
    const { secret: owns } = await keyOf("OWNER");
    const add = "mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role } }";
    const newcomer = await createUser(app, "Newcomer");
    await addMember(app, acme, newcomer);
    const resource = { input: { name: "By a key", organizationId: acme } };
    const adding = (role: string) => ({ input: { organizationId: acme, userId: newcomer, role } });
    expect(await codeOf(reads, RESOURCE, resource)).toBe("FORBIDDEN");
    expect(await codeOf(writes, RESOURCE, resource)).toBeUndefined();
    expect(await codeOf(writes, add, adding("VIEWER"))).toBe("FORBIDDEN");
    expect(await codeOf(manages, add, adding("VIEWER"))).toBeUndefined();
    expect(await codeOf(manages, add, adding("OWNER"))).toBe("FORBIDDEN");
    expect(await codeOf(owns, add, adding("OWNER"))).toBeUndefined();
    for (const secret of [owns, manages]) {
      const user = { input: { name: "A", email: "made.by.key@example.com" } };
      expect(
        await codeOf(secret, "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }", user),
      ).toBe("FORBIDDEN");
      expect(await codeOf(secret, 'mutation { createOrganization(input: { name: "A" }) { id } }')).toBe("FORBIDDEN");
      expect(await codeOf(secret, RESOURCE, { input: { name: "At home" } })).toBe("FORBIDDEN");
      expect(await codeOf(secret, "{ apiKeys { edges { cursor } } }")).toBe("FORBIDDEN");
    }
  });

  test("names a member of its organization as a comment's author", async () => {
    const { secret } = await keyOf("MEMBER");
    const write = (authorId: string | undefined, as = secret) =>
      postAs(api, as, COMMENT, { input: { resourceId: plans, body: "By a key", authorId } });
    expect((await write(member)).data.createComment.author.name).toBe("Member");
    const refusals = [await write(undefined), await write(stranger), await write(viewer)];
    expect(refusals.map(({ errors }) => errors?.[0]?.extensions)).toMatchObject(
      refusals.map(() => ({ code: "INVALID_INPUT", field: "authorId" })),
    );
    expect((await write(member, (await keyOf("VIEWER")).secret)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    const atHome = await createResource(app, { name: "At home" });
    expect(await codeOf(secret, COMMENT, { input: { resourceId: atHome, body: "A", authorId: member } })).toBe(
      "FORBIDDEN",
    );
  });

  test("stands beside what it asked for", async () => {
    const { key, secret } = await keyOf("OWNER");
    await registerRegion(app, "us", serverUrl("us"));
    const query = "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }";
    const { grantRegionAccess } = (
      await postAs(api, secret, query, { input: { organizationId: acme, regionKey: "us" } })
    ).data;
    const { jobs } = await app.ask("query ($id: ID) { jobs(placementId: $id) { edges { node { requestedBy } } } }", {
      id: grantRegionAccess.id,
    });
    expect(jobs.edges[0].node.requestedBy).toBe(`key:${key.id}`);
  });
});

describe("a key is over", () => {
  const works = async (secret: string) =>
    (await postAs(api, secret, "{ organizations { edges { cursor } } }")).status === 200;

  test("when it is revoked, within a second, in every process", async () => {
    const { key, secret } = await keyOf("VIEWER");
    expect(await works(secret)).toBe(true);
    expect(await app.refuse(REVOKE, { id: key.id }, member)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(REVOKE, { id: key.id }, stranger)).toMatchObject({ code: "NOT_FOUND" });
    expect(await works(secret)).toBe(true);
    const { revokedAt } = (await app.ask(REVOKE, { id: key.id }, owner)).revokeApiKey;
    expect(await eventually(async () => !(await works(secret)), 1_000)).toBe(true);
    // Again is the same, and the time of the first stays.
    expect((await app.ask(REVOKE, { id: key.id }, owner)).revokeApiKey.revokedAt).toBe(revokedAt);
  });

  test("when its time is over", async () => {
    const { key, secret } = await keyOf("VIEWER");
    expect(await works(secret)).toBe(true);
    await sql(app.databaseUrl, "update tenantry.api_keys set expires_at = now() where id = $1", [key.id]);
    expect(await eventually(async () => !(await works(secret)), 2_000)).toBe(true);
  });

  test("when its organization is gone, and one of another secret never began", async () => {
    const gone = await createOrganization(app, "Gone");
    const { secret } = await keyOf("OWNER", gone);
    expect(await works(secret)).toBe(true);
    expect(await works(secret.replace(/.$/, (end) => (end === "A" ? "B" : "A")))).toBe(false);
    await sql(app.databaseUrl, "delete from tenantry.organizations where id = $1", [gone]);
    expect(await eventually(async () => !(await works(secret)), 2_000)).toBe(true);
  });
});

test("when it was last used is noted, once a minute at most", async () => {
  const { key, secret } = await keyOf("VIEWER");
  const lastUsed = async () => {
    const [row] = await sql<{ at: string | null }>(
      app.databaseUrl,
      "select last_used_at::text as at from tenantry.api_keys where id = $1",
      [key.id],
    );
    return row?.at ?? null;
  };
  const use = async (processes: TestApp[]) => {
    for (const one of processes) expect((await postAs(one, secret, "{ me { id } }")).status).toBe(200);
  };
  expect(await lastUsed()).toBeNull();
  await use([api]);
  const first = await lastUsed();
  expect(first).not.toBeNull();
  // The other process remembers nothing of it.
  await use([app]);
  expect(await lastUsed()).toBe(first);
});

test("in development a key is who it is, and not the operator", async () => {
  const { secret } = await keyOf("VIEWER");
  const { data } = await postAs(app, secret, "{ organizations { edges { node { name } } } }");
  expect(data.organizations.edges).toEqual([{ node: { name: "Acme" } }]);
  expect(
    (
      await postAs(
        app,
        secret.replace(/.$/, (end) => (end === "A" ? "B" : "A")),
        "{ me { id } }",
      )
    ).status,
  ).toBe(401);
});

test("a read-only operator's key sees everything and changes nothing", async () => {
  const { createApiKey: made } = await app.ask(CREATE, { input: { name: "Metrics", readOnly: true } });
  const read = await postAs(
    api,
    made.secret,
    "query ($id: ID!) { organization(id: $id) { name viewerMay } replication { __typename } apiKeys { edges { node { id readOnly } } } }",
    { id: acme },
  );
  expect(read.errors).toBeUndefined();
  expect(read.data.organization).toEqual({ name: "Acme", viewerMay: ["READ", "READ_JOBS", "READ_AUDIT_LOG"] });
  expect(read.data.apiKeys.edges).toContainEqual({ node: { id: made.key.id, readOnly: true } });
  const input = { name: "Written", organizationId: acme };
  expect(await codeOf(made.secret, RESOURCE, { input })).toBe("FORBIDDEN");
  expect(await codeOf(made.secret, COMMENT, { input: { resourceId: plans, authorId: member, body: "Hi" } })).toBe(
    "FORBIDDEN",
  );
  // It makes itself no better key, and revokes none.
  expect(await codeOf(made.secret, CREATE, { input: { name: "Better" } })).toBe("FORBIDDEN");
  expect(await codeOf(made.secret, REVOKE, { id: made.key.id })).toBe("FORBIDDEN");
});

test("the command line makes the first operator's key, lists and revokes", { timeout: 90_000 }, async () => {
  const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  const tenantry = async (...args: string[]) =>
    (await promisify(execFile)(process.execPath, [program, "key", ...args], { env })).stdout;
  const secret = (await tenantry("create", "--operator", "--name", "First")).trim();
  const user = { input: { name: "A", email: "first.key@example.com" } };
  expect(
    await codeOf(secret, "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }", user),
  ).toBeUndefined();
  const { keys } = JSON.parse(await tenantry("list", "--json")) as { keys: { id: string; name: string }[] };
  const first = keys.find(({ name }) => name === "First");
  expect(JSON.stringify(keys)).not.toContain(secret.slice(-43));
  await tenantry("revoke", first?.id ?? "");
  expect(await eventually(async () => (await postAs(api, secret, "{ me { id } }")).status === 401, 1_000)).toBe(true);
  expect(await tenantry("list")).toContain("revoked");
  const reader = (await tenantry("create", "--operator", "--read-only", "--name", "Reader")).trim();
  expect(await codeOf(reader, "mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }", user)).toBe(
    "FORBIDDEN",
  );
  expect(await tenantry("list")).toContain("operator, read-only");
  // An operator's key is asked for by name, not by leaving something out.
  await expect(tenantry("create", "--name", "Which")).rejects.toMatchObject({
    stderr: expect.stringContaining("--operator"),
  });
});
