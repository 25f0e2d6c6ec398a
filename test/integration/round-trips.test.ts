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
import { revokeRegionAccess } from "#engine/placements/revoke-region-access";
import { registerRegion } from "#engine/regions/register-region";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { viaPort } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/journey.ts";
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

async function grant(organizationId: string): Promise<{ id: string }> {
  const placement = await grantRegionAccess(app.services, OPERATOR, {
    organizationId,
    regionKey: "far",
    isolation: "DEDICATED",
  });
  await eventually(async () => {
    const [row] = await sql(app.databaseUrl, `select state from tenantry.placements where id = '${placement.id}'`);
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
  "registerRegion, with all that is tried": 80,
  "grant, the first of a region": 90,
  "grant, DEDICATED": 34,
  "revoke until gone": 30,
  doctor: 13,
  "migrate --verify": 28,
};

test("no operation waits for more round trips than it is allowed", async () => {
  const trips: Record<string, number> = {};
  const count = async (name: string, work: () => Promise<unknown>) => {
    // What else the process does, and a busy machine, only add to it: the least of several counts is the operation's own.
    trips[name] = Math.min(trips[name] ?? Number.POSITIVE_INFINITY, await tide.count(work));
    // Whoever made one slower sees at what it waits.
    if (trips[name] > (BARS[name] ?? 0)) process.stdout.write(`${name}\n${describeSent(tide.sent)}\n`);
  };
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
  expect(Object.keys(trips)).toEqual(Object.keys(BARS));
  expect(Object.entries(trips).filter(([name, waits]) => waits > (BARS[name] ?? 0))).toEqual([]);
}, 180_000);

function describeSent(sent: readonly (readonly string[])[]): string {
  return sent.map((texts, at) => `${at}: ${texts.join(" | ")}`).join("\n");
}
