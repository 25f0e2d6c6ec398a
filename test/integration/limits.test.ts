/** What one request may ask for: each limit exceeded, and just not. Rates and time have files of their own. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { getIntrospectionQuery } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { JOURNEY } from "../../src/app/journey.ts";
import { DEFAULT_LIMITS } from "../../src/base/kernel/limits.ts";
import { startApp, type TestApp } from "../support/app.ts";
import { createOrganization } from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";
import { firstErrorOver, TRANSPORTS } from "../support/transports.ts";

const SMALL = { maxDepth: 5, maxAliases: 3, maxRootFields: 4, maxTokens: 60, maxCost: 50, maxBatch: 3 };
const BODY = { maxBodyBytes: 10_000 };

/** With the defaults. */
let app: TestApp;
/** The same home with small limits. */
let small: TestApp;
/** The same home, where callers sign in. */
let bearer: TestApp;
let operatorKey: string;
let viewerKey: string;

beforeAll(async () => {
  app = await startApp();
  const shared = { databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" as const };
  small = await startApp({ ...shared, api: { limits: { ...SMALL, ...BODY } } });
  bearer = await startApp({
    ...shared,
    signIn: { mode: "bearer" },
    api: { corsOrigins: ["https://app.example.com"], trustedProxies: 1 },
  });
  ({ secret: operatorKey } = await createApiKey(app));
  const organizationId = await createOrganization(app);
  ({ secret: viewerKey } = await createApiKey(app, { organizationId, role: "VIEWER" }));
});
afterAll(async () => {
  await bearer.stop();
  await small.stop();
  await app.stop();
});

function post(at: TestApp, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${at.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code ?? "";
}

describe("an operation", () => {
  const roots = (count: number) => Array.from({ length: count }, () => "__typename").join(" ");
  const renamed = (count: number) => `regions { ${Array.from({ length: count }, (_, n) => `a${n}: key`).join(" ")} }`;
  const cases: [what: string, words: string, within: string, beyond: string][] = [
    [
      "deep",
      "fields deep",
      "{ users { edges { node { id } } } region: __typename }",
      "{ resources { edges { node { organization { members { pageInfo { hasNextPage } } } } } } }",
    ],
    ["renamed", "aliases", `{ ${renamed(3)} }`, `{ ${renamed(4)} }`],
    ["wide", "at its root", `{ ${roots(4)} }`, `{ ${roots(5)} }`],
    ["long", "tokens", `{ regions { ${"key ".repeat(50)} } }`, `{ regions { ${"key ".repeat(60)} } }`],
    [
      "costly",
      "points",
      "{ users(first: 49) { edges { node { id } } } }",
      "{ users(first: 50) { edges { node { id } } } }",
    ],
  ];

  describe.each(TRANSPORTS)("over %s", (transport) => {
    test.each(cases)("that is too %s is refused, and one just within runs", async (_, words, within, beyond) => {
      const error = await firstErrorOver(transport, small, { query: beyond });
      expect(error?.code).toBe("LIMIT_EXCEEDED");
      expect(error?.message).toContain(words);
      expect(await firstErrorOver(transport, small, { query: within })).toBeUndefined();
    });
  });

  test("that is refused has a status that says so to who takes GraphQL's own type", async () => {
    const body = JSON.stringify({ query: `{ ${roots(5)} }` });
    expect((await post(small, body, { accept: "application/graphql-response+json" })).status).toBe(400);
    expect((await post(small, body, { accept: "application/json" })).status).toBe(200);
  });

  test("costs by the variables that come with it, each time", async () => {
    const query = "query ($n: Int) { users(first: $n) { edges { node { id } } } }";
    expect(await firstErrorOver("HTTP", small, { query, variables: { n: 10 } })).toBeUndefined();
    const error = await firstErrorOver("HTTP", small, { query, variables: { n: 100 } });
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("101 points, and 50") });
  });

  test("with a very long string is refused before it is parsed and kept", async () => {
    const query = `{ region(key: "${"x".repeat(200_000)}") { key } }`;
    expect((await app.refuse(query)).code).toBe("LIMIT_EXCEEDED");
    expect((await app.refuse(query.replace(/x{1000}/, ""))).code).toBe("NOT_FOUND");
  });

  test("of the journey and of tools is within the defaults", async () => {
    for (const { query } of JOURNEY) {
      const error = await firstErrorOver("HTTP", app, { query });
      expect(error?.code, query).not.toBe("LIMIT_EXCEEDED");
    }
    const introspection = getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true });
    const { __schema: found } = await app.ask(introspection);
    expect(found.types.length).toBeGreaterThan(10);
  });
});

describe("a request", () => {
  const one = { query: "{ regions { key } }" };

  test("with a batch that is too large is refused as a whole, and one just within is answered in order", async () => {
    const within = await post(small, JSON.stringify([one, { query: "{ __typename }" }, { query: "{ nonsense }" }]));
    const answers = (await within.json()) as { data?: object; errors?: { extensions: object }[] }[];
    expect(answers.map(({ data }) => data)).toEqual([{ regions: [] }, { __typename: "Query" }, undefined]);
    expect(answers[2]?.errors?.[0]?.extensions).toEqual({ code: "INVALID_INPUT", requestId: expect.any(String) });
    const beyond = await post(small, JSON.stringify([one, one, one, one]));
    expect([beyond.status, await codeOf(beyond)]).toEqual([413, "LIMIT_EXCEEDED"]);
  });

  test("with a body that is too large is refused, also when it does not say how large it is", async () => {
    const body = (size: number) => JSON.stringify({ ...one, extensions: { padding: "x".repeat(size) } });
    expect(await (await post(small, body(9_000))).json()).toEqual({ data: { regions: [] } });
    const declared = await post(small, body(11_000));
    expect([declared.status, await codeOf(declared)]).toEqual([413, "LIMIT_EXCEEDED"]);
    const chunked = await postInChunks(`${small.url}/graphql`, body(11_000));
    expect(chunked.status).toBe(413);
    expect(chunked.body).toContain("LIMIT_EXCEEDED");
    expect((await postInChunks(`${small.url}/graphql`, body(9_000))).status).toBe(200);
  });

  test("over a web socket with a message that is too large ends the socket", async () => {
    const socket = new WebSocket(`${small.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
    const closed = new Promise<number>((resolve) => {
      socket.once("close", resolve);
    });
    socket.once("open", () => socket.send("x".repeat(11_000)));
    expect(await closed).toBe(1009);
  });

  test("that another site's page can make the browser send without a preflight is refused", async () => {
    const get = (site: string, at = app) =>
      fetch(`${at.url}/graphql?query=${encodeURIComponent("{ regions { key } }")}`, {
        headers: { "sec-fetch-site": site, accept: "application/json", authorization: `Bearer ${operatorKey}` },
      });
    for (const at of [app, bearer]) {
      for (const site of ["cross-site", "same-site"]) {
        const refused = await get(site, at);
        expect([refused.status, await codeOf(refused)]).toEqual([403, "FORBIDDEN"]);
      }
      expect((await get("same-origin", at)).status).toBe(200);
    }
  });

  test("from a page that is not on the list is refused, from our own and a listed one it is not", async () => {
    const from = (origin: string, headers = {}) =>
      post(bearer, JSON.stringify(one), { origin, authorization: `Bearer ${operatorKey}`, ...headers });
    expect((await from("https://evil.example.com")).status).toBe(403);
    expect((await from("https://app.example.com.evil.example.com")).status).toBe(403);
    expect((await from("null")).status).toBe(403);
    const listed = await from("https://app.example.com");
    expect([listed.status, listed.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://app.example.com",
    ]);
    const own = await from(bearer.url);
    expect([own.status, own.headers.get("access-control-allow-origin")]).toEqual([200, null]);
    // A proxy that changes the host name.
    expect((await from("https://api.example.com", { "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  test("for a web socket from a page that is not on the list is refused", async () => {
    const open = (origin: string) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${bearer.url.replace("http", "ws")}/graphql`, "graphql-transport-ws", { origin });
        socket.once("open", () => {
          socket.terminate();
          resolve("open");
        });
        socket.once("error", (error) => resolve(error.message));
      });
    expect(await open("https://evil.example.com")).toContain("401");
    expect(await open("https://app.example.com")).toBe("open");
    expect(await open(bearer.url)).toBe("open");
  });
});

test("every answer has headers that keep browsers from misusing it", async () => {
  const answers = [
    await post(bearer, '{"query":"{ __typename }"}', { "x-forwarded-proto": "https" }),
    await fetch(`${bearer.url}/health/live`, { headers: { "x-forwarded-proto": "https" } }),
    await fetch(bearer.url, { headers: { accept: "text/html", "x-forwarded-proto": "https" } }),
  ];
  for (const { headers } of answers) {
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors/);
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("strict-transport-security")).toMatch(/^max-age=\d+$/);
  }
  expect(answers[0]?.headers.get("cache-control")).toBe("no-store");
  const page = answers[2]?.headers.get("content-security-policy");
  expect(page).not.toMatch(/script-src[^;]*'unsafe/);
  // Without TLS in front it would lock people out.
  expect((await fetch(`${bearer.url}/health/live`)).headers.get("strict-transport-security")).toBeNull();
  expect(
    (await fetch(`${app.url}/health/live`, { headers: { "x-forwarded-proto": "https" } })).headers.get(
      "strict-transport-security",
    ),
  ).toBeNull();
});

describe("introspection", () => {
  const SCHEMA = "{ __schema { queryType { name } } }";
  const TYPE = '{ ...F } fragment F on Query { __type(name: "User") { name } }';

  test("is the operator's alone where callers sign in, over every transport", async () => {
    for (const query of [SCHEMA, TYPE]) {
      expect((await postAs(bearer, operatorKey, query)).errors).toBeUndefined();
      for (const transport of TRANSPORTS) {
        const error = await firstErrorOver(transport, bearer, {
          query,
          headers: { authorization: `Bearer ${viewerKey}` },
        });
        expect(error?.code, transport).toBe("FORBIDDEN");
      }
      // What the operator may was not remembered for others.
      expect((await postAs(bearer, viewerKey, query)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    }
    expect((await postAs(bearer, viewerKey, "{ __typename }")).data).toEqual({ __typename: "Query" });
  });

  test("is on for everybody where that is asked for, and off in development likewise", async () => {
    const shared = { databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" as const };
    await using open = await disposable({ ...shared, signIn: { mode: "bearer" }, api: { introspection: true } });
    expect((await postAs(open, viewerKey, SCHEMA)).errors).toBeUndefined();
    await using closed = await disposable({ ...shared, api: { introspection: false } });
    expect((await postAs(closed, viewerKey, SCHEMA)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  });

  test("that is off is not made up for by suggestions", async () => {
    const fault = async (key: string, query: string, variables = {}) =>
      (await postAs(bearer, key, query, variables)).errors?.[0]?.message ?? "";
    const create = "mutation ($i: CreateOrganizationInput!) { createOrganization(input: $i) { id } }";
    expect(await fault(operatorKey, "{ regionz { key } }")).toContain("Did you mean");
    expect(await fault(operatorKey, create, { i: { name: "A", nam: "A" } })).toContain("Did you mean");
    expect(await fault(viewerKey, "{ regionz { key } }")).toMatch(/^(?!.*Did you mean).*regionz/);
    expect(await fault(viewerKey, create, { i: { name: "A", nam: "A" } })).toMatch(/^(?!.*Did you mean).*nam/);
  });

  test("of types in types in types is refused, whoever asks", async () => {
    const deep =
      "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    expect((await app.refuse(deep)).message).toContain("Maximum introspection depth");
  });
});

describe("operations that are known", () => {
  const KNOWN = "query Known { __typename }";
  const MUTATION = 'mutation Known { createOrganization(input: { name: "Known" }) { name } }';
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const file = (content: string) => {
    const path = join(temporaryFolder(), "operations.json");
    writeFileSync(path, content);
    return path;
  };
  const operations = () => file(JSON.stringify({ [hash(KNOWN)]: KNOWN, [`sha256:${hash(MUTATION)}`]: MUTATION }));
  const start = (only: boolean, path = operations()) =>
    disposable({
      databaseUrl: app.databaseUrl,
      secretKey: app.secretKey,
      role: "api",
      api: { persistedOperations: { file: path, only } },
    });
  const named = (text: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash(text) } } });
  const ask = async (at: TestApp, body: object) =>
    (await (await post(at, JSON.stringify(body))).json()) as {
      data?: object;
      errors?: { message: string; extensions: { code: string } }[];
    };

  test("run by their hash, in both spellings, over HTTP and a web socket", async () => {
    await using known = await start(true);
    expect((await ask(known, named(KNOWN))).data).toEqual({ __typename: "Query" });
    expect((await ask(known, { documentId: `sha256:${hash(KNOWN)}` })).data).toEqual({ __typename: "Query" });
    expect((await ask(known, { documentId: hash(MUTATION) })).data).toEqual({ createOrganization: { name: "Known" } });
    const get = await fetch(`${known.url}/graphql?documentId=${hash(KNOWN)}`);
    expect(await get.json()).toEqual({ data: { __typename: "Query" } });
    expect((await fetch(`${known.url}/graphql?documentId=${hash(MUTATION)}`)).status).toBe(405);
    expect(await firstErrorOver("a web socket", known, { query: KNOWN })).toBeUndefined();
    expect((await firstErrorOver("a web socket", known, { query: "{ __typename }" }))?.code).toBe("FORBIDDEN");
  });

  test("are all that runs where that is asked for, and otherwise not", async () => {
    await using strict = await start(true);
    await using loose = await start(false);
    const other = { query: "{ regions { key } }" };
    expect((await ask(strict, other)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
    expect((await ask(strict, { ...other, ...named(other.query) })).errors?.[0]?.message).toBe(
      "PersistedQueryNotFound",
    );
    expect((await ask(loose, other)).data).toEqual({ regions: [] });
    expect((await ask(loose, { ...other, ...named(other.query) })).data).toEqual({ regions: [] });
    // Nothing was registered by that.
    expect((await ask(loose, named(other.query))).errors?.[0]?.extensions.code).toBe("PERSISTED_QUERY_NOT_FOUND");
  });

  test("do not pass for others", async () => {
    await using strict = await start(true);
    const swapped = { query: "{ regions { key } }", ...named(KNOWN) };
    expect((await ask(strict, swapped)).errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
    for (const documentId of [1, {}, ["a"]])
      expect((await ask(strict, { documentId })).errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
    for (const documentId of ["__proto__", "constructor", "", "sha256:"])
      expect((await ask(strict, { documentId })).errors?.[0]?.extensions.code).toBe("PERSISTED_QUERY_NOT_FOUND");
  });

  test.each([
    ["is not there", () => "/nowhere/operations.json", "cannot be read"],
    ["is no JSON", () => file("{"), "is not JSON"],
    ["is a list", () => file("[]"), "must be one JSON object"],
    ["has another hash", () => file(JSON.stringify({ [hash("a")]: KNOWN })), "is not the SHA-256"],
    ["has no text", () => file(JSON.stringify({ [hash(KNOWN)]: 1 })), "must have an operation's text"],
    [
      "does not fit the schema",
      () => file(JSON.stringify({ [hash("{ nonsense }")]: "{ nonsense }" })),
      "does not fit the schema",
    ],
  ])("from a file that %s keep the server from starting", async (_, path, words) => {
    await expect(start(true, path())).rejects.toThrow(words);
  });
});

test("the defaults leave room above what they bound by themselves", () => {
  // A full page of resources with a page of comments and their authors.
  expect(DEFAULT_LIMITS.maxCost).toBeGreaterThan(1 + 100 * (1 + 1 + 20 * 2));
});

async function disposable(options: Parameters<typeof startApp>[0]): Promise<TestApp & AsyncDisposable> {
  const started = await startApp(options);
  return { ...started, [Symbol.asyncDispose]: started.stop };
}

function postInChunks(url: string, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "transfer-encoding": "chunked" };
    const request = httpRequest(url, { method: "POST", headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    request.on("error", reject);
    request.write(body.slice(0, 100));
    request.end(body.slice(100));
  });
}
