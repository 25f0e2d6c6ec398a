/**
 * What somebody follows ends when home no longer knows what they signed in with: also when that happens while the following
 * begins, and when nobody hears home's word of it.
 */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { orLate } from "../../src/base/kernel/wait.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { AUDIENCE, type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { eventually } from "../support/journey.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

const person = (name: string) => ({ email: `${name}@example.com`, email_verified: true, name });
const PEOPLE = { linked: person("linked"), erased: person("erased"), followed: person("followed") };
/** Longer than anything here takes, and shorter than a test may: what does not end fails in words. */
const SILENT_MS = 20_000;

let provider: IdentityProvider;
let app: TestApp;
let operatorKey: string;
let resource: string;

beforeAll(async () => {
  provider = await startIdentityProvider(PEOPLE);
  const oidc = { issuer: provider.issuer, audience: AUDIENCE };
  app = await startApp({ signIn: { mode: "bearer", oidc, createUsers: true } });
  ({ secret: operatorKey } = await createApiKey(app));
  const create = 'mutation { createResource(input: { name: "Followed" }) { id } }';
  resource = (await postAs(app, operatorKey, create)).data.createResource.id;
});
afterAll(async () => {
  await app.stop();
  await provider.close();
});

/** Follows the resource; `text` is all that came, when it has ended. */
async function follow(token: string): Promise<{ text: Promise<string> }> {
  const stream = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: `subscription { commentAdded(resourceId: "${resource}") { body } }` }),
  });
  const text = orLate(stream.text(), SILENT_MS, () => new Error("the stream goes on"));
  // Also where another expectation has failed before.
  text.catch(() => undefined);
  return { text };
}

const revoke = (id: string) => postAs(app, operatorKey, "mutation ($id: ID!) { revokeApiKey(id: $id) { id } }", { id });
const userOf = async (token: string) => (await postAs(app, token, "{ me { id } }")).data.me.id as string;

/** Sessions of this home that wait for a lock. */
async function waiting(): Promise<number> {
  const text =
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '/* tenantry:%'";
  return (await sql(app.databaseUrl, text)).length;
}

/** Keeps whoever begins to follow the resource waiting while `happen` runs. */
async function whileItBegins(token: string, happen: () => Promise<unknown>): Promise<string> {
  const lock = new pg.Client({ connectionString: app.databaseUrl });
  await lock.connect();
  try {
    await lock.query("begin; lock table app.resources in access exclusive mode");
    const following = follow(token);
    expect(await eventually(async () => (await waiting()) > 0)).toBe(true);
    await happen();
    // Whatever was announced has been heard: what was announced before it is not heard after it.
    await app.services.listener.on("test_heard", () => undefined);
    await lock.query("rollback");
    return await (await following).text;
  } finally {
    await lock.end();
  }
}

describe("a subscription ends", () => {
  const ended = expect.stringMatching(/"code":"UNAUTHENTICATED"[\s\S]*event: complete/);

  test("when its key is revoked while it begins", async () => {
    const { key, secret } = await createApiKey(app);
    expect(await whileItBegins(secret, () => revoke(key.id))).toEqual(ended);
  });

  test("when its key expires while it begins", async () => {
    const { key, secret } = await createApiKey(app);
    const soon = "update tenantry.api_keys set expires_at = now() + interval '2 seconds' where id = $1";
    const isOver = "select from tenantry.api_keys where id = $1 and expires_at < now()";
    await sql(app.databaseUrl, soon, [key.id]);
    expect(
      await whileItBegins(secret, () =>
        eventually(async () => (await sql(app.databaseUrl, isOver, [key.id])).length > 0),
      ),
    ).toEqual(ended);
  });

  test("when its token's subject becomes another person while it begins", async () => {
    const token = await provider.grant("linked");
    await userOf(token);
    const userId = await userOf(await provider.grant("followed"));
    const link = "mutation ($input: LinkIdentityInput!) { linkIdentity(input: $input) { id } }";
    const input = { userId, issuer: provider.issuer, subject: "linked" };
    expect(await whileItBegins(token, () => postAs(app, operatorKey, link, { input }))).toEqual(ended);
  });

  test("when the person is erased", async () => {
    const token = await provider.grant("erased");
    const userId = await userOf(token);
    const { text } = await follow(token);
    const erase = "mutation ($id: ID!) { eraseUser(id: $id) { complete } }";
    expect((await postAs(app, operatorKey, erase, { id: userId })).errors).toBeUndefined();
    expect(await text).toEqual(ended);
  });

  test("when its key was revoked and nobody heard it, as soon as the listening connection is back", async () => {
    const { key, secret } = await createApiKey(app);
    const { text } = await follow(secret);
    const owner = new pg.Client({ connectionString: app.databaseUrl });
    await owner.connect();
    // Without triggers nothing is announced.
    await owner.query("set session_replication_role = replica");
    await owner.query("update tenantry.api_keys set revoked_at = now() where id = $1", [key.id]);
    await owner.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ~ '^/. tenantry: listen' and pid <> pg_backend_pid()",
    );
    await owner.end();
    expect(await text).toEqual(ended);
  });
});

test("a web socket is closed when its key is revoked while it signs in", async () => {
  const { key, secret } = await createApiKey(app);
  const holder = new pg.Client({ connectionString: app.databaseUrl });
  await holder.connect();
  // That a key was used is written after it was found good.
  await holder.query(`create function tenantry.hold() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock_shared(17); return null; end $$;
    create trigger hold before update of last_used_at on tenantry.api_keys
      for each statement execute function tenantry.hold();
    select pg_advisory_lock(17)`);
  const socket = new WebSocket(`${app.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  try {
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
    const payload = { authorization: `Bearer ${secret}` };
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "connection_init", payload })));
    expect(await eventually(async () => (await waiting()) > 0)).toBe(true);
    await revoke(key.id);
    await holder.query("select pg_advisory_unlock(17)");
    expect(await orLate(closed, SILENT_MS, () => new Error("the socket stays open"))).toBe(4403);
  } finally {
    socket.close();
    await holder.query("drop trigger hold on tenantry.api_keys; drop function tenantry.hold()");
    await holder.end();
  }
});
