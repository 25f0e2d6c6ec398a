/** A request can be followed from the caller to the databases, jobs and links, and what is about a region stays with its collector. */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient } from "graphql-ws";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { startTracing } from "../../src/base/observability/otel.ts";
import { createLogger } from "../../src/base/observability/logger.ts";
import { hidingCollector, readConfig, type Settings } from "../../src/config.ts";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { runCommand } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { createOrganization, createResource, createUser, eventually, registerRegion } from "../support/journey.ts";
import { type ReceivedSpan, SPAN_KIND, TraceCollector } from "../support/trace-collector.ts";

const HOME_TOKEN = randomBytes(12).toString("hex");
const EU_TOKEN = randomBytes(12).toString("hex");
const TEXT = `Plans ${randomBytes(8).toString("hex")}`;

let home: TraceCollector;
let eu: TraceCollector;
let app: TestApp;
let organization: string;

/** The settings as the environment has them, which the exporter reads too. */
function tracesOf(environment: Record<string, string>): Settings["traces"] {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  return readConfig(environment).traces;
}

const newTrace = () => ({ traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") });

async function ask(
  query: string,
  variables: object,
  { traceId, spanId }: ReturnType<typeof newTrace>,
  flags = "01",
): Promise<{ data: any }> {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      traceparent: `00-${traceId}-${spanId}-${flags}`,
      tracestate: "vendor=1",
    },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as { data: any };
}

/** The spans of a trace at home's collector, once there is one with this name. */
async function spansOf(traceId: string, ...names: string[]): Promise<ReceivedSpan[]> {
  await eventually(async () => names.every((wanted) => home.of(traceId).some(({ name }) => name === wanted)));
  const spans = home.of(traceId);
  expect(spans.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  return spans;
}

const find = (spans: readonly ReceivedSpan[], name: string) => spans.find((span) => span.name === name);

beforeAll(async () => {
  [home, eu] = await Promise.all([TraceCollector.start(), TraceCollector.start()]);
  const traces = tracesOf({
    OTEL_EXPORTER_OTLP_ENDPOINT: home.url,
    OTEL_EXPORTER_OTLP_HEADERS: `x-token=${HOME_TOKEN}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_BSP_SCHEDULE_DELAY: "20",
    OTEL_SERVICE_NAME: "tenantry-test",
    TENANTRY_REGION_OTLP_ENDPOINTS: `eu=${eu.url}`,
    TENANTRY_REGION_OTLP_HEADERS: `eu.x-own-token=${EU_TOKEN}`,
  });
  app = await startApp({ traces });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  organization = await createOrganization(app);
});

afterAll(async () => {
  await app.stop();
  await Promise.all([home[Symbol.asyncDispose](), eu[Symbol.asyncDispose]()]);
  vi.unstubAllEnvs();
});

test("a job is in the trace of the mutation that asked for it, with its steps", async () => {
  for (const regionKey of ["eu", "us"]) {
    const trace = newTrace();
    await ask(
      "mutation Grant($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }",
      { input: { organizationId: organization, regionKey } },
      trace,
    );
    const spans = await spansOf(trace.traceId, "mutation Grant", "job provision-placement", "step activate");
    const operation = find(spans, "mutation Grant");
    const job = find(spans, "job provision-placement");
    expect(job).toMatchObject({ kind: SPAN_KIND.consumer, parentSpanId: operation?.spanId, isError: false });
    expect(job?.attributes).toMatchObject({ "tenantry.job.kind": "provision-placement", "tenantry.job.attempt": 1 });
    expect(find(spans, "step activate")?.parentSpanId).toBe(job?.spanId);
  }
});

describe("a request", () => {
  const CREATE = "mutation Create($input: CreateResourceInput!) { createResource(input: $input) { id } }";
  const create = (regionKey: string, trace: ReturnType<typeof newTrace>) =>
    ask(CREATE, { input: { organizationId: organization, regionKey, name: TEXT } }, trace);

  test("is a part of its caller's trace, with its operation, a span for each statement, and the link that carries it", async () => {
    const trace = newTrace();
    await create("us", trace);
    const spans = await spansOf(trace.traceId, "POST graphql", "mutation Create", "carry link");
    const request = find(spans, "POST graphql");
    expect(request).toMatchObject({
      kind: SPAN_KIND.server,
      parentSpanId: trace.spanId,
      traceState: "vendor=1",
      service: "tenantry-test",
      isError: false,
    });
    expect(request?.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.response.status_code": 200,
      "tenantry.request_id": trace.traceId,
      "tenantry.actor": "operator",
      "tenantry.outcome": "OK",
      "tenantry.regions": ["us"],
    });
    const operation = find(spans, "mutation Create");
    expect(operation?.parentSpanId).toBe(request?.spanId);
    expect(operation?.attributes).toEqual({ "graphql.operation.type": "mutation", "graphql.operation.name": "Create" });
    const statements = spans.filter(({ kind }) => kind === SPAN_KIND.client);
    const inRegion = statements.filter(({ attributes }) => attributes["tenantry.region"] === "us");
    const atHome = statements.filter(({ attributes }) => attributes["tenantry.database"] === "home");
    expect(inRegion.length).toBeGreaterThan(0);
    expect(atHome.length).toBeGreaterThan(0);
    for (const { attributes, parentSpanId } of inRegion) {
      expect(parentSpanId).toBe(operation?.spanId);
      expect(attributes).toMatchObject({ "db.system.name": "postgresql", "tenantry.database": "tenant" });
      expect(Object.keys(attributes)).not.toContain("db.query.text");
    }
    const link = find(spans, "carry link");
    expect(link).toMatchObject({ kind: SPAN_KIND.consumer, parentSpanId: operation?.spanId, isError: false });
    expect(link?.attributes).toMatchObject({ "tenantry.region": "us", "tenantry.link": "catalog" });
  });

  test("tells only the region's own collector of its statements there", async () => {
    const trace = newTrace();
    await create("eu", trace);
    const spans = await spansOf(trace.traceId, "POST graphql", "mutation Create", "carry link");
    await eventually(async () => eu.of(trace.traceId).length > 0);
    const statements = eu.of(trace.traceId);
    expect(statements.length).toBeGreaterThan(0);
    for (const { kind, attributes, parentSpanId } of statements) {
      expect(kind).toBe(SPAN_KIND.client);
      expect(attributes["tenantry.region"]).toBe("eu");
      expect(parentSpanId).toBe(find(spans, "mutation Create")?.spanId);
    }
    const isInRegion = ({ kind, attributes }: ReceivedSpan) =>
      kind === SPAN_KIND.client && attributes["tenantry.region"] === "eu";
    expect(home.spans.filter(isInRegion)).toEqual([]);
    expect(eu.spans.filter(({ attributes }) => attributes["tenantry.region"] !== "eu")).toEqual([]);
  });

  test("that fails is an error, by the code only", async () => {
    const trace = newTrace();
    await ask('query Missing { organization(id: "0198c0de-0000-7000-8000-000000000000") { nothing } }', {}, trace);
    const spans = await spansOf(trace.traceId, "POST graphql");
    expect(find(spans, "POST graphql")).toMatchObject({ isError: true, attributes: { "error.type": "INVALID_INPUT" } });
  });

  test("of a trace that its caller does not keep is not kept here either", async () => {
    const [dropped, kept] = [newTrace(), newTrace()];
    await ask("{ __typename }", {}, dropped, "00");
    await ask("{ __typename }", {}, kept);
    await spansOf(kept.traceId, "POST graphql");
    expect(home.of(dropped.traceId)).toEqual([]);
  });

  test("on a web socket has its trace in its extensions", async () => {
    const author = await createUser(app);
    const resourceId = await createResource(app, { name: TEXT });
    const { traceId, spanId } = newTrace();
    const client = createClient({ url: `${app.url.replace("http", "ws")}/graphql`, webSocketImpl: WebSocket });
    const followed = client.iterate({
      query: "subscription Watch($id: ID!) { commentAdded(resourceId: $id) { body } }",
      variables: { id: resourceId },
      extensions: { traceparent: `00-${traceId}-${spanId}-01` },
    });
    let isHeard = false;
    void followed.next().then(() => (isHeard = true));
    await eventually(async () => {
      const input = { resourceId, authorId: author, body: TEXT };
      await app.ask("mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }", { input });
      return isHeard;
    });
    await client.dispose();
    const spans = await spansOf(traceId, "socket", "subscription Watch");
    expect(find(spans, "socket")).toMatchObject({ kind: SPAN_KIND.server, parentSpanId: spanId });
    expect(find(spans, "subscription Watch")?.parentSpanId).toBe(find(spans, "socket")?.spanId);
  });
});

test("health checks and metrics are in no trace, and a request without a trace begins one", async () => {
  for (const path of ["/health/ready", "/metrics"]) await (await fetch(`${app.url}${path}`)).text();
  const response = await fetch(`${app.url}/graphql?query={__typename}`, { headers: { accept: "application/json" } });
  await response.text();
  const spans = await spansOf(response.headers.get("x-request-id") ?? "", "GET graphql");
  expect(find(spans, "GET graphql")).toBeDefined();
  expect(find(spans, "GET graphql")?.parentSpanId).toBeUndefined();
  expect(home.spans.filter(({ name }) => /health|metrics/.test(name))).toEqual([]);
});

test("no span has a secret, a row's text or an e-mail address, and no collector gets another one's headers", async () => {
  const [{ email } = { email: "" }] = await app.services.home.query<{ email: string }>(
    "test.email",
    "select email from tenantry.users limit 1",
  );
  expect(email).toContain("@");
  const all = home.text + eu.text;
  for (const word of [
    email,
    "@example.com",
    TEXT,
    HOME_TOKEN,
    EU_TOKEN,
    app.secretKey,
    "insert into",
    "postgres://",
    new URL(serverUrl("eu")).password || "password",
  ])
    expect(all).not.toContain(word);
  expect(eu.headers.length).toBeGreaterThan(0);
  expect(home.headers.every((headers) => headers["x-token"] === HOME_TOKEN && !("x-own-token" in headers))).toBe(true);
  expect(eu.headers.every((headers) => headers["x-own-token"] === EU_TOKEN && !("x-token" in headers))).toBe(true);
});

test("a command of the command line is a trace by its words, with its statements, and sends it before it ends", async () => {
  const { code, errors } = await runCommand(app, ["org", "list"]);
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  const command = find(home.spans, "command org list");
  expect(command).toMatchObject({ kind: SPAN_KIND.internal, parentSpanId: undefined, isError: false });
  const statements = home.of(command?.traceId ?? "").filter(({ kind }) => kind === SPAN_KIND.client);
  expect(statements.length).toBeGreaterThan(0);
  expect(statements.every(({ parentSpanId }) => parentSpanId === command?.spanId)).toBe(true);
});

describe("a collector", () => {
  afterEach(() => {
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", home.url);
  });

  test("that is away costs no request, is logged once, and keeps no process from stopping", async () => {
    const port = await freePort();
    const traces = tracesOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_TIMEOUT: "200",
      OTEL_BSP_SCHEDULE_DELAY: "10",
    });
    if (traces === undefined) throw new Error("traces are off");
    const lines: string[] = [];
    const logger = createLogger({ level: "info", destination: { write: (line) => lines.push(line) } });
    const tracing = await startTracing({ ...traces, hidingCollector }, logger);
    const said = (words: string) => lines.filter((line) => line.includes(words));
    const spanOnce = () => tracing.begin("one", "server", {}).end();
    for (let round = 0; round < 3; round += 1) {
      spanOnce();
      await eventually(async () => said("does not take spans").length > 0);
    }
    expect(said("does not take spans")).toHaveLength(1);
    await using collector = await TraceCollector.start(port);
    await eventually(async () => {
      spanOnce();
      return said("takes spans again").length > 0;
    });
    expect(collector.spans.length).toBeGreaterThan(0);
    await collector[Symbol.asyncDispose]();
    spanOnce();
    await tracing.shutdown();
  });

  test("gets protocol buffers unless JSON is asked for, and what is left when the process stops", async () => {
    const received: { type: IncomingMessage["headers"][string]; path: string | undefined; bytes: number }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { url: path, headers } = request;
        received.push({ type: headers["content-type"], path, bytes: Buffer.concat(chunks).length });
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", undefined);
    const traces = tracesOf({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    if (traces === undefined) throw new Error("traces are off");
    const tracing = await startTracing({ ...traces, hidingCollector }, createLogger({ level: "silent" }));
    tracing.begin("one", "server", {}).end();
    await tracing.shutdown();
    expect(received).toEqual([{ type: "application/x-protobuf", path: "/v1/traces", bytes: expect.any(Number) }]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
