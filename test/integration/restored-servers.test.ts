/** A server that comes back from an older backup has forgotten what others remember of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { backUp, type OwnServer, startServer } from "../support/servers.ts";

let home: OwnServer;
let region: OwnServer;
let app: TestApp;
let organization: string;
let tenant: string;
let installation: Installation;

beforeAll(async () => {
  [home, region] = await Promise.all([startServer(), startServer()]);
  app = await startApp({
    homeServer: home.url(),
    replication: {
      sweepIntervalMs: 3_600_000,
      carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 },
      limits: { maxRetainedBytes: 1024 * 1024 * 1024, maxAgeMs: 3_600_000 },
    },
  });
  await registerRegion(app, "own", region.url());
  organization = await createOrganization(app, "Restored");
  tenant = region.url((await grant(app, organization, "own")).database);
  installation = { homeUrl: app.databaseUrl, regionUrl: (_, database) => region.url(database) };
});
afterAll(async () => {
  await app.stop();
  await home[Symbol.asyncDispose]();
  await region[Symbol.asyncDispose]();
});

const atRest = () => expect.poll(() => findUnrest(installation), { timeout: 15_000 }).toEqual([]);

async function work(name: string): Promise<void> {
  await createResource(app, { name, organizationId: organization });
  await addMember(app, organization, await createUser(app, name));
  await atRest();
}

/** A link that does not get on is given up after 1.5 s, and after twice as long each time: a busy machine gets some tries. */
async function agreement(): Promise<void> {
  await expect
    .poll(
      async () => {
        // The sweep may come while this process has not found back to a server.
        await app.sweep().catch(() => undefined);
        return findDifferences(installation).catch((error: unknown) => [String(error)]);
      },
      { timeout: 60_000 },
    )
    .toEqual([]);
  await atRest();
}

async function restored(server: OwnServer, between: () => Promise<void>): Promise<void> {
  await server.server.stop();
  const { restore } = backUp(server);
  await server.server.start();
  await between();
  await server.server.stop();
  restore();
  await server.server.start();
}

const names = async (url: string, table: string) =>
  (await sql<{ name: string }>(url, `select name from ${table} order by name`)).map(({ name }) => name);

test("a region that was restored gets the directory of today, and the catalog loses what the region has lost", async () => {
  await work("Kept");
  await restored(region, async () => {
    await expect.poll(() => findDifferences(installation).catch(() => ["away"]), { timeout: 15_000 }).toEqual([]);
    await work("Forgotten");
    await app.sweep();
    // As where Tenantry's role may not read origins: the end of the WAL has to tell.
    await sql(app.databaseUrl, "update tenantry.links set origin_lsn = null");
  });
  await agreement();
  expect(await names(tenant, "tenantry.directory_members")).toEqual(["Forgotten", "Kept"]);
  expect(await names(app.databaseUrl, "catalog.resources")).toEqual(["Kept"]);
}, 120_000);

test("a home that was restored gets the catalog of today, and the region loses members that home has lost", async () => {
  await restored(home, async () => {
    await expect.poll(() => findDifferences(installation).catch(() => ["away"]), { timeout: 15_000 }).toEqual([]);
    // This process finds back to home a moment after we do.
    await expect.poll(() => createUser(app, "Back").catch(() => undefined), { timeout: 15_000 }).toBeDefined();
    await work("Since");
  });
  await agreement();
  expect(await names(app.databaseUrl, "catalog.resources")).toContain("Since");
  expect(await names(tenant, "tenantry.directory_members")).not.toContain("Since");
}, 120_000);
