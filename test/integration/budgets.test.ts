/** What callers and organizations may have done in a time and at once: each exceeded, and others not the worse for it. */
import pg from "pg";
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
import { createApiKey, postAs } from "../support/signed-in.ts";
import { firstErrorOver, socketClient, TRANSPORTS } from "../support/transports.ts";

/** A bucket of which one operation takes all for a long time. */
const ONCE = 0.001;

let app: TestApp;
let shared: { databaseUrl: string; secretKey: string; role: "api" };

beforeAll(async () => {
  app = await startApp();
  shared = { databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" };
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

async function startWith(limits: object, signIn?: { mode: "bearer" }): Promise<TestApp & AsyncDisposable> {
  const started = await startApp({ ...shared, ...(signIn === undefined ? {} : { signIn }), api: { limits } });
  return { ...started, [Symbol.asyncDispose]: started.stop };
}

async function keyOf(organizationId: string): Promise<string> {
  return (await createApiKey(app, { organizationId, role: "MEMBER" })).secret;
}

test.each(TRANSPORTS)("a user who spends too much is told when to come back, over %s", async (transport) => {
  await using limited = await startWith({ actorPointsPerSecond: ONCE });
  const [noisy, quiet] = [await createUser(app), await createUser(app)];
  const ask = (as: string) =>
    firstErrorOver(transport, limited, { query: "{ me { id } }", headers: { "x-user-id": as } });
  expect(await ask(noisy)).toBeUndefined();
  expect(await ask(noisy)).toMatchObject({ code: "LIMIT_EXCEEDED", retryAfterSeconds: expect.any(Number) });
  expect(await ask(quiet)).toBeUndefined();
});

test("over HTTP the status is 429, with the seconds to wait", async () => {
  await using limited = await startWith({ actorPointsPerSecond: ONCE }, { mode: "bearer" });
  const key = await keyOf(await createOrganization(app));
  expect((await postAs(limited, key, "{ me { id } }")).status).toBe(200);
  const { status, headers, errors } = await postAs(limited, key, "{ me { id } }");
  expect(status).toBe(429);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  expect(errors?.[0]?.extensions).toEqual({
    code: "LIMIT_EXCEEDED",
    retryAfterSeconds: Number(headers.get("retry-after")),
    requestId: headers.get("x-request-id"),
  });
});

test("an organization's keys spend together, and the operator spends nothing", async () => {
  await using limited = await startWith({ organizationPointsPerSecond: ONCE }, { mode: "bearer" });
  const [noisy, quiet] = [await createOrganization(app), await createOrganization(app)];
  const { secret: operator } = await createApiKey(app);
  const status = async (key: string) => (await postAs(limited, key, "{ regions { key } }")).status;
  expect([await status(await keyOf(noisy)), await status(await keyOf(noisy))]).toEqual([200, 429]);
  expect(await status(await keyOf(quiet))).toBe(200);
  expect([await status(operator), await status(operator)]).toEqual([200, 200]);
});

test("what users do in a region is their organization's to pay", async () => {
  const [ada, bob, eve] = [await createUser(app), await createUser(app), await createUser(app)];
  const resourceOf = async (name: string, members: string[]) => {
    const organizationId = await createOrganization(app, name);
    for (const member of members) await addMember(app, organizationId, member);
    await grant(app, organizationId, "eu");
    return createResource(app, { name, organizationId });
  };
  const [noisy, quiet] = [await resourceOf("Noisy", [ada, bob]), await resourceOf("Quiet", [eve])];
  await using limited = await startWith({ organizationPointsPerSecond: ONCE });
  const read = "query ($id: ID!) { resource(id: $id) { name } }";
  expect(await limited.ask(read, { id: noisy }, ada)).toEqual({ resource: { name: "Noisy" } });
  expect((await limited.refuse(read, { id: noisy }, bob)).code).toBe("LIMIT_EXCEEDED");
  expect(await limited.ask(read, { id: quiet }, eve)).toEqual({ resource: { name: "Quiet" } });
  // At home there is nothing to pay.
  expect(await limited.ask("{ me { id } }", {}, bob)).toEqual({ me: { id: bob } });
});

test("so many operations of an organization run at once; more wait, too many are refused, and others run", async () => {
  await using limited = await startWith({ organizationConcurrency: 2, actorConcurrency: 0 }, { mode: "bearer" });
  const noisy = await createOrganization(app);
  const keys = [await keyOf(noisy), await keyOf(noisy)];
  const quiet = await keyOf(await createOrganization(app));
  const list = "{ resources { edges { node { id } } } }";
  const running = async () =>
    (
      await sql(
        app.databaseUrl,
        "select from pg_stat_activity where datname = current_database() and query like '/* tenantry: resources.list */%' and wait_event_type = 'Lock'",
      )
    ).length;
  const lock = new pg.Client({ connectionString: app.databaseUrl });
  await lock.connect();
  await lock.query("begin; lock table catalog.resources in access exclusive mode");
  // Twenty have room to wait.
  const asked = Array.from({ length: 23 }, (_, n) => postAs(limited, keys[n % 2], list));
  const refused = await Promise.race(asked);
  expect(refused.status).toBe(429);
  expect(refused.errors?.[0]?.extensions.code).toBe("LIMIT_EXCEEDED");
  await eventually(async () => (await running()) === 2);
  expect((await postAs(limited, quiet, "{ regions { key } }")).data).toEqual({ regions: [{ key: "eu" }] });
  expect(await running()).toBe(2);
  await lock.end();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(22);
  // Nothing is left behind: as many fit as before.
  const again = await Promise.all(Array.from({ length: 20 }, () => postAs(limited, keys[0], list)));
  expect(new Set(again.map(({ status }) => status))).toEqual(new Set([200]));
});

test("one operation's statements take so many connections at once, and leave the others to others", async () => {
  await using limited = await startWith({ statementConcurrency: 2 });
  const [noisy, quiet] = [await createUser(app), await createUser(app)];
  const resource = await createResource(app, { name: "Waited for" });
  const fields = Array.from({ length: 20 }, (_, n) => `r${n}: resources(first: ${n}) { edges { node { id } } }`);
  const running = async () =>
    (
      await sql(
        app.databaseUrl,
        "select from pg_stat_activity where datname = current_database() and query like '/* tenantry: resources.list */%' and wait_event_type = 'Lock'",
      )
    ).length;
  const lock = new pg.Client({ connectionString: app.databaseUrl });
  await lock.connect();
  await lock.query("begin; lock table catalog.resources in access exclusive mode");
  const asked = limited.ask(`{ ${fields.join(" ")} }`, {}, noisy);
  await eventually(async () => (await running()) === 2);
  expect(await limited.ask("{ me { id } }", {}, quiet)).toEqual({ me: { id: quiet } });
  expect(await running()).toBe(2);
  await lock.end();
  expect(Object.keys(await asked)).toHaveLength(20);
  expect(
    (await limited.ask("query ($id: ID!) { resource(id: $id) { id } }", { id: resource }, noisy)).resource.id,
  ).toBe(resource);
});

test("a user has so many subscriptions at once, and one that ends makes room", async () => {
  await using limited = await startWith({ maxSubscriptions: 2 });
  const [user, other] = [await createUser(app), await createUser(app)];
  const organizationId = await createOrganization(app);
  for (const member of [user, other]) await addMember(app, organizationId, member);
  const { id } = await grant(app, organizationId, "eu");
  // Says at once what there is, so that it is known to have begun.
  const query = `subscription { placementChanged(id: "${id}") { state } }`;
  const ask = (as: string) => firstErrorOver("a web socket", limited, { query, headers: { "x-user-id": as } });
  const sockets = [user, user].map((as) => socketClient(limited.url, { "x-user-id": as }));
  for (const socket of sockets)
    expect((await socket.iterate({ query }).next()).value).toEqual({ data: { placementChanged: { state: "ACTIVE" } } });
  expect((await ask(user))?.code).toBe("LIMIT_EXCEEDED");
  expect(await ask(other)).toBeUndefined();
  await sockets[0]?.dispose();
  expect(await eventually(async () => (await ask(user)) === undefined)).toBe(true);
  await sockets[1]?.dispose();
});

test("an address that fails to sign in too often is refused, but for who has signed in from there", async () => {
  await using limited = await startWith({ signInFailuresPerMinute: 3 }, { mode: "bearer" });
  const key = await keyOf(await createOrganization(app));
  const late = await keyOf(await createOrganization(app));
  const status = async (token?: string) => (await postAs(limited, token, "{ __typename }")).status;
  expect(await status(key)).toBe(200);
  expect([await status(), await status("garbage"), await status(`tnk_${"0".repeat(32)}_${"A".repeat(43)}`)]).toEqual([
    401, 401, 401,
  ]);
  const refused = await postAs(limited, undefined, "{ __typename }");
  expect([refused.status, refused.errors?.[0]?.extensions.code]).toEqual([429, "LIMIT_EXCEEDED"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await firstErrorOver("a web socket", limited, { query: "{ __typename }" }))?.code).toBe("LIMIT_EXCEEDED");
  expect((await fetch(`${limited.url}/metrics`)).status).toBe(429);
  expect([await status(key), await status(late)]).toEqual([200, 429]);
});
