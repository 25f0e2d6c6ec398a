/** The audit of the GraphQL over HTTP specification, and what browsers and tools rely on. */
import { Agent, get } from "node:http";
import { serverAudits } from "graphql-http";
import { createClient } from "graphql-ws";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { comment, createOrganization, createResource, createUser, grant, registerRegion } from "../support/journey.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const audits = serverAudits({ url: () => `${app.url}/graphql`, fetchFn: fetch });

test.each(audits.map((audit) => [audit.name, audit] as const))("%s", async (_, audit) => {
  const result = await audit.fn();
  if (result.status !== "ok") throw new Error(result.reason);
});

test("POST on / is the same endpoint", async () => {
  const response = await fetch(app.url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ regions { key } }" }),
  });
  expect(await response.json()).toEqual({ data: { regions: [] } });
});

test("Apollo Sandbox may call from the browser, other sites may not", async () => {
  const preflight = (origin: string) =>
    fetch(`${app.url}/graphql`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-user-id",
      },
    });
  for (const origin of ["https://studio.apollographql.com", "https://sandbox.embed.apollographql.com"]) {
    const sandbox = await preflight(origin);
    expect(sandbox.headers.get("access-control-allow-origin")).toBe(origin);
    expect(sandbox.headers.get("access-control-allow-headers")).toContain("x-user-id");
  }
  expect((await preflight("https://evil.example")).status).toBe(403);
});

test("forms that pass without a preflight are refused", async () => {
  for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]) {
    const response = await fetch(`${app.url}/graphql`, {
      method: "POST",
      headers: { "content-type": type },
      body: "query=mutation{createOrganization(input:{name:%22x%22}){id}}",
    });
    expect(response.ok, type).toBe(false);
  }
});

test("health and metrics answer", async () => {
  expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
  expect(await (await fetch(`${app.url}/metrics`)).text()).toContain("tenantry_graphql_operation_seconds");
});

test("a connection is kept for longer than balancers rest one, and says how long", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const ask = () =>
    new Promise<{ keepAlive: unknown; port: number | undefined }>((resolve, reject) => {
      get(`${app.url}/health/live`, { agent }, (response) => {
        const { headers, socket } = response;
        const found = { keepAlive: headers["keep-alive"], port: socket.localPort };
        response.resume().once("end", () => resolve(found));
      }).once("error", reject);
    });
  const first = await ask();
  expect(first.keepAlive).toBe("timeout=75");
  expect(await ask()).toEqual(first);
});

test("a body that is too large is refused", async () => {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ regions { key } }", padding: "x".repeat(1_100_000) }),
  });
  expect(response.status).toBe(413);
});

test("comments are followed over a web socket and over server-sent events", async () => {
  await registerRegion(app, "eu", serverUrl("eu"));
  const organization = await createOrganization(app);
  const user = await createUser(app);
  await app.ask("mutation ($i: AddOrganizationMemberInput!) { addOrganizationMember(input: $i) { role } }", {
    i: { organizationId: organization, userId: user },
  });
  await grant(app, organization, "eu");
  const resource = await createResource(app, { name: "Followed", organizationId: organization });
  const query = `subscription { commentAdded(resourceId: "${resource}") { body author { name } } }`;

  const client = createClient({ url: `${app.url.replace("http", "ws")}/graphql` });
  const socket = client.iterate<{ commentAdded: { body: string } }>({ query });
  const overSocket = socket.next();
  const stream = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ query }),
  });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  // Neither protocol says when a subscription has begun: write until both have heard something.
  let heard = 0;
  const events = (async () => {
    let text = "";
    while (!text.includes("commentAdded")) text += (await reader?.read())?.value ?? "";
    heard += 1;
    return text;
  })();
  void overSocket.then(() => {
    heard += 1;
  });
  for (let round = 0; heard < 2 && round < 200; round += 1) {
    await comment(app, resource, user, "Heard");
    await waitFor(async () => (heard === 2 ? true : undefined), { timeoutMs: 25 });
  }
  expect((await overSocket).value.data.commentAdded).toEqual({ body: "Heard", author: { name: "Ada" } });
  expect(await events).toContain('"body":"Heard"');
  await reader?.cancel();
  await socket.return?.();
  await client.dispose();
});

test("a subscription to what the caller may not see is NOT_FOUND", async () => {
  const stranger = await createUser(app, "Stranger");
  const id = await createResource(app, { name: "Default" });
  const foreign = id.replace(/.{12}$/, "000000000000");
  const client = createClient({
    url: `${app.url.replace("http", "ws")}/graphql`,
    connectionParams: { "x-user-id": stranger },
  });
  const events = client.iterate({ query: `subscription { commentAdded(resourceId: "${foreign}") { id } }` });
  const first = await events.next().catch((error: unknown) => ({ value: { errors: error } }));
  expect(JSON.stringify(first)).toContain("NOT_FOUND");
  await client.dispose();
});
