/**
 * Round trips that each operation costs to a region that is far away: its median time with a delay, less its median time
 * without one, by the delay. Home and the API are in one place. What passes between them and the regions, and between the
 * regions' servers and the gateway, is held back. `--delay=100` ms there and back, `--rounds=5`, `--only=grant`: the operations with this in
 * their name.
 */
import { parseArgs } from "node:util";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { findDrift } from "../src/engine/doctor/find-drift.ts";
import { findOrphans } from "../src/engine/doctor/find-orphans.ts";
import { findStrangeCredentials } from "../src/engine/doctor/find-strange-credentials.ts";
import { addMember } from "../src/engine/home/memberships.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import { createUser } from "../src/engine/home/users.ts";
import { readDatabasesHealth, readServersHealth } from "../src/engine/links/replication-health.ts";
import { migrateFleet } from "../src/engine/fleet/migrate-databases.ts";
import { revokeRegionAccess } from "../src/engine/placements/revoke-region-access.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { waitFor } from "../src/base/kernel/wait.ts";
import { freePort } from "./api-process.ts";
import { startFarWay } from "./far.ts";
import { report } from "./part.ts";
import { sql, startServers } from "./servers.ts";
import { median } from "./statistics.ts";
import { digits, table } from "./table.ts";
import { startWorker } from "./worker.ts";
import { grantUntilActive } from "./workload.ts";

const { values: flags } = parseArgs({
  options: {
    delay: { type: "string", default: "100" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
  },
});
const DELAY_MS = Number(flags.delay);
const ROUNDS = Number(flags.rounds);
const REGIONS = 3;
/** More than a link stays awake after it was used at home's side of a short way. */
const REST_MS = 700;
/** Rounds that are not measured. */
const WARM_UPS = 3;

let roundTripMs = 0;
const servers = await startServers({ fsync: false, regions: REGIONS });
await sql(servers.home.url("postgres"), "create database bench_home");
const gatewayPort = await freePort();
const toGateway = await startFarWay(gatewayPort, () => roundTripMs);
const ways = [toGateway];
const app = await startWorker(
  { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey },
  {},
  {
    role: "all",
    gateway: {
      host: "127.0.0.1",
      port: gatewayPort,
      address: `127.0.0.1:${toGateway.port}`,
      homeAddress: `127.0.0.1:${gatewayPort}`,
    },
  },
);
const { services } = app;
const atHome = servers.home.url("bench_home");
let count = 0;

/** The URL of a region by way of a port that only this name has, so that it can be registered under the delay. */
async function farUrl(region: number): Promise<string> {
  const url = new URL(servers.regions[region]?.url() ?? "");
  const way = await startFarWay(Number(url.port), () => roundTripMs);
  ways.push(way);
  url.port = String(way.port);
  return url.href.replace(/\/$/, "");
}

async function ask<Data>(query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown };
  if (data === undefined || errors !== undefined) throw new Error(`it was refused: ${JSON.stringify(errors)}`);
  return data;
}

async function newOrganization(name = `Organization ${(count += 1)}`): Promise<string> {
  return (await createOrganization(services, OPERATOR, { name })).id;
}

const grant = (organizationId: string, regionKey: string, isolation: "DEDICATED" | "SHARED" = "DEDICATED") =>
  grantUntilActive(services, { organizationId, regionKey, isolation });

async function createResource(organizationId: string, regionKey: string): Promise<string> {
  const input = { name: `Resource ${(count += 1)}`, organizationId, regionKey };
  const { it } = await ask<{ it: { id: string } }>(
    "mutation ($input: CreateResourceInput!) { it: createResource(input: $input) { id } }",
    { input },
  );
  return it.id;
}

const comment = (resourceId: string, authorId: string) =>
  ask("mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }", {
    input: { resourceId, authorId, body: "A note" },
  });

const read = (id: string) =>
  ask(
    "query ($id: ID!) { resource(id: $id) { name comments(first: 5) { edges { node { body author { name } } } } } }",
    {
      id,
    },
  );

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const found = await waitFor(async () => ((await look()) ? true : undefined), { timeoutMs: 120_000, pauseMs: 2 });
  if (found === undefined) throw new Error(`it never came to this: ${what}`);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function revoked(placementId: string, confirm: string): Promise<void> {
  await revokeRegionAccess(services, OPERATOR, { placementId, confirm, skipGrace: true, exportFirst: false });
  await until("the placement is gone", async () => {
    const rows = await sql(atHome, `select from tenantry.placements where id = '${placementId}'`);
    return rows.length === 0;
  });
}

/** What `tenantry doctor` asks, in the same way. */
async function doctor(): Promise<void> {
  await Promise.all([
    readServersHealth(services, OPERATOR),
    readDatabasesHealth(services, OPERATOR, { after: 0, limit: 100 }),
    findOrphans(services),
    findDrift(services),
    findStrangeCredentials(services),
  ]);
}

/** An operation and what is made ready for it before each round. */
type Operation = { name: string; ready: () => Promise<() => Promise<unknown>> };

const operation = <Ready>(
  name: string,
  ready: () => Promise<Ready>,
  run: (ready: Ready) => Promise<unknown>,
): Operation => ({
  name,
  ready: async () => {
    const state = await ready();
    return () => run(state);
  },
});

for (let region = 0; region < REGIONS; region += 1)
  await registerRegion(services, OPERATOR, {
    key: `far-${region}`,
    name: `Far ${region}`,
    connectionUrl: await farUrl(region),
  });
const organizationId = await newOrganization();
const author = await createUser(services, OPERATOR, { name: "Author", email: "author@example.com" });
await addMember(services, OPERATOR, { organizationId, userId: author.id, role: "MEMBER" });
const resources: string[] = [];
for (let region = 0; region < REGIONS; region += 1) {
  await grant(organizationId, `far-${region}`);
  const id = await createResource(organizationId, `far-${region}`);
  await comment(id, author.id);
  resources.push(id);
}
const [resource = ""] = resources;
for (let one = 0; one < 3 * REGIONS; one += 1) await grant(await newOrganization(), `far-${one % REGIONS}`);
await grant(await newOrganization(), "far-0", "SHARED");
const nothing = () => Promise.resolve(undefined);

const OPERATIONS: Operation[] = [
  operation(
    "read with comments, warm",
    () => read(resource),
    () => read(resource),
  ),
  operation(
    "createComment, warm",
    () => read(resource),
    () => comment(resource, author.id),
  ),
  operation(
    "list over 3 regions with comments and authors",
    () => list(),
    () => list(),
  ),
  operation(
    "createResource, right after another",
    () => createResource(organizationId, "far-0"),
    () => createResource(organizationId, "far-0"),
  ),
  operation(
    "createResource, 0.7 s after another",
    async () => {
      await createResource(organizationId, "far-0");
      await pause(REST_MS);
    },
    () => createResource(organizationId, "far-0"),
  ),
  operation(
    "grant, DEDICATED",
    () => newOrganization(),
    (id) => grant(id, "far-1"),
  ),
  operation(
    "grant, SHARED",
    () => newOrganization(),
    (id) => grant(id, "far-0", "SHARED"),
  ),
  operation(
    "revoke until gone",
    async () => {
      const name = `Revoked ${(count += 1)}`;
      return { name, placement: await grant(await newOrganization(name), "far-2") };
    },
    ({ name, placement }) => revoked(placement.id, name),
  ),
  operation("doctor", nothing, doctor),
  operation("migrate --verify, nothing to do", nothing, () => migrateFleet(services, "bench", { verify: true })),
];

function list(): Promise<unknown> {
  return ask(
    "{ resources(first: 50) { edges { node { name comments(first: 5) { edges { node { body author { name } } } } } } } }",
  );
}

const times = new Map<string, { near: number[]; far: number[] }>();
try {
  // Side by side they would not do: what a wake costs is learned.
  for (const side of ["near", "far"] as const)
    for (let round = -WARM_UPS; round < ROUNDS; round += 1) {
      roundTripMs = side === "near" ? 0 : DELAY_MS;
      for (const { name, ready } of OPERATIONS.filter((one) => one.name.includes(flags.only))) {
        const run = await ready();
        const started = performance.now();
        await run();
        const ms = performance.now() - started;
        const taken = times.get(name) ?? { near: [], far: [] };
        times.set(name, taken);
        if (round >= 0) taken[side].push(ms);
      }
    }
  const rows = [...times].map(([name, { near, far }]) => [
    name,
    digits(median(near)),
    digits(median(far)),
    ((median(far) - median(near)) / DELAY_MS).toFixed(1),
  ]);
  const tripsOf = (name: string) => Number(rows.find(([one]) => one === name)?.[3] ?? Number.NaN);
  report({
    title: "Round trips",
    text: `${DELAY_MS} ms there and back, ${ROUNDS} rounds, fsync off\n\n${table(
      ["operation", "no delay, ms", `${DELAY_MS} ms away, ms`, "round trips"],
      rows,
    )}`,
    bars: ["grant, DEDICATED", "revoke until gone"]
      .filter((name) => times.has(name))
      .map((name) => ({ what: `round trips of: ${name}`, measured: tripsOf(name), unit: "", open: true })),
  });
} finally {
  roundTripMs = 0;
  await app.close();
  for (const way of ways) await way.stop();
  await servers.stop();
}
