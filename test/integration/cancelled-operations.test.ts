/**
 * Operations that are over before their SQL is done: too slow, or nobody waits any more. The SQL is held up by a lock that
 * the test takes, so that it would go on for ever if it were not cancelled.
 */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inCall } from "../../src/base/kernel/call.ts";
import { createApiKey } from "../support/signed-in.ts";
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
import { firstErrorOver, socketClient, TRANSPORTS } from "../support/transports.ts";

const RESOURCES = "{ resources { edges { node { id } } } }";

/** Operations have half a second. */
let hurried: TestApp;
/** The same home; operations have ten minutes, and end when nobody waits for them. */
let patient: TestApp;
let organization: string;
let resource: string;
let region: string;

beforeAll(async () => {
  patient = await startApp({ api: { limits: { timeoutMs: 600_000 } } });
  const { databaseUrl, secretKey } = patient;
  hurried = await startApp({ databaseUrl, secretKey, role: "api", api: { limits: { timeoutMs: 500 } } });
  await registerRegion(patient, "eu", serverUrl("eu"));
  organization = await createOrganization(patient);
  const { database } = await grant(patient, organization, "eu");
  region = `${serverUrl("eu")}/${database}`;
  resource = await createResource(patient, { name: "Plans", organizationId: organization });
});
afterAll(async () => {
  await hurried.stop();
  await patient.stop();
});

/** Holds a lock until it is disposed of. */
async function hold(url: string, statement: string): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("begin");
  await client.query(statement);
  return { [Symbol.asyncDispose]: () => client.end() };
}

/** How many statements of this name run now. */
async function running(url: string, name: string): Promise<number> {
  const [row] = await sql<{ count: number }>(
    url,
    `select count(*)::int from pg_stat_activity
     where datname = current_database() and state = 'active' and query like $1`,
    [`/* tenantry: ${name} */%`],
  );
  return row?.count ?? 0;
}

const untilRunning = (url: string, name: string, count = 1) =>
  eventually(async () => (await running(url, name)) === count);
const untilEnded = (url: string, name: string) => eventually(async () => (await running(url, name)) === 0);

/** Asks, and hangs up once the statement runs. */
async function hangUpOn(at: TestApp, url: string, name: string, query: string, variables: object = {}): Promise<void> {
  const stop = new AbortController();
  const answer = fetch(`${at.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
    signal: stop.signal,
  });
  const ended = answer.then(
    () => "answered",
    () => "hung up",
  );
  await untilRunning(url, name);
  stop.abort();
  expect(await ended).toBe("hung up");
}

describe("finding out who calls", () => {
  test.each([
    [
      "an API key",
      "api_keys.sign_in",
      "tenantry.api_keys",
      async () => `Bearer ${(await createApiKey(patient)).secret}`,
    ],
    ["a user", "users.exists", "tenantry.users", () => createUser(patient)],
  ] as const)("by %s ends on the server too, while what held it up stays", async (who, name, table, make) => {
    const shown = await make();
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, `lock table ${table} in access exclusive mode`));
    const answer = fetch(`${hurried.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", [who === "a user" ? "x-user-id" : "authorization"]: shown },
      body: JSON.stringify({ query: RESOURCES }),
    });
    await untilRunning(patient.databaseUrl, name);
    expect((await answer).status).toBe(503);
    expect(await untilEnded(patient.databaseUrl, name)).toBe(true);
  });

  test("by an API key waits for nobody who has its row", async () => {
    const { key, secret } = await createApiKey(patient);
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, `update tenantry.api_keys set name = 'Held' where id = '${key.id}'`));
    const response = await fetch(`${hurried.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${secret}` },
      body: JSON.stringify({ query: RESOURCES }),
    });
    expect(response.status).toBe(200);
  });
});

test("roles that several callers wait for are found although the first of them has gone", async () => {
  const user = await createUser(patient);
  await addMember(patient, organization, user);
  const { roleCache } = patient.services;
  roleCache.forget();
  const actor = { kind: "user", userId: user } as const;
  const gone = new AbortController();
  const lock = await hold(patient.databaseUrl, "lock table tenantry.memberships in access exclusive mode");
  const first = inCall({ signal: gone.signal }, () => roleCache.rolesOf([organization], actor));
  const second = roleCache.rolesOf([organization], actor);
  gone.abort(new Error("the caller has gone"));
  await lock[Symbol.asyncDispose]();
  expect((await second).get(organization)).toBe("MEMBER");
  await first.catch(() => undefined);
});

describe("an operation that takes too long", () => {
  test.each(TRANSPORTS)("over %s is told so, and its SQL ends while what held it up stays", async (transport) => {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
    const answer = firstErrorOver(transport, hurried, { query: RESOURCES });
    await untilRunning(patient.databaseUrl, "resources.list");
    expect(await answer).toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("500 ms") });
    await untilEnded(patient.databaseUrl, "resources.list");
  });

  test("has a status that says so, and one in time has not", async () => {
    const post = () =>
      fetch(`${hurried.url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: RESOURCES }),
      });
    {
      await using locks = new AsyncDisposableStack();
      locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
      expect((await post()).status).toBe(503);
    }
    expect((await post()).status).toBe(200);
  });

  test("and has written something by then has no status that has it sent again", async () => {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, "lock table tenantry.memberships in access exclusive mode"));
    const query = 'mutation { createOrganization(input: { name: "Late" }) { members(first: 1) { edges { cursor } } } }';
    const response = await fetch(`${hurried.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query }),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      errors: [
        { message: expect.stringContaining("what it had committed stays"), extensions: { code: "LIMIT_EXCEEDED" } },
      ],
    });
  });

  test("ends its SQL in the region too", async () => {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(region, "lock table app.comments in access exclusive mode"));
    const query = `{ resource(id: "${resource}") { comments { edges { node { id } } } } }`;
    const answer = hurried.refuse(query);
    await untilRunning(region, "comments.list");
    expect((await answer).code).toBe("LIMIT_EXCEEDED");
    await untilEnded(region, "comments.list");
  });

  test("rolls back the transaction that it was in", async () => {
    const name = `Half ${randomBytes(4).toString("hex")}`;
    const user = await createUser(patient);
    const create = "mutation ($name: String!) { createOrganization(input: { name: $name }) { id } }";
    {
      // Its first statement passes, and the second waits.
      await using locks = new AsyncDisposableStack();
      locks.use(await hold(patient.databaseUrl, "lock table tenantry.memberships in share mode"));
      expect((await hurried.refuse(create, { name }, user)).code).toBe("LIMIT_EXCEEDED");
      const open =
        "select from pg_stat_activity where datname = current_database() and state ~ 'in transaction|active'";
      await eventually(
        async () => (await sql(patient.databaseUrl, `${open} and query like '/* tenantry: org%'`)).length === 0,
      );
      await eventually(
        async () => (await sql(patient.databaseUrl, `${open} and query like '/* tenantry: mem%'`)).length === 0,
      );
    }
    expect(await sql(patient.databaseUrl, "select from tenantry.organizations where name = $1", [name])).toEqual([]);
    await hurried.ask(create, { name }, user);
    expect(await sql(patient.databaseUrl, "select from tenantry.organizations where name = $1", [name])).toHaveLength(
      1,
    );
  });
});

describe("a caller that hangs up", () => {
  test("over HTTP ends the SQL", async () => {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
    await hangUpOn(patient, patient.databaseUrl, "resources.list", RESOURCES);
    await untilEnded(patient.databaseUrl, "resources.list");
  });

  test("over a web socket ends the SQL", async () => {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
    const client = socketClient(patient.url);
    const next = client
      .iterate({ query: RESOURCES })
      .next()
      .catch(() => undefined);
    await untilRunning(patient.databaseUrl, "resources.list");
    client.terminate();
    await next;
    await untilEnded(patient.databaseUrl, "resources.list");
    await client.dispose();
  });

  test("does not stop what a worker does for it", async () => {
    const other = await createOrganization(patient, "Granted");
    const query = "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }";
    const stop = new AbortController();
    const answer = fetch(`${patient.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, variables: { input: { organizationId: other, regionKey: "eu" } } }),
      signal: stop.signal,
    }).catch(() => undefined);
    const state = async () =>
      (
        await sql<{ state: string }>(
          patient.databaseUrl,
          "select state from tenantry.placements where organization_id = $1",
          [other],
        )
      )[0]?.state;
    await eventually(async () => (await state()) !== undefined);
    stop.abort();
    await answer;
    expect(await eventually(async () => (await state()) === "ACTIVE")).toBe(true);
  });
});

test("no statement of somebody else is cancelled, on connections that are used again at once", async () => {
  const user = await createUser(patient);
  await addMember(patient, organization, user);
  const query = "{ regions { key } users { edges { node { id } } } }";
  let over = false;
  let answered = 0;
  const others = Array.from({ length: 8 }, async () => {
    while (!over) {
      await patient.ask(query);
      answered += 1;
    }
  });
  await using locks = new AsyncDisposableStack();
  locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
  for (let round = 0; round < 8; round += 1)
    await hangUpOn(patient, patient.databaseUrl, "resources.list", RESOURCES).then(() =>
      untilEnded(patient.databaseUrl, "resources.list"),
    );
  over = true;
  // Each throws on any error.
  await Promise.all(others);
  expect(answered).toBeGreaterThan(8);
});

test("as many cancelled operations as there are connections leave connections to work with", async () => {
  {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
    const refused = await Promise.all(Array.from({ length: 40 }, () => hurried.refuse(RESOURCES)));
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(["LIMIT_EXCEEDED"]));
    await untilEnded(patient.databaseUrl, "resources.list");
    // Others work meanwhile.
    expect((await hurried.ask("{ regions { key } }")).regions).toEqual([{ key: "eu" }]);
  }
  expect((await hurried.ask(RESOURCES)).resources.edges).not.toEqual([]);
});

test("what is followed goes on beyond the time that an operation has", async () => {
  const author = await createUser(patient);
  await addMember(patient, organization, author);
  const client = socketClient(hurried.url);
  const events = client.iterate({ query: `subscription { commentAdded(resourceId: "${resource}") { body } }` });
  let heard = false;
  const first = events.next().finally(() => {
    heard = true;
  });
  // An operation that takes as long as it may, meanwhile: then the time is over for certain.
  {
    await using locks = new AsyncDisposableStack();
    locks.use(await hold(patient.databaseUrl, "lock table catalog.resources in access exclusive mode"));
    await hurried.refuse(RESOURCES);
    await hurried.refuse(RESOURCES);
  }
  const create = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";
  const input = { resourceId: resource, authorId: author, body: "Late" };
  await eventually(async () => heard || (await patient.ask(create, { input }), heard));
  expect((await first).value).toMatchObject({ data: { commentAdded: { body: "Late" } } });
  await client.dispose();
});
