/**
 * Measures the gateway against replication without one. Both ways use the same two servers, in one run. It measures the time
 * from enabling to the first row, a large stream, and 100 streams that stay awake. Prints tables for RESULTS.md. `--quick`: a smoke run. `--no-fsync`.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type pg from "pg";
import { connectionOf } from "../src/engine/border/address.ts";
import { Gateway } from "../src/engine/border/gateway.ts";
import type { GatewayLink } from "../src/engine/border/options.ts";
import { delay } from "../src/base/kernel/wait.ts";
import { formatConnectionString, parseServerUrl } from "../src/base/postgres/connection-url.ts";
import { report } from "./part.ts";
import { type BenchServers, connected, startServers } from "./servers.ts";
import { median, percentile } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, fsync: { type: "boolean", default: true } },
  allowNegative: true,
});
const { quick, fsync } = flags;
const WAKES = quick ? 5 : 200;
const ROWS = quick ? 2_000 : 200_000;
const STREAMS = quick ? 5 : 100;
const AWAKE_SECONDS = quick ? 2 : 20;
const WRITES_PER_SECOND = 50;
/** One link may sign in five times a second; what comes faster waits, which is not what is measured. */
const BETWEEN_WAKES_MS = 220;
const PASSWORD = "a password of the bench alone";

type Way = "direct" | "gateway";

const SCHEMA = `create schema tenantry;
  create table tenantry.things (database_id int not null, id bigint not null, name text, primary key (database_id, id))`;

/** `bench_1_catalog`: the number's rows, published and subscribed to under this name. */
const nameOf = (number: number, way: Way) => `bench_${number}_${way}`;

async function prepare(servers: BenchServers): Promise<void> {
  for (const [server, database] of [
    [servers.region, "published"],
    [servers.home, "subscribed"],
  ] as const) {
    await connected(server.url("postgres"), (client) => client.query(`create database ${database}`));
    await connected(server.url(database), (client) => client.query(SCHEMA));
  }
}

function linkOf(servers: BenchServers, name: string): GatewayLink {
  const tables = [
    {
      table: "things",
      from: "tenantry.things",
      into: "tenantry.things",
      key: ["database_id", "id"],
      columns: ["database_id", "id", "name"],
    },
  ];
  return {
    name,
    databaseId: 1,
    direction: "catalog",
    region: { id: "00000000-0000-7000-8000-000000000000", key: "bench" },
    password: PASSWORD,
    tables,
    accepted: tables,
    publisher: {
      address: parseServerUrl(servers.region.url(), "region"),
      database: "published",
      requireOwned: () => Promise.resolve(),
    },
  };
}

function startGateway(servers: BenchServers): Promise<Gateway> {
  return Gateway.listen({
    host: "127.0.0.1",
    port: 0,
    findLink: (name) => Promise.resolve(linkOf(servers, name)),
    ledger: { crossed: () => undefined, refused: () => undefined },
    onBreach: (_, sentence) => console.error(sentence),
    report: (text, error) => console.error(text, error),
  });
}

/** Publication, slot and subscription, disabled. */
async function link(servers: BenchServers, gateway: Gateway, number: number, way: Way): Promise<string> {
  const name = nameOf(number, way);
  await connected(servers.region.url("published"), async (client) => {
    await client.query(`create publication ${name} for table tenantry.things where (database_id = ${number})
      with (publish = 'insert, update, delete')`);
    await client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
  });
  const told =
    way === "direct"
      ? formatConnectionString(parseServerUrl(servers.region.url(), "region"), "published")
      : connectionOf({ host: "127.0.0.1", port: gateway.port, parameters: new Map() }, name, PASSWORD);
  await connected(servers.home.url("subscribed"), (client) =>
    client.query(`create subscription ${name} connection '${told.replaceAll("'", "''")}' publication ${name}
      with (create_slot = false, slot_name = '${name}', copy_data = false, enabled = false, streaming = off,
            synchronous_commit = 'local')`),
  );
  return name;
}

async function untilSlot(region: pg.Client, name: string, active: boolean): Promise<void> {
  for (;;) {
    const { rows } = await region.query<{ active: boolean }>(
      "select active from pg_replication_slots where slot_name = $1",
      [name],
    );
    if (rows[0]?.active === active) return;
    await delay(2);
  }
}

/** A row waits; from enabling to the row, in ms. */
async function measureWakes(home: pg.Client, region: pg.Client, numbers: Record<Way, number>) {
  const samples: Record<Way, number[]> = { direct: [], gateway: [] };
  for (let index = 0; index < WAKES; index += 1)
    for (const way of index % 2 === 0 ? (["direct", "gateway"] as const) : (["gateway", "direct"] as const)) {
      const name = nameOf(numbers[way], way);
      await region.query("insert into tenantry.things values ($1, $2, 'a row')", [numbers[way], index]);
      const started = performance.now();
      await home.query(`alter subscription ${name} enable`);
      for (;;) {
        const { rowCount } = await home.query("select from tenantry.things where database_id = $1 and id = $2", [
          numbers[way],
          index,
        ]);
        if (rowCount === 1) break;
        await delay(1);
      }
      samples[way].push(performance.now() - started);
      await home.query(`alter subscription ${name} disable`);
      await untilSlot(region, name, false);
      if (way === "gateway") await delay(BETWEEN_WAKES_MS);
    }
  return samples;
}

/** Rows of 200 bytes in one transaction: seconds until the last has arrived, and CPU of this process, which has the gateway. */
async function measureStream(home: pg.Client, region: pg.Client, number: number, way: Way) {
  const name = nameOf(number, way);
  const cpu = process.cpuUsage();
  const started = performance.now();
  await home.query(`alter subscription ${name} enable`);
  await region.query(
    "insert into tenantry.things select $1, 1000000 + n, repeat('x', 200) from generate_series(1, $2) n",
    [number, ROWS],
  );
  for (;;) {
    const { rowCount } = await home.query("select from tenantry.things where database_id = $1 and id = $2", [
      number,
      1_000_000 + ROWS,
    ]);
    if (rowCount === 1) break;
    await delay(10);
  }
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  await home.query(`alter subscription ${name} disable`);
  await untilSlot(region, name, false);
  return { seconds, cpuMicros: user + system };
}

/** Streams that stay awake, at rest and while one of them after the other has a row. */
async function measureAwake(home: pg.Client, region: pg.Client, gateway: Gateway, names: readonly string[]) {
  const before = process.memoryUsage().rss;
  for (const name of names) await home.query(`alter subscription ${name} enable`);
  while (gateway.connections < names.length) await delay(20);
  const rows = [];
  for (const isWriting of [false, true]) {
    const loop = monitorEventLoopDelay({ resolution: 5 });
    const cpu = process.cpuUsage();
    loop.enable();
    const until = performance.now() + AWAKE_SECONDS * 1_000;
    for (let index = 0; performance.now() < until; index += 1) {
      if (isWriting)
        await region.query("insert into tenantry.things values ($1, $2, 'a row')", [
          1_000 + (index % names.length),
          2_000_000 + index,
        ]);
      await delay(1_000 / WRITES_PER_SECOND);
    }
    loop.disable();
    const { user, system } = process.cpuUsage(cpu);
    rows.push([
      isWriting ? `${WRITES_PER_SECOND} rows a second` : "at rest",
      `${digits((user + system) / 10_000 / AWAKE_SECONDS)} %`,
      digits(Math.max(0, process.memoryUsage().rss - before) / 1024 / names.length),
      digits(loop.percentile(99) / 1e6),
    ]);
  }
  return rows;
}

const servers = await startServers({ fsync });
const gateway = await startGateway(servers);
try {
  await prepare(servers);
  const numbers = { direct: 1, gateway: 2 };
  for (const way of ["direct", "gateway"] as const) await link(servers, gateway, numbers[way], way);
  await connected(servers.home.url("subscribed"), (home) =>
    connected(servers.region.url("published"), async (region) => {
      const wakes = await measureWakes(home, region, numbers);
      const streams = {
        direct: await measureStream(home, region, numbers.direct, "direct"),
        gateway: await measureStream(home, region, numbers.gateway, "gateway"),
      };
      const row = (what: string, pick: (way: Way) => number) => [
        what,
        digits(pick("direct")),
        digits(pick("gateway")),
        ratio(pick("gateway"), pick("direct")),
      ];
      const compared = table(
        ["", "direct", "through the gateway", "ratio"],
        [
          row("enable to row, median ms", (way) => median(wakes[way])),
          row("enable to row, p99 ms", (way) => percentile(wakes[way], 0.99)),
          row(`${ROWS.toLocaleString("en")} rows of 200 bytes, s`, (way) => streams[way].seconds),
          row("CPU of this process per row, µs", (way) => streams[way].cpuMicros / ROWS),
        ],
      );
      const names = [];
      for (let index = 0; index < STREAMS; index += 1)
        names.push(await link(servers, gateway, 1_000 + index, "gateway"));
      const awake = await measureAwake(home, region, gateway, names);
      const head = [`${STREAMS} streams awake`, "CPU of one core", "kB a stream", "event loop delay, p99 ms"];
      report({
        title: "The gateway",
        text: `fsync ${fsync ? "on" : "off"}\n\n${compared}\n\n${table(head, awake)}`,
        bars: [
          {
            what: "a wake through the gateway, to a direct one",
            measured: median(wakes.gateway) / median(wakes.direct),
            open: true,
          },
          {
            what: "rows through the gateway, to directly",
            measured: streams.gateway.seconds / streams.direct.seconds,
            open: true,
          },
        ],
      });
    }),
  );
} finally {
  await gateway.close();
  await servers.stop();
}
