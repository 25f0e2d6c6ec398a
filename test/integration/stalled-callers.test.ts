/**
 * Callers that ask and do not read: an operation's permit comes back when its answer has been sent or the connection has ended,
 * a connection that takes nothing is ended, and what is held for one is bounded.
 */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { comment, createResource, createUser } from "../support/journey.ts";

/** More than the system keeps for a connection that is not read: 80 comments, each so many times. */
const TIMES = 30;
const BODY = "x".repeat(10_000);
const MAX_BYTES = 40_000_000;
const STALLED_MS = 1_000;

/** One that waits for callers, one that soon ends those that take nothing, one with small answers. */
const apps: Record<"patient" | "strict" | "small", TestApp> = {} as never;
const everything: TestApp[] = [];
const resources = new Map<TestApp, string>();
const open: { destroy: () => void }[] = [];

beforeAll(async () => {
  const limits = { actorConcurrency: 1, actorPointsPerSecond: 0, maxAnswerBytes: MAX_BYTES };
  const start = async (api: object) => {
    const app = await startApp({ api });
    everything.push(app);
    await fill(app);
    return app;
  };
  apps.patient = await start({ limits, stalledMs: 600_000 });
  apps.strict = await start({ limits: { ...limits, actorConcurrency: 8 }, stalledMs: STALLED_MS });
  apps.small = await start({
    limits: { ...limits, actorConcurrency: 8, maxAnswerBytes: 1_000_000 },
    stalledMs: 600_000,
  });
}, 60_000);
afterAll(async () => {
  for (const one of open) one.destroy();
  for (const app of everything) await app.stop();
});

async function fill(app: TestApp): Promise<void> {
  const user = await createUser(app);
  const resource = await createResource(app, { name: "Big" }, user);
  resources.set(app, resource);
  await comment(app, resource, user, BODY);
  await sql(
    app.databaseUrl,
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select gen_random_uuid(), database_id, organization_id, resource_id, author_id, body from app.comments, generate_series(1, 79)`,
  );
}

const bodies = Array.from({ length: TIMES }, (_, at) => `b${at}: body`).join(" ");
const big = (app: TestApp) =>
  `{ resource(id: "${resources.get(app)}") { comments(first: 100) { edges { node { ${bodies} } } } } }`;

/** The code of the first error of a small question; undefined: it was answered. */
async function askSmall(app: TestApp, user: string): Promise<string | undefined> {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": user },
    body: JSON.stringify({ query: "{ me { id } }" }),
  });
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  return errors?.[0]?.extensions.code;
}
const becomes = (app: TestApp, user: string, code: string | undefined) =>
  waitFor(async () => ((await askSmall(app, user)) === code ? true : undefined), { timeoutMs: 25_000 });

/** A question whose answer nobody reads yet. */
type Asking = {
  read: () => void;
  /** Sends something that asks for nothing: who only sends takes nothing. */
  stir: () => void;
  hangUp: () => void;
  isClosed: () => boolean;
  bytesRead: () => number;
};

async function overHttp(app: TestApp, user: string, accept: string): Promise<Asking> {
  const { hostname, port } = new URL(app.url);
  const socket = connect({ host: hostname, port: Number(port) });
  open.push(socket);
  let isClosed = false;
  socket.once("close", () => {
    isClosed = true;
  });
  socket.on("error", () => undefined);
  socket.pause();
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  const body = JSON.stringify({ query: big(app) });
  const lines = [
    "POST /graphql HTTP/1.1",
    `host: ${hostname}:${port}`,
    "content-type: application/json",
    `accept: ${accept}`,
    `x-user-id: ${user}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  return {
    read: () => socket.resume(),
    stir: () => socket.write("\r\n"),
    hangUp: () => socket.destroy(),
    isClosed: () => isClosed,
    bytesRead: () => socket.bytesRead,
  };
}

async function openSocket(app: TestApp, user: string): Promise<{ socket: WebSocket; asking: Asking }> {
  const socket = new WebSocket(`${app.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  open.push({ destroy: () => socket.terminate() });
  let isClosed = false;
  let bytesRead = 0;
  socket.once("close", () => {
    isClosed = true;
  });
  socket.on("error", () => undefined);
  socket.on("message", (data: Buffer) => {
    bytesRead += data.length;
  });
  await new Promise<void>((resolve) => socket.once("open", () => resolve()));
  socket.send(JSON.stringify({ type: "connection_init", payload: { "x-user-id": user } }));
  await new Promise<void>((resolve) => socket.once("message", () => resolve()));
  socket.pause();
  return {
    socket,
    asking: {
      read: () => socket.resume(),
      stir: () => socket.ping(),
      hangUp: () => socket.terminate(),
      isClosed: () => isClosed,
      bytesRead: () => bytesRead,
    },
  };
}

async function overSocket(app: TestApp, user: string): Promise<Asking> {
  const { socket, asking } = await openSocket(app, user);
  socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query: big(app) } }));
  return asking;
}

type Ask = (app: TestApp, user: string) => Promise<Asking>;
const TRANSPORTS: [string, Ask][] = [
  ["HTTP, the planned way", (app, user) => overHttp(app, user, "application/json")],
  ["HTTP, the ordinary way", (app, user) => overHttp(app, user, "application/json; charset=utf-8")],
  ["server-sent events", (app, user) => overHttp(app, user, "text/event-stream")],
  ["a web socket", overSocket],
];

describe.concurrent.each(TRANSPORTS)("over %s", (_, ask) => {
  test("an answer keeps its permit until it is read", async () => {
    const app = apps.patient;
    const user = await createUser(app);
    const asking = await ask(app, user);
    expect(await becomes(app, user, "LIMIT_EXCEEDED")).toBe(true);
    asking.read();
    expect(await becomes(app, user, undefined)).toBe(true);
    await waitFor(async () => (asking.bytesRead() > 20_000_000 ? true : undefined), { timeoutMs: 10_000 });
    expect(asking.bytesRead()).toBeGreaterThan(20_000_000);
  }, 60_000);

  test("or until its caller hangs up", async () => {
    const app = apps.patient;
    const user = await createUser(app);
    const asking = await ask(app, user);
    expect(await becomes(app, user, "LIMIT_EXCEEDED")).toBe(true);
    asking.hangUp();
    expect(await becomes(app, user, undefined)).toBe(true);
  }, 60_000);

  test("a connection that takes nothing is ended, whatever it sends", async () => {
    const app = apps.strict;
    const asking = await ask(app, await createUser(app));
    const timer = setInterval(asking.stir, 50);
    const closed = await waitFor(async () => (asking.isClosed() ? true : undefined), { timeoutMs: 20_000 });
    clearInterval(timer);
    expect(closed).toBe(true);
  }, 60_000);
});

test("a slow reader that takes some lives, and gets all", async () => {
  const app = apps.strict;
  const { hostname, port } = new URL(app.url);
  const user = await createUser(app);
  const body = JSON.stringify({ query: big(app) });
  const socket = connect({ host: hostname, port: Number(port) });
  open.push(socket);
  socket.on("error", () => undefined);
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\nx-user-id: ${user}\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  let received = 0;
  let isSlow = true;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (!isSlow) return;
    socket.pause();
    setTimeout(() => socket.resume(), 20);
  });
  const began = performance.now();
  await waitFor(async () => (performance.now() - began > 4 * STALLED_MS ? true : undefined), { timeoutMs: 20_000 });
  expect(socket.destroyed).toBe(false);
  isSlow = false;
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  expect(received).toBeGreaterThan(24_000_000);
}, 60_000);

test("a web socket of which too much waits is ended", async () => {
  const app = apps.small;
  const user = await createUser(app);
  const { socket, asking } = await openSocket(app, user);
  const query = `subscription { commentAdded(resourceId: "${resources.get(app)}") { ${bodies} } }`;
  for (let id = 0; id < 60; id += 1)
    socket.send(JSON.stringify({ id: `${id}`, type: "subscribe", payload: { query } }));
  const closed = await waitFor(
    async () => {
      await comment(app, resources.get(app) ?? "", user, BODY);
      asking.stir();
      return asking.isClosed() ? true : undefined;
    },
    { timeoutMs: 30_000 },
  );
  expect(closed).toBe(true);
}, 60_000);
