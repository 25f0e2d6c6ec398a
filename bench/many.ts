/** Many dedicated tenant databases: read at random, several in one operation, and each for the first time. */
import { OPERATOR } from "../src/auth/actor.ts";
import { createApiKey } from "../src/auth/api-keys.ts";
import { registerRegion } from "../src/directory/regions.ts";
import { newRoutedId } from "../src/kernel/ids.ts";
import { startApp } from "../src/main.ts";
import { grantRegionAccess } from "../src/operations/grant-region-access.ts";
import type { Services } from "../src/operations/services.ts";
import { ended } from "./api-process.ts";
import type { Bar, Part } from "./bars.ts";
import { type Contestant, startServer, startTenantry } from "./contestants.ts";
import type { Sent } from "./load.ts";
import { measure, type Measured, middle, sendLoad } from "./measure.ts";
import { type BenchServers, connected, sql, startServers } from "./servers.ts";
import { median, percentile, shuffled } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";

const CONCURRENT_GRANTS = 4;
const CONNECTIONS = 32;
const FANNED_OUT = 8;
const FAN_OUT_CONNECTIONS = 4;
const COLD_TENANTS = 200;
const COLD_AT_ONCE = 25;
const SAMPLE_MS = 200;
const MOST_CONNECTIONS = 60;
const SECONDS_AT_RANDOM = 20;

type Tenant = { database: string; resourceId: string; key: string };
type Bare = { port: number; pid: number };

/** Makes `size` databases through grants, then measures all three. */
export async function measureMany(size: number, rounds: { rounds: number; seconds: number }): Promise<Part[]> {
  await using stack = new AsyncDisposableStack();
  const room = String(size + 100);
  const servers = await startServers({
    fsync: false,
    settings: { max_replication_slots: room, max_active_replication_origins: room },
  });
  stack.defer(servers.stop);
  await sql(servers.home.url("postgres"), "create database bench_home");
  const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
  const quiet = { host: "127.0.0.1", port: 0, logLevel: "error", prettyLogs: false } as const;
  const worker = await startApp({ ...connection, ...quiet, role: "worker" });
  stack.defer(() => worker.close());
  const tenants = await makeTenants(worker.services, servers, size);
  const operator = { name: "Bench", organizationId: null, role: null, expiresInDays: 1 };
  const { secret } = await createApiKey(worker.services, OPERATOR, operator);
  const { port, pid, child } = await startServer("bare-many.ts", [servers.region.url("postgres"), "2"]);
  const bare: Bare = { port, pid };
  const beside = stack.use(new AsyncDisposableStack());
  beside.defer(() => ended(child));
  const cold = await measureCold(connection, bare, tenants);
  const ours = await startTenantry(connection);
  stack.defer(ours.stop);
  const fanOut = await measureFanOut(ours, bare, tenants, secret, rounds);
  // Its connections are gone before those of Tenantry are counted.
  await beside.disposeAsync();
  const random = await measureRandom(ours, servers, tenants);
  return [random, fanOut, cold];
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
  const input = { organizationId, regionKey: "bench", isolation: "DEDICATED" } as const;
  let placement = await grantRegionAccess(services, OPERATOR, input);
  // It returns after 5 s with the state reached; the same placement when called again.
  for (let again = 0; placement.state === "PROVISIONING" && again < 12; again += 1)
    placement = await grantRegionAccess(services, OPERATOR, input);
  if (placement.state !== "ACTIVE") throw new Error(`the placement is ${placement.state}: ${placement.failure}`);
  const { database, databaseId, number } = placement;
  const resourceId = newRoutedId(number);
  await connected(servers.region.url(database), async (client) => {
    await client.query(
      `insert into tenantry.resources (database_id, id, organization_id, name) values ($1, $2, $3, 'A resource')`,
      [databaseId, resourceId, organizationId],
    );
    await client.query(
      `insert into tenantry.comments (id, database_id, organization_id, resource_id, author_id, body)
       select id, $1, $2, $3, $2, left(repeat('A note about what was seen today. ', 4), 115) from unnest($4::uuid[]) as c (id)`,
      [databaseId, organizationId, resourceId, Array.from({ length: 30 }, () => newRoutedId(number))],
    );
  });
  const options = { name: "Bench", organizationId, role: "MEMBER", expiresInDays: 1 } as const;
  const { secret } = await createApiKey(services, OPERATOR, options);
  return { database, resourceId, key: secret };
}

const CONTENT = "id name comments(first: 20) { edges { node { id body author { name } } } }";
const JSON_HEADERS = { "content-type": "application/json" };

/** One operation that reads the resources of these tenants. */
function asksTenantry(tenants: readonly Tenant[], key: string): Sent {
  const fields = tenants.map((_, index) => `r${index}: resource(id: $id${index}) { ${CONTENT} }`);
  const variables = Object.fromEntries(tenants.map(({ resourceId }, index) => [`id${index}`, resourceId]));
  const query = `query (${tenants.map((_, index) => `$id${index}: ID!`).join()}) { ${fields.join(" ")} }`;
  return {
    path: "/graphql",
    headers: { ...JSON_HEADERS, authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  };
}

function asksBare(tenants: readonly Tenant[], cold: boolean): Sent {
  const asked = tenants.map(({ database, resourceId }) => ({ database, id: resourceId }));
  return { path: "/", headers: JSON_HEADERS, body: JSON.stringify({ asked, cold }) };
}

async function measureRandom(ours: Contestant, servers: BenchServers, tenants: readonly Tenant[]): Promise<Part> {
  const requests = shuffled([...tenants, ...tenants, ...tenants], 3).map((tenant) =>
    asksTenantry([tenant], tenant.key),
  );
  const order = { ports: ours.ports, connections: CONNECTIONS, requests };
  const counts: number[] = [];
  let isRunning = true;
  const sampling = connected(servers.region.url("postgres"), async (client) => {
    while (isRunning) {
      const { rows } = await client.query<{ n: number }>(
        "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      );
      counts.push(rows[0]?.n ?? 0);
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  });
  const result = await sendLoad("random reads", { ...order, seconds: SECONDS_AT_RANDOM }).finally(() => {
    isRunning = false;
  });
  await sampling;
  const at = (share: number) => digits(percentile(result.latencies, share));
  const most = Math.max(...counts);
  const text = table(
    ["tenant databases", "per s", "p50 ms", "p90 ms", "p99 ms", "worst ms", "connections, median", "connections, most"],
    [
      [
        tenants.length,
        digits(result.answered / result.seconds),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1),
        digits(median(counts)),
        most,
      ],
    ],
  );
  const what = `server connections with ${tenants.length} tenant databases in random use`;
  return { title: "In random use", text, bars: [{ what, measured: most, most: MOST_CONNECTIONS, unit: "" }] };
}

async function measureFanOut(
  ours: Contestant,
  bare: Bare,
  tenants: readonly Tenant[],
  key: string,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Part> {
  const eight = tenants.slice(0, FANNED_OUT);
  const each = [
    {
      name: "bare `Promise.all`",
      ports: [bare.port],
      pids: [bare.pid],
      requests: [asksBare(eight, false)],
      results: [] as Measured[],
    },
    {
      name: "Tenantry, one operation",
      ports: ours.ports,
      pids: ours.pids,
      requests: [asksTenantry(eight, key)],
      results: [] as Measured[],
    },
  ];
  for (let round = -1; round < rounds; round += 1)
    for (const { name, ports, pids, requests, results } of round % 2 === 0 ? each : each.toReversed()) {
      const order = { ports, connections: FAN_OUT_CONNECTIONS, seconds: round < 0 ? 2 : seconds, requests };
      const measured = await measure(name, order, pids);
      if (round >= 0) results.push(measured);
    }
  const [base, other] = each.map(({ results }) => middle(results));
  if (base === undefined || other === undefined) throw new Error("nothing was measured");
  const text = table(
    ["", "per s", "p50 ms", "to bare", "p99 ms", "CPU ms"],
    each.map(({ name }, index) => {
      const one = index === 0 ? base : other;
      return [
        name,
        digits(one.perSecond),
        digits(one.p50),
        ratio(one.p50, base.p50),
        digits(one.p99),
        digits(one.cpuMs),
      ];
    }),
  );
  const bars: Bar[] = [{ what: "fan-out over 8 databases, p50, to bare", measured: other.p50 / base.p50, most: 1.25 }];
  return { title: `Fan-out over ${FANNED_OUT} databases, ${FAN_OUT_CONNECTIONS} connections`, text, bars };
}

/** Each tenant once, one after another, by turns with the bare server: nothing is open to its database. */
async function measureCold(
  connection: { databaseUrl: string; secretKey: string },
  bare: Bare,
  tenants: readonly Tenant[],
): Promise<Part> {
  const ours = await startTenantry(connection);
  const [bareMs, oursMs]: [number[], number[]] = [[], []];
  try {
    const last = Math.min(COLD_TENANTS, tenants.length);
    for (let from = FANNED_OUT; from < last; from += COLD_AT_ONCE) {
      const some = tenants.slice(from, Math.min(from + COLD_AT_ONCE, last));
      const order = { connections: 1, seconds: 60, once: true };
      const askBare = async () => {
        const requests = some.map((tenant) => asksBare([tenant], true));
        bareMs.push(...(await sendLoad("cold, bare", { ...order, ports: [bare.port], requests })).latencies);
      };
      const askOurs = async () => {
        const requests = some.map((tenant) => asksTenantry([tenant], tenant.key));
        oursMs.push(...(await sendLoad("cold, Tenantry", { ...order, ports: ours.ports, requests })).latencies);
      };
      for (const work of (from / COLD_AT_ONCE) % 2 < 1 ? [askBare, askOurs] : [askOurs, askBare]) await work();
    }
  } finally {
    await ours.stop();
  }
  const text = table(
    ["", "p50 ms", "to bare", "p90 ms", "p99 ms"],
    [
      ["bare: connect and query", bareMs],
      ["Tenantry: first request of a tenant", oursMs],
    ].map(([name, values]) => {
      const ms = values as number[];
      return [
        name as string,
        digits(median(ms)),
        ratio(median(ms), median(bareMs)),
        digits(percentile(ms, 0.9)),
        digits(percentile(ms, 0.99)),
      ];
    }),
  );
  const measured = median(oursMs) / median(bareMs);
  return {
    title: "Cold tenants",
    text,
    bars: [{ what: "first request of a cold tenant, to bare", measured, most: 1.5 }],
  };
}
