/**
 * Measures a scrape with many tenant databases, and what counting costs each request. A scrape looks at rows at home, at slots
 * and at subscriptions. So the databases are rows at home, with real slots and disabled subscriptions. `--databases=1000`,
 * `--regions=3`, `--scrapes=20`.
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import pg from "pg";
import { Metrics } from "../src/base/observability/metrics.ts";
import { WaitTimes } from "../src/base/postgres/pool-usage.ts";
import { delay } from "../src/base/kernel/wait.ts";
import { linkName } from "../src/engine/replication/names.ts";
import { report } from "./part.ts";
import { type BenchServer, connected, sql, startServers } from "./servers.ts";
import { serverCpuSeconds } from "./server-usage.ts";
import { median, percentile } from "./statistics.ts";
import { digits, table } from "./table.ts";
import { startWorker } from "./worker.ts";

const { values: flags } = parseArgs({
  options: {
    databases: { type: "string", default: "1000" },
    regions: { type: "string", default: "3" },
    scrapes: { type: "string", default: "20" },
  },
});
const DATABASES = Number(flags.databases);
const REGIONS = Number(flags.regions);
const SCRAPES = Number(flags.scrapes);
/** What was read serves for 1.5 s, or for twenty times as long as reading took. */
const UNTIL_ANEW_MS = 1_600;
const MANY = 1_000_000;

const slots = String(DATABASES + 50);
const servers = await startServers({
  fsync: false,
  regions: REGIONS,
  settings: { max_replication_slots: slots, max_active_replication_origins: slots },
});
await sql(servers.home.url("postgres"), "create database bench_home");
const databaseUrl = servers.home.url("bench_home");
const app = await startWorker(
  { databaseUrl, secretKey: servers.secretKey },
  // A sweep would find that the databases are not there.
  { sweepIntervalMs: 3_600_000 },
  { role: "all", metricsListen: { host: "127.0.0.1", port: 0 } },
);

/** The statements that this process sends. */
let statements = 0;
const prototype = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown };
const { query } = prototype;
prototype.query = function count(...args) {
  statements += 1;
  return query.apply(this, args);
};

async function register(): Promise<void> {
  for (const [index, region] of servers.regions.entries()) {
    const input = { key: `region-${index}`, name: `Region ${index}`, connectionUrl: region.url() };
    const response = await fetch(`${app.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        query: "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }",
        variables: { input },
      }),
    });
    const { errors } = (await response.json()) as { errors?: unknown };
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
  }
}

type Made = { id: number; region: number };

/** Rows at home, for so many databases in the regions by turns. */
async function makeRows(count: number): Promise<Made[]> {
  return connected(databaseUrl, async (client) => {
    // Nothing tells the worker, which would go and mend them.
    await client.query("set session_replication_role = replica");
    const { rows } = await client.query<Made>(
      `with region as (select id, (row_number() over (order by key) - 1)::int as n from tenantry.regions),
       made as (
         insert into tenantry.tenant_databases (region_id, isolation, name, engine_version, app_version)
         select r.id, 'DEDICATED', 'bench_' || i, 1, 1
         from generate_series(1, $1::int) i join region r on r.n = i % $2::int returning id, region_id
       ), organization as (
         insert into tenantry.organizations (id, name) select gen_random_uuid(), 'Bench ' || id from made returning id, name
       ), placement as (
         insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
         select gen_random_uuid(), o.id, m.region_id, m.id, 'DEDICATED', 'ACTIVE'
         from made m join organization o on o.name = 'Bench ' || m.id
       ), link as (
         insert into tenantry.links (database_id, direction, carried_at, wakes, seeds)
         select m.id, d, now(), 10, 1 from made m cross join unnest(array['directory', 'catalog']) d
       )
       select made.id, region.n as region from made join region on region.id = made.region_id`,
      [count, REGIONS],
    );
    return rows;
  });
}

/** A slot of each link on the server that publishes, and a disabled subscription on the other one. */
async function makeLinks(made: readonly Made[]): Promise<void> {
  const { installation } = app.services;
  const names = (direction: "directory" | "catalog", of: readonly Made[]) =>
    of.map(({ id }) => linkName(installation, id, direction));
  const makeAt = (server: BenchServer, database: string, published: string[], subscribed: string[]) =>
    connected(server.url(database), async (client) => {
      for (const name of published)
        await client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
      for (const name of subscribed)
        await client.query(
          `create subscription "${name}" connection 'host=127.0.0.1' publication "${name}"
           with (connect = false, enabled = false, create_slot = false, slot_name = "${name}")`,
        );
    });
  await Promise.all([
    makeAt(servers.home, "bench_home", names("directory", made), names("catalog", made)),
    ...servers.regions.map((region, index) => {
      const here = made.filter((one) => one.region === index);
      return makeAt(region, "postgres", names("catalog", here), names("directory", here));
    }),
  ]);
}

type Cost = { ms: number; statements: number; bytes: number; series: number; cpuMs: number };

async function scrape(): Promise<Cost> {
  const [asked, began, cpu] = [statements, performance.now(), process.cpuUsage()];
  const text = await (await fetch(app.metricsUrl ?? "")).text();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const series = text.split("\n").filter((line) => line.startsWith("tenantry_")).length;
  return { ms, statements: statements - asked, bytes: text.length, series, cpuMs: (user + system) / 1_000 };
}

const cpuOfServers = () =>
  [servers.home, ...servers.regions].reduce((sum, { postmaster }) => sum + serverCpuSeconds(postmaster), 0);

async function measureScrapes(databases: number): Promise<(string | number)[]> {
  let longest = (await scrape()).ms;
  const costs: Cost[] = [];
  const before = cpuOfServers();
  for (let index = 0; index < SCRAPES; index += 1) {
    await delay(Math.max(UNTIL_ANEW_MS, 21 * longest));
    const cost = await scrape();
    costs.push(cost);
    longest = Math.max(longest, cost.ms);
  }
  const serversMs = ((cpuOfServers() - before) * 1_000) / SCRAPES;
  const again = await scrape();
  const of = (what: keyof Cost) => digits(median(costs.map((cost) => cost[what])));
  const most = digits(
    percentile(
      costs.map(({ ms }) => ms),
      1,
    ),
  );
  return [
    databases,
    of("ms"),
    most,
    of("cpuMs"),
    digits(serversMs),
    of("statements"),
    of("series"),
    of("bytes"),
    digits(again.ms),
  ];
}

/** Nanoseconds that one of them takes. */
function measureOne(count: (index: number) => void): string {
  for (let index = 0; index < MANY / 10; index += 1) count(index);
  const began = performance.now();
  for (let index = 0; index < MANY; index += 1) count(index);
  return digits(((performance.now() - began) * 1e6) / MANY);
}

try {
  await register();
  const few = await measureScrapes(0);
  await makeLinks(await makeRows(DATABASES));
  const many = await measureScrapes(DATABASES);
  const head = [
    "tenant databases",
    "scrape, ms",
    "worst",
    "CPU of the process, ms",
    "of the servers, ms",
    "statements",
    "series",
    "bytes",
    "again at once, ms",
  ];
  const metrics = new Metrics();
  const waits = new WaitTimes();
  const counted = [
    ["an operation", measureOne(() => metrics.operation("query", "ok", 0.004))],
    ["a wait for a connection, with its clock", measureOne(() => waits.add(performance.now() - performance.now()))],
    ["an error", measureOne(() => metrics.errorAnswered("NOT_FOUND"))],
  ];
  const text = [table(head, [few, many]), table(["counted", "ns"], counted)].join("\n\n");
  const what = `a scrape of ${DATABASES} tenant databases`;
  report({ title: "A scrape", text, bars: [{ what, measured: Number(many[1]), unit: "ms", open: true }] });
} finally {
  await app.close();
  await servers.stop();
}
