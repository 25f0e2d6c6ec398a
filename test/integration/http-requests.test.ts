/** What browsers, GraphQL clients and plain programs send, and how it is answered. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { createUser } from "../support/journey.ts";

let app: TestApp;
/** The same home, without the explorer, with more headers for pages. */
let bare: TestApp;
beforeAll(async () => {
  app = await startApp();
  const { databaseUrl, secretKey } = app;
  const api = { explorer: false, corsHeaders: ["x-client-build", "x-acme-*"] };
  bare = await startApp({ databaseUrl, secretKey, role: "api", api });
});
afterAll(async () => {
  await bare.stop();
  await app.stop();
});

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const JSON_TYPE = { "content-type": "application/json" };

async function post(body: BodyInit, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.url}/graphql`, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body });
  return { status: response.status, headers: response.headers, answer: await response.json() };
}

test("a body that is not UTF-8 is refused, and nothing of it is stored", async () => {
  const text = JSON.stringify({ query: 'mutation { createOrganization(input: { name: "Café" }) { id } }' });
  const latin = await post(Buffer.from(text, "latin1"));
  expect(latin).toMatchObject({ status: 400, answer: { errors: [{ extensions: { code: "INVALID_INPUT" } }] } });
  const named = await post(text, { "content-type": "application/json; charset=iso-8859-1" });
  expect(named.status).toBe(415);
  expect((await app.ask("{ organizations { edges { node { name } } } }")).organizations.edges).toEqual([]);
  expect((await post(text, { "content-type": "application/json; charset=UTF-8" })).status).toBe(200);
});

test("half of a surrogate pair that would be stored is refused", async () => {
  const variables = '{"i":{"name":"half \\ud800"}}';
  const query = "mutation ($i: CreateOrganizationInput!) { createOrganization(input: $i) { id } }";
  const { answer } = await post(`{"query":${JSON.stringify(query)},"variables":${variables}}`);
  expect(answer.errors[0].extensions.code).toBe("INVALID_INPUT");
});

test("a compressed body is refused with what is taken", async () => {
  const { status, headers, answer } = await post(gzipSync('{"query":"{ __typename }"}'), {
    "content-encoding": "gzip",
  });
  expect({ status, takes: headers.get("accept-encoding") }).toEqual({ status: 415, takes: "identity" });
  expect(answer.errors[0].message).toContain("compressed");
});

test.each([
  ["variables that are not JSON", "query={__typename}&variables={"],
  ["variables that are a list", "query={__typename}&variables=[]"],
  ["extensions that are no object", "query={__typename}&extensions=1"],
  ["bytes that are not UTF-8", "query={__typename}&operationName=%E9"],
])("GET with %s is INVALID_INPUT", async (_, query) => {
  const response = await fetch(`${app.url}/graphql?${query}`);
  const answer = await response.json();
  expect({ status: response.status, code: answer.errors[0].extensions.code }).toEqual({
    status: 400,
    code: "INVALID_INPUT",
  });
});

test("an empty operationName is none", async () => {
  const body = { query: "{ __typename }", operationName: "" };
  expect((await post(JSON.stringify(body))).answer).toEqual({ data: { __typename: "Query" } });
  // A batch goes the long way.
  expect((await post(JSON.stringify([body]))).answer).toEqual([{ data: { __typename: "Query" } }]);
  const get = await fetch(`${app.url}/graphql?query={__typename}&operationName=`);
  expect(await get.json()).toEqual({ data: { __typename: "Query" } });
});

test("Apollo Client asks for a persisted query once, and then sends texts only", async () => {
  const sent: string[] = [];
  const send: typeof fetch = (url, init) => {
    sent.push(typeof init?.body === "string" ? init.body : "");
    return fetch(url, init);
  };
  const http = new HttpLink({ uri: `${app.url}/graphql`, fetch: send });
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new PersistedQueryLink({ sha256: hash }).concat(http),
  });
  for (let index = 0; index < 5; index += 1) {
    const query = gql(`query Q${index} { regions { key } }`);
    expect((await client.query({ query, fetchPolicy: "network-only" })).error).toBeUndefined();
  }
  client.stop();
  expect(sent).toHaveLength(6);
  const { answer } = await post(sent[0] ?? "");
  expect(answer.errors).toEqual([
    {
      message: "PersistedQueryNotSupported",
      extensions: { code: "PERSISTED_QUERY_NOT_SUPPORTED", requestId: expect.any(String) },
    },
  ]);
});

test("pages may send the headers of traces and of Apollo's clients, and what a setting adds", async () => {
  const allowedBy = async ({ url }: TestApp, asked: string) => {
    const headers = {
      origin: "https://studio.apollographql.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": asked,
    };
    const response = await fetch(`${url}/graphql`, { method: "OPTIONS", headers });
    return (response.headers.get("access-control-allow-headers") ?? "").split(/, ?/);
  };
  const usual = ["traceparent", "tracestate", "baggage", "sentry-trace"];
  expect(await allowedBy(app, "")).toEqual(expect.arrayContaining(usual));
  const apollo = ["apollo-require-preflight", "apollo-new-name", "x-apollo-operation-id", "apollographql-client-name"];
  expect(await allowedBy(app, apollo.join(", "))).toEqual(expect.arrayContaining(apollo));
  const others = ["x-client-build", "x-acme-tenant", "cookie", "my-apollo-name"];
  for (const other of others) expect(await allowedBy(app, others.join(","))).not.toContain(other);
  const added = await allowedBy(bare, others.join(","));
  expect(added).toEqual(expect.arrayContaining(["x-client-build", "x-acme-tenant"]));
  expect(added).not.toContain("cookie");
});

test("a subscription over multipart is refused with what to use", async () => {
  const query = 'subscription { commentAdded(resourceId: "0190aaaa-0000-7000-8000-000000000000") { id } }';
  for (const accept of [
    'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"',
    "multipart/mixed,application/json",
  ]) {
    const { status, answer } = await post(JSON.stringify({ query }), { accept });
    expect(status, accept).toBe(406);
    expect(answer.errors[0].message).toContain("text/event-stream");
  }
});

test("who opens /graphql in a browser is led to the explorer", async () => {
  const open = (url: string) => fetch(url, { headers: { accept: "text/html,*/*;q=0.8" }, redirect: "manual" });
  const led = await open(`${app.url}/graphql`);
  expect({ status: led.status, location: led.headers.get("location") }).toEqual({ status: 302, location: "./" });
  expect(await (await open(app.url)).text()).toContain("<title>");
});

test("a setting turns the explorer off", async () => {
  const html = { headers: { accept: "text/html" }, redirect: "manual" as const };
  expect((await fetch(`${bare.url}/explorer/page.js`)).status).toBe(404);
  expect((await fetch(`${bare.url}/graphql`, html)).status).not.toBe(302);
  expect(await (await fetch(bare.url, html)).text()).not.toContain("<title>");
});

test.each([
  ["alone", (query: string) => JSON.stringify({ query })],
  ["in a batch", (query: string) => JSON.stringify([{ query }])],
])("the answer to an operation %s says what is left of the caller's points", async (_, body) => {
  const user = await createUser(app);
  const asked = await post(body("{ me { id } }"), { "x-user-id": user });
  expect(asked.headers.get("ratelimit-policy")).toMatch(/^"points";q=\d+;w=10$/);
  const most = Number(/q=(\d+)/.exec(asked.headers.get("ratelimit-policy") ?? "")?.[1]);
  const [, left, seconds] = /^"points";r=(\d+);t=(\d+)$/.exec(asked.headers.get("ratelimit") ?? "") ?? [];
  expect(Number(left)).toBeLessThan(most);
  expect(Number(seconds)).toBeGreaterThan(0);
  // Nothing bounds the operator.
  expect((await post(body("{ me { id } }"))).headers.get("ratelimit")).toBeNull();
});

test("a path without anything is a small 404, and HEAD is GET without the body", async () => {
  const missing = await fetch(`${app.url}/nowhere`);
  expect({ status: missing.status, answer: await missing.json() }).toMatchObject({
    status: 404,
    answer: { errors: [{ extensions: { code: "NOT_FOUND" } }] },
  });
  for (const path of ["/", "/health/live", "/graphql?query={__typename}"]) {
    const head = await fetch(`${app.url}${path}`, {
      method: "HEAD",
      headers: { accept: "text/html,application/json" },
    });
    expect({ path, status: head.status, body: await head.text() }).toEqual({ path, status: 200, body: "" });
  }
});

test("the explorer's pages are compressed for who takes that only", async () => {
  const load = async (encoding: string) => {
    const response = await fetch(`${app.url}/explorer/page.js`, { headers: { "accept-encoding": encoding } });
    const { headers } = response;
    return { encoding: headers.get("content-encoding"), etag: headers.get("etag"), text: await response.text() };
  };
  const [zipped, plain, refused] = [await load("gzip, br"), await load("identity"), await load("gzip;q=0")];
  expect([zipped.encoding, plain.encoding, refused.encoding]).toEqual(["gzip", null, null]);
  expect(plain.text).toBe(zipped.text);
  expect(plain.etag).not.toBe(zipped.etag);
});
