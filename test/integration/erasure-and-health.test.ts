/** Erasure reaches every region, also one that is down for a while; health and `doctor` say what is wrong. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let app: TestApp;
let own: OwnServer;
beforeAll(async () => {
  own = await startServer();
  app = await startApp({
    replication: { sweepIntervalMs: 500, carrier: { idleMs: 100, stallMs: 1_000, retryMs: 100, maxRetryMs: 500 } },
  });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "own", own.url());
});
afterAll(async () => {
  await app.stop();
  await own[Symbol.asyncDispose]();
});

const ERASE = "mutation ($id: ID!) { eraseUser(id: $id) { complete user { name email } pending { region { key } } } }";

/** A user in an organization of each region, with a comment in each. */
async function personEverywhere() {
  const user = await createUser(app, "Remembered");
  const locations = [];
  for (const region of ["eu", "own"]) {
    const organization = await createOrganization(app, `In ${region}`);
    await addMember(app, organization, user);
    const { database } = await grant(app, organization, region);
    const resource = await createResource(app, { name: "Project", organizationId: organization });
    await comment(app, resource, user, "Kept");
    locations.push({ url: region === "eu" ? `${serverUrl("eu")}/${database}` : own.url(database), database });
  }
  return { user, locations };
}

const knownThere = (url: string) =>
  sql<{ name: string; email: string }>(url, "select name, email from tenantry.directory_members");

test("erasing a user replaces name and address everywhere and keeps the comments, without the author", async () => {
  const { user, locations } = await personEverywhere();
  const { eraseUser } = await app.ask(ERASE, { id: user });
  expect(eraseUser).toMatchObject({ complete: true, pending: [], user: { name: "Erased user" } });
  expect(eraseUser.user.email).not.toContain("example.com");
  for (const { url } of locations) {
    expect(await knownThere(url)).toEqual([{ name: "Erased user", email: eraseUser.user.email }]);
    expect(await sql(url, "select body, author_id = $1 as hers from app.comments", [user])).toEqual([
      { body: "Kept", hers: false },
    ]);
  }
  expect((await app.ask(ERASE, { id: user })).eraseUser.complete).toBe(true);
});

test("a region that is down is named as pending, and erased when it is back", async () => {
  const { user, locations } = await personEverywhere();
  await own.server.stop("immediate");
  const { eraseUser } = await app.ask(ERASE, { id: user });
  expect(eraseUser.complete).toBe(false);
  // Each of the region's databases may know the person's id.
  expect(new Set(eraseUser.pending.map(({ region }: any) => region.key))).toEqual(new Set(["own"]));
  const { jobs } = await app.ask("{ jobs(first: 100) { edges { node { kind subject state lastError } } } }");
  const erasures = jobs.edges.map(({ node }: any) => node).filter(({ kind }: any) => kind === "erase-user");
  expect(
    erasures
      .slice(0, 3)
      .map(({ subject, state }: any) => `${subject} ${state}`)
      .toSorted(),
  ).toEqual([`user:${user} home DONE`, `user:${user} region:eu DONE`, `user:${user} region:own WAITING`]);
  expect(erasures.find(({ state }: any) => state === "WAITING").lastError).toContain("cannot be reached");
  expect((await knownThere(locations[0]?.url ?? ""))[0]?.name).toBe("Erased user");
  // Reads of the catalog say so.
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ resources { edges { node { id } } } }" }),
  });
  const { extensions } = (await response.json()) as { extensions: { replicationLag: object[] } };
  expect(extensions.replicationLag).toMatchObject([{ database: locations[1]?.database, direction: "directory" }]);

  await own.server.start();
  const there = () => knownThere(locations[1]?.url ?? "").catch(() => []);
  await eventually(async () => (await there())[0]?.name === "Erased user");
  expect((await there())[0]?.name).toBe("Erased user");
  // The job tries by itself, with pauses that grow.
  await expect
    .poll(async () => (await app.ask(ERASE, { id: user })).eraseUser, { timeout: 20_000 })
    .toMatchObject({
      complete: true,
      pending: [],
    });
  const [{ left } = { left: -1 }] = await sql<{ left: number }>(
    locations[1]?.url ?? "",
    "select count(*)::int as left from app.comments where author_id = $1",
    [user],
  );
  expect(left).toBe(0);
}, 60_000);

test("the operator sees the health of each database and server; others do not", async () => {
  const HEALTH = `{ replication {
    servers { name reachable problem headroom { setting limit used } }
    databases(first: 100) { edges { node { database flows { direction healthy parked lagBytes retainedBytes problem } } } }
  } }`;
  const user = await createUser(app);
  expect(await app.refuse(HEALTH, {}, user)).toMatchObject({ code: "FORBIDDEN" });
  const healthy = async () => {
    const { replication } = await app.ask(HEALTH);
    const flows = replication.databases.edges.flatMap((edge: any) => edge.node.flows);
    return flows.every((flow: any) => flow.healthy && flow.parked && flow.lagBytes === 0);
  };
  expect(await eventually(healthy)).toBe(true);
  const { replication } = await app.ask(HEALTH);
  expect(replication.servers.map((server: any) => server.name)).toEqual(["home", "eu", "own"]);
  expect(replication.servers[0].headroom.map((one: any) => one.setting)).toContain("max_replication_slots");
});

const tenantry = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

async function doctor(): Promise<{ code: number; output: string }> {
  const environment = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [tenantry, "doctor", "--json"], {
      env: environment,
    });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: `${stdout}${stderr}` };
  }
}

test("doctor exits 0 when all is well and 1, saying what, when something is not", async () => {
  const well = await eventually(async () => {
    const result = await doctor();
    return result.code === 0 ? result : undefined;
  });
  expect(well?.code).toBe(0);
  const { password } = new URL(serverUrl("eu"));
  expect(well?.output).not.toContain(password);
  await own.server.stop("fast");
  const ill = await doctor();
  expect(ill.code).toBe(1);
  expect(ill.output).toContain("cannot be reached");
  await own.server.start();
}, 60_000);
