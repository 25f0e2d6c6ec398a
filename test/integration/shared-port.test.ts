/** Several API processes on one port, each with its share of the connections; one of them is killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TenantryError } from "#base/kernel/errors";
import { choosePorts } from "../../src/embedded/ports.ts";
import { schema } from "../../src/api/graphql/schema.ts";
import { startHttpServer } from "../../src/api/http/server.ts";
import { createSignIn } from "../../src/engine/auth/create-sign-in.ts";
import { Metrics } from "../../src/base/observability/metrics.ts";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, createResource, createUser, registerRegion } from "../support/journey.ts";

const PROGRAM = fileURLToPath(new URL("../support/tenantry-process.ts", import.meta.url));

let worker: TestApp;
let port: number;
let user: string;
let resource: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  worker = await startApp();
  user = await createUser(worker);
  const organization = await createOrganization(worker);
  await registerRegion(worker, "eu", serverUrl("eu"));
  const membership = { organizationId: organization, userId: user, role: "MEMBER" };
  await worker.ask("mutation ($input: AddOrganizationMemberInput!) { addOrganizationMember(input: $input) { role } }", {
    input: membership,
  });
  await worker.ask("mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { state } }", {
    input: { organizationId: organization, regionKey: "eu", isolation: "SHARED" },
  });
  resource = await createResource(worker, { name: "Shared", organizationId: organization });
  [port = 0] = await choosePorts([undefined], new Set());
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await worker.stop();
});

async function start(): Promise<ChildProcess> {
  const { databaseUrl, secretKey } = worker;
  const options = { databaseUrl, secretKey, role: "api", port, sharePort: true };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  if (child.stdout === null) throw new Error("the process has no output");
  await once(createInterface({ input: child.stdout }), "line");
  return child;
}

/** On a connection of its own. */
async function ask<Data>(query: string): Promise<Data> {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": user, connection: "close" },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

const write = (body: string) =>
  ask<object>(`mutation { createComment(input: { resourceId: "${resource}", body: "${body}" }) { id } }`);
const readAll = async (): Promise<string[]> => {
  type Read = { resource: { comments: { edges: { node: { body: string } }[] } } };
  const { resource: read } = await ask<Read>(
    `{ resource(id: "${resource}") { comments(first: 100) { edges { node { body } } } } }`,
  );
  return read.comments.edges.map(({ node }) => node.body);
};

test("what one writes all read, and when one is killed the others go on", async () => {
  const first = await start();
  const second = await start();
  const written: string[] = [];
  const visit = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const body = `Note ${written.length}`;
      await write(body);
      written.push(body);
      expect(await readAll()).toEqual(written);
    }
  };
  await visit(15);
  first.kill("SIGKILL");
  await once(first, "exit");
  await visit(5);
  await start();
  second.kill("SIGKILL");
  await once(second, "exit");
  await visit(5);
});

test("without it the port is taken, and the message says so", async () => {
  await start();
  const signIn = await createSignIn(worker.services, { mode: "development" });
  const options = { host: "127.0.0.1", port, metrics: new Metrics(), schema, journey: [] };
  const alone = startHttpServer(worker.services, signIn, options);
  await expect(alone).rejects.toThrow(TenantryError);
  await expect(alone).rejects.toThrow(`Port ${port}`);
});
