/** Home away: callers hear so at once, by a code of its own, and the first call after it is back is answered. */
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import type { Tenantry } from "../../src/library/index.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { createOrganization, createUser, eventually, registerRegion } from "../support/journey.ts";
import { grantActive, INVOICES, openLibrary } from "../support/library.ts";
import { createApiKey } from "../support/signed-in.ts";
import { firstErrorOver, TRANSPORTS } from "../support/transports.ts";

const TIMEOUT_MS = 2_000;

const ANY_ID = expect.any(String) as string;
let forwarder: Forwarder;
let app: TestApp;
let user: string;
let key: string;

beforeAll(async () => {
  forwarder = await startForwarder(serverUrl("home"));
  app = await startApp({
    homeServer: viaPort(serverUrl("home"), forwarder.port),
    tenantSchema: INVOICES,
    databasePoolUrl: undefined,
    api: { limits: { timeoutMs: TIMEOUT_MS } },
  });
  user = await createUser(app);
  key = (await createApiKey(app)).secret;
});
afterAll(async () => {
  await app.stop();
  await forwarder[Symbol.asyncDispose]();
});

const ME = "{ organizations(first: 1) { edges { node { id } } } }";
const CREATE = 'mutation { createOrganization(input: { name: "During" }) { id } }';

async function post(query: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; extensions: any }[];
  };
  return { status: response.status, retryAfter: response.headers.get("retry-after"), data, error: errors?.[0] };
}

/** Everybody who can call. The last goes the long way, with another media type. */
const callers: [who: string, call: (query: string) => ReturnType<typeof post>][] = [
  ["the operator", (query) => post(query)],
  ["a user", (query) => post(query, { "x-user-id": user })],
  ["a key", (query) => post(query, { authorization: `Bearer ${key}` })],
  [
    "a user who asks in another way",
    (query) => post(query, { "x-user-id": user, accept: "application/json; charset=utf-8" }),
  ],
];

const isBack = () => eventually(() => app.ask(ME).catch(() => undefined), 20_000);

async function shut(): Promise<void> {
  onTestFinished(async () => {
    await forwarder.open();
    expect(await isBack()).toBeTruthy();
  });
  await forwarder.shut();
  // From the first failure on nobody tries any more.
  await post(ME);
}

describe("that cannot be connected to", () => {
  test.each(callers)("is HOME_UNAVAILABLE with 503 for %s", async (_, call) => {
    await shut();
    for (const query of [ME, CREATE]) {
      const { status, retryAfter, error } = await call(query);
      expect(error?.extensions).toEqual({ code: "HOME_UNAVAILABLE", retryAfterSeconds: 1, requestId: ANY_ID });
      expect(error?.message).toContain("Home cannot be reached now. Try again later.");
      expect([status, retryAfter]).toEqual([503, "1"]);
    }
  });

  test("keeps a mutation from being done, which is said", async () => {
    await shut();
    expect((await post(CREATE)).error?.message).toMatch(/The audit log cannot be written, so nothing was done\.$/);
  });

  test("once a mutation is done has callers look before they do it again", async () => {
    onTestFinished(async () => {
      disarm();
      await forwarder.open();
      expect(await isBack()).toBeTruthy();
    });
    const disarm = armFailpoint("audit/done", () => forwarder.shut());
    const { status, retryAfter, error } = await post(
      'mutation { createOrganization(input: { name: "Done" }) { id members(first: 1) { edges { cursor } } } }',
    );
    expect(error?.extensions).toEqual({ code: "HOME_UNAVAILABLE", requestId: expect.any(String) });
    expect(error?.message).toMatch(/^Home .*may have happened: look whether it has, before you do it again\.$/);
    expect([status, retryAfter]).toEqual([200, null]);
  });

  test.each(TRANSPORTS)("is the same code over %s", async (transport) => {
    await shut();
    const error = await firstErrorOver(transport, app, { query: ME, headers: { "x-user-id": user } });
    expect(error?.code).toBe("HOME_UNAVAILABLE");
  });

  test("is said by the health check", async () => {
    await shut();
    const ready = await fetch(`${app.url}/health/ready`);
    expect([ready.status, ready.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await ready.json()).toEqual({
      status: "not ready",
      code: "HOME_UNAVAILABLE",
      message: "Home cannot be reached now.",
    });
  });

  test("costs no connections, however many call", async () => {
    await shut();
    for (let round = 0; round < 100; round += 1)
      expect((await post(ME)).error?.extensions.code).toBe("HOME_UNAVAILABLE");
  });

  test("is said to a team's program too", async () => {
    await using tenantry = await disposable(openLibrary(app));
    const home = await tenantry.tenant({});
    await shut();
    for (const work of [
      () => home.query("select 1"),
      () => tenantry.organizations.list(),
      () => tenantry.organizations.create({ name: "During" }),
      () => tenantry.tenant({ organizationId: "0198d2a0-0000-7000-8000-000000000001" }),
    ])
      await expect(work()).rejects.toMatchObject({ code: "HOME_UNAVAILABLE" });
  });

  test("keeps the library from being opened, by the same code", async () => {
    await shut();
    await expect(openLibrary(app)).rejects.toMatchObject({ code: "HOME_UNAVAILABLE" });
  });
});

describe("as a black hole", () => {
  // What was begun in it must not be taken for a failure of the next one.
  afterEach(async () => {
    for (const [who, call] of callers)
      if (!(await eventually(async () => (await call(ME)).error === undefined, 20_000)))
        throw new Error(`home is not back for ${who}`);
  });

  test.each(callers)("keeps %s no longer than a request may take", async (...[, call]) => {
    using _ = forwarder.swallow();
    // More than home has connections for: those that come later wait for one.
    const answers = await Promise.all(Array.from({ length: 40 }, () => call(ME)));
    for (const { status, error } of answers) {
      expect(error?.extensions.code).toMatch(/^(HOME_UNAVAILABLE|LIMIT_EXCEEDED)$/);
      expect(status).toBe(503);
    }
  });

  test("is noticed under statements that wait, and is HOME_UNAVAILABLE from then on", async () => {
    {
      using _ = forwarder.swallow();
      await post(ME);
      const noticed = await eventually(async () => {
        const { error } = await post(ME);
        return error?.extensions.code === "HOME_UNAVAILABLE";
      }, 30_000);
      expect(noticed).toBe(true);
      // Each would wait for 2 s else.
      for (let round = 0; round < 100; round += 1)
        expect((await post(ME, { "x-user-id": user })).error?.extensions.code).toBe("HOME_UNAVAILABLE");
    }
    expect(await isBack()).toBeTruthy();
    for (const [, call] of callers) expect((await call(ME)).error).toBeUndefined();
  });
});

describe("that refuses", () => {
  const onHome = (text: string) => sql(`${serverUrl("home")}/postgres`, text);
  const disconnect = () =>
    onHome(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '${app.services.apiRole.name}'`,
    );

  async function refusing(on: string, off: string): Promise<void> {
    onTestFinished(async () => {
      await onHome(off);
      await disconnect();
      expect(await isBack()).toBeTruthy();
    });
    await onHome(on);
    await disconnect();
  }

  test("for want of connections is HOME_UNAVAILABLE (53300)", async () => {
    const role = app.services.apiRole.name;
    await refusing(`alter role "${role}" connection limit 0`, `alter role "${role}" connection limit -1`);
    for (const [, call] of callers)
      expect(await call(ME)).toMatchObject({
        status: 503,
        error: { message: "Home has no connection free. Try again later.", extensions: { code: "HOME_UNAVAILABLE" } },
      });
  });

  test("to say whether a mutation was committed has callers look before they do it again (57P01)", async () => {
    onTestFinished(async () => {
      await sql(app.databaseUrl, "drop function public.lose_commit cascade");
    });
    await sql(
      app.databaseUrl,
      `create function public.lose_commit() returns trigger language plpgsql
         as 'begin perform pg_terminate_backend(pg_backend_pid()); return null; end'`,
    );
    await sql(
      app.databaseUrl,
      `create constraint trigger lose_commit after insert on tenantry.organizations
         deferrable initially deferred for each row execute function public.lose_commit()`,
    );
    const { status, retryAfter, error } = await post(CREATE, { "x-user-id": user });
    expect(error?.extensions).toEqual({ code: "HOME_UNAVAILABLE", requestId: ANY_ID });
    expect(error?.message).toMatch(/^Home .*may have happened: look whether it has, before you do it again\.$/);
    // A balancer sends again what was answered with 503.
    expect([status, retryAfter]).toEqual([200, null]);
  });

  test("writes, as it is read only, is read all the same (25006)", async () => {
    const role = app.services.apiRole.name;
    await refusing(
      `alter role "${role}" set default_transaction_read_only = on`,
      `alter role "${role}" reset default_transaction_read_only`,
    );
    expect(await post(CREATE)).toMatchObject({
      status: 503,
      error: {
        message:
          "Home takes no writes now: it is read only. Try again later. The audit log cannot be written, so nothing was done.",
        extensions: { code: "HOME_UNAVAILABLE" },
      },
    });
    expect((await post(ME, { "x-user-id": user })).error).toBeUndefined();
  });

  test("the API's role a right is CAPABILITY_MISSING, for the operator to mend (42501)", async () => {
    const role = app.services.apiRole.name;
    onTestFinished(async () => {
      await sql(app.databaseUrl, `grant usage on schema tenantry to "${role}"`);
    });
    await sql(app.databaseUrl, `revoke usage on schema tenantry from "${role}"`);
    expect((await post(ME)).error).toMatchObject({
      message: "Home does not let Tenantry's role do this. Tell the operator.",
      extensions: { code: "CAPABILITY_MISSING" },
    });
  });
});

describe("a region that refuses", () => {
  test("a team's program is told in the same words, and what its own SQL does wrong by the driver's error", async () => {
    await registerRegion(app, "eu", serverUrl("eu"));
    await using tenantry = await disposable(openLibrary(app));
    const organizationId = await createOrganization(app);
    await grantActive(tenantry, { organizationId, regionKey: "eu" });
    const eu = await tenantry.tenant({ organizationId });
    await eu.query("insert into app.invoices (number) values ('A')");
    const role = app.services.apiRole.name;
    const onServer = (text: string) => sql(`${serverUrl("eu")}/postgres`, text);
    const disconnect = () =>
      onServer(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '${role}'`);
    onTestFinished(async () => {
      await onServer(`alter role "${role}" reset default_transaction_read_only`);
      await disconnect();
    });
    // Its own doing.
    await expect(
      eu.transaction((tx) => tx.query("insert into app.invoices (number) values ('B')"), { readOnly: true }),
    ).rejects.toMatchObject({ code: "25006" });
    await expect(eu.query("select * from pg_authid")).rejects.toMatchObject({ code: "42501" });
    // The server's.
    await onServer(`alter role "${role}" set default_transaction_read_only = on`);
    await disconnect();
    await expect(eu.query("insert into app.invoices (number) values ('C')")).rejects.toMatchObject({
      code: "REGION_UNAVAILABLE",
      message: "The region eu takes no writes now: it is read only. Try again later.",
    });
    expect(await eu.query("select number from app.invoices")).toEqual([{ number: "A" }]);
    await onServer(`alter role "${role}" connection limit 0`);
    onTestFinished(async () => {
      await onServer(`alter role "${role}" connection limit -1`);
    });
    await disconnect();
    await expect(eu.query("select 1")).rejects.toMatchObject({
      code: "REGION_UNAVAILABLE",
      message: "The region eu has no connection free. Try again later.",
    });
  });
});

async function disposable(opening: Promise<Tenantry>): Promise<Tenantry & AsyncDisposable> {
  const tenantry = await opening;
  return Object.assign(tenantry, { [Symbol.asyncDispose]: () => tenantry.close() });
}
