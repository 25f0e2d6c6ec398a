/** What `tenantry start` writes to standard output when its log is JSON: nothing else, and what an operator looks for. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { createHome, serverUrl } from "../support/app.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/journey.ts";
import { recordSecret } from "../support/run-record.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const TENANTRY = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
const E_MAIL = `ada.${randomBytes(4).toString("hex")}@example.com`;
const TEXT = `Plans of ${randomBytes(8).toString("hex")}`;

type Answer = { data: any; errors?: { extensions: Record<string, unknown> }[] };
type Line = Record<string, any> & { level: string; time: string; msg: string };

let server: OwnServer;
let child: ChildProcess;
let ended: Promise<unknown>;
let url: string;
const lines: string[] = [];

const read = () => lines.map((line) => JSON.parse(line) as Line);
const about = (requestId: string) => read().filter((line) => line["requestId"] === requestId);
async function linesOf(requestId: string): Promise<Line[]> {
  await eventually(async () => about(requestId).length > 0);
  return about(requestId);
}

async function ask(query: string, variables: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return { id: response.headers.get("x-request-id") ?? "", body: (await response.json()) as Answer };
}

beforeAll(async () => {
  server = await startServer();
  const secretKey = randomBytes(32).toString("base64");
  recordSecret(inject("runFolder"), secretKey);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  child = spawn(process.execPath, [TENANTRY, "start"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: await createHome(serverUrl("home")),
      TENANTRY_SECRET_KEY: secretKey,
      PORT: String(port),
      TENANTRY_GATEWAY_LISTEN: "127.0.0.1:0",
      TENANTRY_LOG_FORMAT: "json-words",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  ended = new Promise((resolve) => child.on("close", resolve));
  if (child.stdout === null) throw new Error("the process has no output");
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  await eventually(async () => lines.some((line) => line.includes("Tenantry is running")), 60_000);
}, 120_000);

afterAll(async () => {
  child.kill("SIGKILL");
  await ended;
  await server[Symbol.asyncDispose]();
});

describe("a request's line", () => {
  test("has its id, which the answer has too, its operation, its caller's kind and its time", async () => {
    const { id } = await ask("query Names { organizations { edges { node { name } } } }");
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const [line] = await linesOf(id);
    expect(line).toMatchObject({
      level: "info",
      msg: "request",
      method: "POST",
      route: "graphql",
      status: 200,
      outcome: "OK",
      operation: "Names",
      kind: "query",
      actor: "operator",
    });
    expect(line?.["ms"]).toBeGreaterThan(0);
    expect(new Date(line?.time ?? "").toISOString()).toBe(line?.time);
  });

  test("has the id that came in, unless that is not well-formed", async () => {
    const traceparent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
    expect((await ask("{ __typename }", {}, { "x-request-id": "from-a-proxy.1" })).id).toBe("from-a-proxy.1");
    expect((await ask("{ __typename }", {}, { traceparent })).id).toBe(traceparent.split("-")[1]);
    for (const id of [E_MAIL, "a b", "x".repeat(129), "{}"])
      expect((await ask("{ __typename }", {}, { "x-request-id": id })).id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("has the code of what went wrong, and the error has the id", async () => {
    for (const [query, code] of [
      ["{ nothing }", "INVALID_INPUT"],
      ["{", "INVALID_INPUT"],
      ['mutation M { createOrganization(input: { name: "" }) { id } }', "INVALID_INPUT"],
    ] as const) {
      const { id, body } = await ask(query);
      expect(body.errors?.[0]?.extensions).toMatchObject({ code, requestId: id });
      const [line] = await linesOf(id);
      expect(line?.["outcome"]).toBe(code);
    }
    const elsewhere = await fetch(`${url}/${E_MAIL}`);
    const id = elsewhere.headers.get("x-request-id") ?? "";
    expect(((await elsewhere.json()) as Answer).errors?.[0]?.extensions).toEqual({ code: "NOT_FOUND", requestId: id });
    const [line] = await linesOf(id);
    expect(line).toMatchObject({ route: "other", status: 404, outcome: "NOT_FOUND" });
  });

  test("is there once for what is followed, when that is over, on a web socket as over HTTP", async () => {
    const { body } = await ask('mutation { createResource(input: { name: "Followed" }) { id } }');
    const variables = { id: body.data.createResource.id as string };
    const ada = await ask('mutation { createUser(input: { name: "Ada", email: "ada@example.com" }) { id } }');
    const author: string = ada.body.data.createUser.id;
    const query = "subscription Watch($id: ID!) { commentAdded(resourceId: $id) { id } }";
    const stop = new AbortController();
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", "x-request-id": "followed-1" },
      body: JSON.stringify({ query, variables }),
      signal: stop.signal,
    });
    expect(response.status).toBe(200);
    expect(about("followed-1")).toEqual([]);
    stop.abort();
    const client = createClient({ url: `${url.replace("http", "ws")}/graphql`, webSocketImpl: WebSocket });
    const extensions = { requestId: "followed-2" };
    const followed = client.iterate({ query, variables, extensions });
    let isFollowing = false;
    void followed.next().then(() => (isFollowing = true));
    await eventually(async () => {
      await ask(
        'mutation ($id: ID!, $author: ID!) { createComment(input: { resourceId: $id, authorId: $author, body: "Seen" }) { id } }',
        { ...variables, author },
      );
      return isFollowing;
    });
    await client.dispose();
    for (const id of ["followed-1", "followed-2"]) {
      const [line, ...more] = await linesOf(id);
      expect(more).toEqual([]);
      expect(line).toMatchObject({ msg: "request", kind: "subscription", operation: "Watch", actor: "operator" });
    }
  });

  test("is not there for health and metrics at the usual level", async () => {
    const ids = await Promise.all(
      ["/health/live", "/health/ready", "/metrics"].map(async (path) => {
        const response = await fetch(`${url}${path}`);
        await response.text();
        return response.headers.get("x-request-id") ?? "";
      }),
    );
    const { id: later } = await ask("{ __typename }");
    await eventually(async () => about(later).length > 0);
    expect(ids.flatMap(about)).toEqual([]);
  });
});

test("a region that goes away and comes back is told of once each, by its key, and so is where a request went", async () => {
  const registered = await ask(
    'mutation ($url: String!) { registerRegion(input: { key: "ap", name: "Asia", connectionUrl: $url }) { key } }',
    { url: server.url() },
  );
  expect(registered.body.errors).toBeUndefined();
  const { body } = await ask('mutation { createOrganization(input: { name: "Away" }) { id } }');
  const organizationId: string = body.data.createOrganization.id;
  const grant = await ask(
    'mutation ($id: ID!) { grantRegionAccess(input: { organizationId: $id, regionKey: "ap" }) { id } }',
    { id: organizationId },
  );
  expect(grant.body.errors).toBeUndefined();
  const create = () =>
    ask(
      'mutation ($id: ID!, $name: String!) { createResource(input: { organizationId: $id, regionKey: "ap", name: $name }) { id } }',
      { id: organizationId, name: TEXT },
    );
  let made = await create();
  await eventually(async () => {
    if (made.body.errors !== undefined) made = await create();
    return made.body.errors === undefined;
  }, 30_000);
  const [line] = await linesOf(made.id);
  expect(line).toMatchObject({ regions: ["ap"], kind: "mutation", outcome: "OK" });

  await server.server.kill();
  const told = (words: string) => read().filter(({ msg }) => msg === `region ap ${words}`);
  await eventually(async () => told("does not answer").length > 0, 30_000);
  const refused = await create();
  expect(refused.body.errors?.[0]?.extensions).toMatchObject({ code: "REGION_UNAVAILABLE", requestId: refused.id });
  await server.server.start();
  await eventually(async () => told("answers again").length > 0, 30_000);
  await eventually(async () => (await create()).body.errors === undefined, 30_000);
  expect(told("does not answer")).toMatchObject([{ level: "warn", region: "ap" }]);
  expect(told("answers again")).toMatchObject([{ level: "info", region: "ap" }]);
}, 120_000);

test("every line is JSON, up to the last, and none has a secret, a row's text or an e-mail address", async () => {
  await ask('mutation ($email: String!) { createUser(input: { name: "Ada", email: $email }) { id } }', {
    email: E_MAIL,
  });
  child.kill("SIGTERM");
  await ended;
  expect(lines.length).toBeGreaterThan(10);
  expect(read()[0]?.msg).toContain("Preparing the home database");
  expect(lines.filter((line) => !isObject(line))).toEqual([]);
  expect(read().at(-1)?.msg).toContain("Stopping");
  expect(read().filter(({ level }) => !["info", "warn", "error"].includes(level))).toEqual([]);
  const all = lines.join("\n");
  for (const word of ["@example.com", TEXT, new URL(server.url()).password || "postgres://"])
    expect(all).not.toContain(word);
}, 60_000);

function isObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
