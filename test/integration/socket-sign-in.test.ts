/** Web sockets of callers that do not sign in, or whose sign-in has ended. */
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { createUser, eventually } from "../support/journey.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

const MOST = 3;
let app: TestApp;
let key: string;

beforeAll(async () => {
  app = await startApp({ signIn: { mode: "bearer" }, api: { limits: { maxSocketsSigningIn: MOST } } });
  ({ secret: key } = await createApiKey(app));
});
afterAll(() => app.stop());

/** Opens a socket; `initialize` sends the first message, and `ended` is the code that it was closed with. */
async function open({ url }: Pick<TestApp, "url">, headers: Record<string, string> = {}) {
  // Not of the package `ws`: what its sockets send is taken for what the program says.
  const socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, {
    protocols: "graphql-transport-ws",
    headers,
  } as unknown as string);
  const messages: string[] = [];
  socket.addEventListener("message", ({ data }) => messages.push(String(data)));
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  socket.addEventListener("close", ({ code }) => end(code));
  const initialize = (payload: object = {}) => socket.send(JSON.stringify({ type: "connection_init", payload }));
  const isSignedIn = () => eventually(async () => messages.some((text) => text.includes("connection_ack")));
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("the socket was not opened")));
  });
  return { socket, messages, ended, initialize, isSignedIn };
}

/** The status with which opening a socket is answered. */
function statusOf({ url }: Pick<TestApp, "url">): Promise<number | undefined> {
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
    "sec-websocket-protocol": "graphql-transport-ws",
  };
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/graphql`, { headers });
    asked.once("error", reject);
    asked.once("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    asked.end();
  });
}

describe("a web socket", () => {
  test.each([
    ["no token", {}, 4401],
    ["a user's id", { "x-user-id": "0198c1e0-0000-7000-8000-000000000000" }, 4401],
    ["a bad token", { authorization: "Bearer garbage" }, 4403],
    ["a key that there is not", { authorization: `Bearer tnk_${"0".repeat(32)}_${"A".repeat(43)}` }, 4403],
  ])("with %s is closed", async (_, payload, code) => {
    const { ended, initialize, messages } = await open(app);
    initialize(payload);
    expect(await ended).toBe(code);
    expect(messages).toEqual([]);
  });

  test("that says nothing is closed", async () => {
    const { ended } = await open(app);
    expect(await ended).toBe(4408);
  });

  test("signs in with its first message, or with the header that it was opened with", async () => {
    const byMessage = await open(app);
    byMessage.initialize({ authorization: `Bearer ${key}` });
    const byHeader = await open(app, { authorization: `Bearer ${key}` });
    byHeader.initialize();
    expect([await byMessage.isSignedIn(), await byHeader.isSignedIn()]).toEqual([true, true]);
    for (const { socket, ended } of [byMessage, byHeader]) {
      expect(socket.readyState).toBe(WebSocket.OPEN);
      socket.close();
      await ended;
    }
  });

  test("on which nothing is followed is closed when its key is revoked", async () => {
    const { key: other, secret } = await createApiKey(app);
    const { ended, initialize, isSignedIn } = await open(app);
    initialize({ authorization: `Bearer ${secret}` });
    expect(await isSignedIn()).toBe(true);
    await postAs(app, key, "mutation ($id: ID!) { revokeApiKey(id: $id) { id } }", { id: other.id });
    expect(await ended).toBe(4403);
  });

  test("on which nothing is followed is closed when its key expires", async () => {
    const { key: other, secret } = await createApiKey(app);
    await sql(app.databaseUrl, "update tenantry.api_keys set expires_at = now() + interval '1 s' where id = $1", [
      other.id,
    ]);
    const { ended, initialize, isSignedIn } = await open(app);
    initialize({ authorization: `Bearer ${secret}` });
    expect(await isSignedIn()).toBe(true);
    expect(await ended).toBe(4403);
  });

  test("is refused where its address has too many that have not signed in, and taken when they have or are gone", async () => {
    const sockets = await Promise.all(Array.from({ length: MOST }, () => open(app)));
    expect(await statusOf(app)).toBe(429);
    const [signedIn, ...others] = sockets;
    signedIn?.initialize({ authorization: `Bearer ${key}` });
    expect(await signedIn?.isSignedIn()).toBe(true);
    const next = await open(app);
    expect(await statusOf(app)).toBe(429);
    for (const { socket } of [...others, next]) socket.close();
    await Promise.all([...others, next].map(({ ended }) => ended));
    expect(await eventually(async () => (await statusOf(app)) === 101)).toBe(true);
    signedIn?.socket.close();
  });

  test("is asked nothing in development", async () => {
    const development = await startApp({ api: { limits: { maxSocketsSigningIn: 1 } } });
    try {
      const [first, second] = [await open(development), await open(development)];
      second.initialize({ "x-user-id": await createUser(development) });
      first.initialize();
      expect([await first.isSignedIn(), await second.isSignedIn()]).toEqual([true, true]);
      for (const { socket } of [first, second]) socket.close();
    } finally {
      await development.stop();
    }
  });
});
