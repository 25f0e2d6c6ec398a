/**
 * How many round trips to a region's server, or from there to the gateway, an operation waits for. What a region costs that is
 * an ocean away is this times the way there and back. Counted are waits, not messages: what is asked side by side is one.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "#engine/auth/actor";
import { findDrift } from "#engine/doctor/find-drift";
import { findOrphans } from "#engine/doctor/find-orphans";
import { findStrangeCredentials } from "#engine/doctor/find-strange-credentials";
import { migrateFleet } from "#engine/fleet/migrate-databases";
import { createOrganization } from "#engine/home/organizations";
import { readDatabasesHealth, readServersHealth } from "#engine/links/replication-health";
import { grantRegionAccess } from "#engine/placements/grant-region-access";
import { requestReadyDatabases } from "#engine/placements/ready-databases";
import { revokeRegionAccess } from "#engine/placements/revoke-region-access";
import { registerRegion } from "#engine/regions/register-region";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { viaPort } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";
import { addDatabases, openServices, schemaWith } from "../support/fleet.ts";
import { eventually } from "../support/journey.ts";
import { startServer } from "../support/servers.ts";
import { startTide } from "../support/tide.ts";

const tide = startTide();
let app: TestApp;
let organizations = 0;

beforeAll(async () => {
  const gatewayPort = await freePort();
  app = await startApp({
    gateway: {
      host: "127.0.0.1",
      port: gatewayPort,
      address: `127.0.0.1:${await tide.leadTo(gatewayPort)}`,
      homeAddress: `127.0.0.1:${gatewayPort}`,
    },
  });
});
afterAll(async () => {
  await app.stop();
  await tide[Symbol.asyncDispose]();
});

async function newOrganization(): Promise<{ id: string; name: string }> {
  organizations += 1;
  return createOrganization(app.services, OPERATOR, { name: `Far ${organizations}` });
}

/** Until the region has so many ready databases, and nothing is being done about them. */
async function keepReady(count: number): Promise<void> {
  app.services.readyDatabases = count;
  const [region] = await sql<{ id: string }>(app.databaseUrl, "select id from tenantry.regions where key = 'far'");
  await requestReadyDatabases(app.services.home, region?.id ?? "");
  const rows = () =>
    sql<{ state: string }>(
      app.databaseUrl,
      `select ready_state as state from tenantry.tenant_databases where ready_state is not null
       union all select state from tenantry.jobs where state in ('WAITING', 'RUNNING')`,
    );
  const isDone = async () => {
    const states = (await rows()).map(({ state }) => state);
    return states.length === count && states.every((state) => state === "READY");
  };
  expect(await eventually(isDone, 60_000)).toBe(true);
}

const grant = (organizationId: string) => grantIn(app, organizationId, "far");

async function grantIn(
  { services, databaseUrl }: TestApp,
  organizationId: string,
  regionKey: string,
): Promise<{ id: string }> {
  const placement = await grantRegionAccess(services, OPERATOR, { organizationId, regionKey, isolation: "DEDICATED" });
  await eventually(async () => {
    const [row] = await sql(databaseUrl, `select state from tenantry.placements where id = '${placement.id}'`);
    return row?.["state"] === "ACTIVE";
  }, 60_000);
  return placement;
}

async function revoke(placementId: string, confirm: string): Promise<void> {
  await revokeRegionAccess(app.services, OPERATOR, { placementId, confirm, skipGrace: true, exportFirst: false });
  await eventually(async () => {
    const rows = await sql(app.databaseUrl, `select from tenantry.placements where id = '${placementId}'`);
    return rows.length === 0;
  }, 60_000);
}

/** What `tenantry doctor` asks. */
function doctor(): Promise<unknown> {
  const { services } = app;
  return Promise.all([
    readServersHealth(services, OPERATOR),
    readDatabasesHealth(services, OPERATOR, { after: 0, limit: 100 }),
    findOrphans(services),
    findDrift(services),
    findStrangeCredentials(services),
  ]);
}

/**
 * What each may wait for at most: what it waited for when this was written, and a quarter more, which other work of the process
 * takes on a busy machine. What can be asked only once gets more.
 */
const BARS: Record<string, number> = {
  "registerRegion, with all that is tried": 20,
  "grant, the first of a region": 50,
  "grant, DEDICATED": 22,
  "grant, from a ready database": 12,
  "revoke until gone": 18,
  doctor: 10,
  "migrate --verify": 15,
};
const FLEET_BARS: Record<string, number> = { "migrate, ten databases in three regions": 40 };

/** Counts operations by their names. What else the process does, and a busy machine, only add to it: the least of several counts is the operation's own. */
class Counts {
  readonly #bars: Record<string, number>;
  readonly #trips: Record<string, number> = {};

  constructor(bars: Record<string, number>) {
    this.#bars = bars;
  }

  async count(name: string, work: () => Promise<unknown>): Promise<void> {
    const trips = await tide.count(work);
    this.#trips[name] = Math.min(this.#trips[name] ?? Number.POSITIVE_INFINITY, trips);
    // Whoever made one slower sees at what it waits.
    const isShown = process.env["SHOW_TRIPS"] !== undefined || trips > (this.#bars[name] ?? 0);
    if (isShown) process.stdout.write(`### ${name}: ${trips}\n${describeSent(tide.sent)}\n`);
  }

  /** Those that have taken more than their bar, and bars of what was not counted. */
  get exceeded(): [string, number | undefined][] {
    const all = Object.keys(this.#bars).map((name): [string, number | undefined] => [name, this.#trips[name]]);
    return all.filter(([name, trips = Number.POSITIVE_INFINITY]) => trips > (this.#bars[name] ?? 0));
  }
}

test("no operation waits for more round trips than it is allowed", async () => {
  const counts = new Counts(BARS);
  const count = counts.count.bind(counts);
  const url = viaPort(serverUrl("us"), await tide.leadTo(Number(new URL(serverUrl("us")).port)));
  await count("registerRegion, with all that is tried", () =>
    registerRegion(app.services, OPERATOR, { key: "far", name: "Far", connectionUrl: url }),
  );
  const first = await newOrganization();
  await count("grant, the first of a region", () => grant(first.id));
  await app.sweep();
  for (let round = 0; round < 3; round += 1) {
    const { id, name } = await newOrganization();
    let placement = "";
    await count("grant, DEDICATED", async () => {
      placement = (await grant(id)).id;
    });
    await app.sweep();
    await count("revoke until gone", () => revoke(placement, name));
  }
  await grant((await newOrganization()).id);
  await app.sweep();
  for (let round = 0; round < 3; round += 1) {
    await count("doctor", doctor);
    await count("migrate --verify", () => migrateFleet(app.services, "test", { verify: true }));
  }
  for (let round = 0; round < 3; round += 1) {
    await keepReady(1);
    const { id } = await newOrganization();
    await count("grant, from a ready database", () => grant(id));
  }
  await keepReady(0);
  expect(counts.exceeded).toEqual([]);
}, 180_000);

test("a fleet is migrated side by side", async () => {
  await using third = await startServer();
  const servers = { eu: serverUrl("eu"), us: serverUrl("us"), third: third.url() };
  const first = await startApp();
  for (const [key, server] of Object.entries(servers)) {
    const url = viaPort(server, await tide.leadTo(Number(new URL(server).port)));
    await registerRegion(first.services, OPERATOR, { key, name: key, connectionUrl: url });
    // Makes the template that the others are copied from.
    await grantIn(first, (await createOrganization(first.services, OPERATOR, { name: key })).id, key);
  }
  await first.stop();
  const { databaseUrl, secretKey } = first;
  const api = await startApp({ databaseUrl, secretKey, role: "api" });
  await addDatabases(api, "eu", servers.eu, 3);
  await addDatabases(api, "us", servers.us, 2);
  await addDatabases(api, "third", servers.third, 2);
  const counts = new Counts(FLEET_BARS);
  const columns = ["one", "two"].map((name) => `alter table app.comments add column ${name} boolean;`);
  for (const upTo of [1, 2]) {
    await using services = await openServices(api, schemaWith(...columns.slice(0, upTo)));
    await counts.count("migrate, ten databases in three regions", async () => {
      expect(await migrateFleet(services, "test")).toMatchObject({ migrated: 10, failed: [], drifted: [] });
    });
  }
  await api.stop();
  expect(counts.exceeded).toEqual([]);
}, 180_000);

function describeSent(sent: readonly (readonly string[])[]): string {
  return sent.map((texts, at) => `${at}: ${texts.join(" | ")}`).join("\n");
}
