/** Many dedicated tenant databases on one region's server, made by grants, with something to read in each. */
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createApiKey } from "../src/engine/auth/api-keys.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { newRoutedId } from "../src/base/kernel/ids.ts";
import { waitFor } from "../src/base/kernel/wait.ts";
import type { Services } from "../src/engine/services.ts";
import { advanceSlots } from "./advance-slots.ts";
import { ended } from "./api-process.ts";
import { startServer } from "./contestants.ts";
import { NO_SWEEP } from "./fleet.ts";
import type { Sent } from "./load.ts";
import { type BenchServer, type BenchServers, connected, sql, startServers } from "./servers.ts";
import { startWorker } from "./worker.ts";
import { grantUntilActive } from "./workload.ts";

const CONCURRENT_GRANTS = 4;
const POOL_SIZE = 2;
const CARRIED_WITHIN_MS = 60_000;

export type Tenant = { database: string; resourceId: string; key: string };
/** `bareUrl` is for whoever starts the bare server; `operatorKey` signs in for all tenants. */
export type Tenants = {
  servers: BenchServers;
  connection: { databaseUrl: string; secretKey: string };
  tenants: Tenant[];
  operatorKey: string;
  startBare: () => Promise<{ port: number; pid: number; stop: () => Promise<void> }>;
  stop: () => Promise<void>;
};

/** Starts servers and a worker and makes `size` databases. */
export async function furnishTenants(size: number): Promise<Tenants> {
  const stack = new AsyncDisposableStack();
  try {
    // Grants keep a tenth of the slots free.
    const room = String(Math.ceil(size * 1.25) + 50);
    const servers = await startServers({
      fsync: false,
      settings: {
        max_replication_slots: room,
        max_active_replication_origins: room,
        // Too many connections are to be counted, not refused.
        max_connections: String(size + 200),
      },
    });
    stack.defer(servers.stop);
    await sql(servers.home.url("postgres"), "create database bench_home");
    const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
    // Each new database writes some MB that the slots of all others must pass: sweeping meanwhile would be quadratic.
    const granting = await startWorker(connection, NO_SWEEP);
    const grantingEnds = stack.use(new AsyncDisposableStack());
    grantingEnds.defer(() => granting.close());
    const tenants = await makeTenants(granting.services, servers, size);
    await grantingEnds.disposeAsync();
    await untilIdle(servers);
    for (const server of [servers.home, servers.region]) await advanceSlots(server);
    // Another one, without the connections that the grants have left.
    const worker = await startWorker(connection);
    stack.defer(() => worker.close());
    const operator = { name: "Bench", organizationId: null, role: null, expiresInDays: 1 };
    const { secret } = await createApiKey(worker.services, OPERATOR, operator);
    const startBare = async () => {
      const { port, pid, child } = await startServer("bare-many.ts", [
        servers.region.url("postgres"),
        String(POOL_SIZE),
      ]);
      return { port, pid, stop: () => ended(child) };
    };
    const all = stack.move();
    return { servers, connection, tenants, operatorKey: secret, startBare, stop: () => all.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Until nothing replicates. */
async function untilIdle({ home, region }: BenchServers): Promise<void> {
  const active = async (server: BenchServer) =>
    (await sql(server.url("postgres"), "select from pg_replication_slots where active")).length;
  const done = await waitFor(async () => ((await active(home)) + (await active(region)) === 0 ? true : undefined), {
    timeoutMs: CARRIED_WITHIN_MS,
    pauseMs: 100,
  });
  if (done === undefined) throw new Error("not everything was parked in time");
}

async function makeTenants(services: Services, servers: BenchServers, size: number): Promise<Tenant[]> {
  const home = servers.home.url("bench_home");
  await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl: servers.region.url() });
  const organizations = await sql<{ id: string }>(
    home,
    `with organization as (
       insert into tenantry.organizations (id, name)
       select gen_random_uuid(), 'Organization ' || i from generate_series(1, $1) i returning id
     ), member as (
       insert into tenantry.users (id, name, email) select id, 'Member', id || '@example.com' from organization returning id
     ) select id from organization`,
    [size],
  );
  await sql(
    home,
    "insert into tenantry.memberships (organization_id, user_id, role) select id, id, 'MEMBER' from tenantry.organizations",
  );
  const tenants: Tenant[] = [];
  const queue = organizations.map(({ id }) => id);
  const granter = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      tenants.push(await makeTenant(services, servers, next));
      if (tenants.length % 100 === 0) process.stderr.write(`${tenants.length} tenant databases\n`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_GRANTS }, granter));
  return tenants;
}

/** A database with one resource and 30 comments. */
async function makeTenant(services: Services, servers: BenchServers, organizationId: string): Promise<Tenant> {
  const { database, databaseId, number } = await grantUntilActive(services, {
    organizationId,
    regionKey: "bench",
    isolation: "DEDICATED",
  });
  const resourceId = newRoutedId(number);
  await connected(servers.region.url(database), async (client) => {
    await client.query(
      `insert into app.resources (database_id, id, organization_id, name) values ($1, $2, $3, 'A resource')`,
      [databaseId, resourceId, organizationId],
    );
    await client.query(
      `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
       select id, $1, $2, $3, $2, left(repeat('A note about what was seen today. ', 4), 115) from unnest($4::uuid[]) as c (id)`,
      [databaseId, organizationId, resourceId, Array.from({ length: 30 }, () => newRoutedId(number))],
    );
  });
  const late = await services.nudges.carry([{ databaseId, direction: "catalog" }], CARRIED_WITHIN_MS);
  if (late.length > 0) throw new Error("a new resource did not reach the catalog in time");
  const options = { name: "Bench", organizationId, role: "MEMBER", expiresInDays: 1 } as const;
  const { secret } = await createApiKey(services, OPERATOR, options);
  return { database, resourceId, key: secret };
}

const CONTENT = "id name comments(first: 20) { edges { node { id body author { name } } } }";
const JSON_HEADERS = { "content-type": "application/json" };

/** One operation that reads the resources of these tenants. */
export function asksTenantry(tenants: readonly Tenant[], key: string): Sent {
  const fields = tenants.map((_, index) => `r${index}: resource(id: $id${index}) { ${CONTENT} }`);
  const variables = Object.fromEntries(tenants.map(({ resourceId }, index) => [`id${index}`, resourceId]));
  const query = `query (${tenants.map((_, index) => `$id${index}: ID!`).join()}) { ${fields.join(" ")} }`;
  return {
    path: "/graphql",
    headers: { ...JSON_HEADERS, authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  };
}

export function asksBare(tenants: readonly Tenant[], cold: boolean): Sent {
  const asked = tenants.map(({ database, resourceId }) => ({ database, id: resourceId }));
  return { path: "/", headers: JSON_HEADERS, body: JSON.stringify({ asked, cold }) };
}
