/**
 * Measures a fleet migration against a bare driver loop that sends the same SQL at the same concurrency, in turn on the same
 * databases, and a run that finds nothing to do. Prints tables for RESULTS.md. `--quick`: a smoke run. `--no-fsync`: where
 * the disk is slow. `--databases=200`, `--rounds=5`, `--concurrency=4`.
 */
import { parseArgs } from "node:util";
import pg from "pg";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { registerRegion, type ServerChecks } from "../src/engine/regions/regions.ts";
import { regionAddress } from "../src/engine/regions/region-address.ts";
import { TENANT_SCHEMA } from "../src/app/schema.ts";
import { type MigrationSet, readMigration } from "../src/engine/migrations/migration-set.ts";
import { createLogger } from "../src/base/observability/logger.ts";
import { migrateFleet } from "../src/engine/fleet/migrate-databases.ts";
import type { Services } from "../src/engine/services.ts";
import { closeServices, createServices } from "../src/services.ts";
import { ensureTemplate } from "../src/engine/placements/template-database.ts";
import { report } from "./part.ts";
import { type BenchServers, connected, sql, startServers } from "./servers.ts";
import { median } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    fsync: { type: "boolean", default: true },
    databases: { type: "string" },
    rounds: { type: "string" },
    concurrency: { type: "string", default: "4" },
  },
  allowNegative: true,
});
const DATABASES = Number(flags.databases ?? (flags.quick ? 10 : 200));
const ROUNDS = Number(flags.rounds ?? (flags.quick ? 1 : 5));
const CONCURRENCY = Number(flags.concurrency);

/** What a small migration does: a table, a column with a default, an index. */
const change = (index: number) => `
  create table tenantry.bench_${index} (id uuid primary key, name text not null);
  alter table app.comments add column bench_${index} boolean not null default false;
  create index bench_${index}_name on tenantry.bench_${index} (name);`;

const FIRST = TENANT_SCHEMA.latestVersion;
const OF_APP = TENANT_SCHEMA.migrations.filter(({ part }) => part === "app").length;
const ALL = [
  ...TENANT_SCHEMA.migrations,
  ...Array.from({ length: ROUNDS * 2 + 1 }, (_, index) =>
    readMigration("app", OF_APP + index + 1, "bench", change(index)),
  ),
];
const schemaAt = (version: number): MigrationSet => ({ migrations: ALL.slice(0, version), latestVersion: version });

async function openServices(servers: BenchServers, tenantSchema: MigrationSet): Promise<Services> {
  const logger = createLogger({ level: "error" });
  const databaseUrl = servers.home.url("bench_home");
  return createServices({ databaseUrl, secretKey: servers.secretKey, logger, tenantSchema });
}

/** Nothing streams here, so no server needs a gateway. */
const noChecks: ServerChecks = {
  requireTrials: () => Promise.resolve(),
  recognise: () =>
    Promise.resolve({ text: null, mark: undefined, hasRole: false, systemIdentifier: "", databases: 0, foreign: [] }),
  claim: () => Promise.resolve(),
};

/** Active placements with databases copied from the template, without links: nothing carries here. */
async function fill(servers: BenchServers): Promise<string[]> {
  const services = await openServices(servers, TENANT_SCHEMA);
  const connectionUrl = servers.region.url();
  const region = await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl }, noChecks);
  const address = await regionAddress(services, region.id);
  const template = await ensureTemplate(services, services.pools.open("server", address, "postgres"), {
    regionId: region.id,
    address,
  });
  await closeServices(services);
  const rows = await sql<{ name: string }>(
    servers.home.url("bench_home"),
    `with numbered as (
       insert into tenantry.organizations (id, name) select gen_random_uuid(), 'Fleet' from generate_series(1, $1)
       returning id, nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as number
     ), database as (
       insert into tenantry.tenant_databases (id, region_id, isolation, name, engine_version, app_version)
       overriding system value select number, $2, 'DEDICATED', 'bench_' || number, $3, $4 from numbered returning *
     ), placement as (
       insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
       select gen_random_uuid(), n.id, d.region_id, d.id, d.isolation, 'ACTIVE'
       from database d join numbered n on n.number = d.id
     )
     select name from database order by id`,
    [DATABASES, region.id, FIRST - OF_APP, OF_APP],
  );
  await connected(servers.region.url("postgres"), async (client) => {
    for (const { name } of rows) await client.query(`create database ${name} template ${template} strategy wal_log`);
  });
  return rows.map(({ name }) => name);
}

/** As little as can be done: connect, one message, disconnect. Returns seconds. */
async function bareLoop(servers: BenchServers, names: readonly string[], version: number): Promise<number> {
  const migration = ALL[version - 1];
  if (migration === undefined) throw new Error(`there is no migration ${version}`);
  const text = `begin; ${migration.sql};
    insert into tenantry.migrations (part, number, name, checksum)
      values ('${migration.part}', ${migration.number}, '${migration.name}', '${migration.checksum}'); commit`;
  const queue = [...names];
  const started = performance.now();
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const client = new pg.Client({ connectionString: servers.region.url(name) });
      // Where another one fails the servers are stopped, and that is what is to be read.
      client.on("error", () => undefined);
      await client.connect();
      await client.query(text);
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  const seconds = (performance.now() - started) / 1_000;
  await sql(servers.home.url("bench_home"), "update tenantry.tenant_databases set app_version = $1", [
    version - (FIRST - OF_APP),
  ]);
  return seconds;
}

/** All of it: plan, records, fingerprints, the new template. Returns seconds; also until the last database was done. */
async function fleet(servers: BenchServers, version: number): Promise<{ all: number; databases: number }> {
  const services = await openServices(servers, schemaAt(version));
  const started = performance.now();
  let last = started;
  const outcome = await migrateFleet(services, "operator", {
    limits: { total: CONCURRENCY, perServer: CONCURRENCY },
    onEvent: () => {
      last = performance.now();
    },
  });
  const all = (performance.now() - started) / 1_000;
  await closeServices(services);
  if (outcome.migrated + outcome.upToDate !== DATABASES)
    throw new Error(`not all were done: ${JSON.stringify(outcome)}`);
  return { all, databases: (last - started) / 1_000 };
}

const servers = await startServers({ fsync: flags.fsync });
// Interrupted, it leaves no server behind either.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void servers.stop().then(() => process.exit(1)));

try {
  await sql(servers.home.url("postgres"), "create database bench_home");
  const names = await fill(servers);
  // Once before what counts: the first visit of each database fills caches.
  await bareLoop(servers, names, FIRST + 1);
  const [bare, whole, databases, idle]: number[][] = [[], [], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [first, second] = [FIRST + 2 + round * 2, FIRST + 3 + round * 2];
    const measureFleet = async (to: number) => {
      const seconds = await fleet(servers, to);
      whole?.push(seconds.all);
      databases?.push(seconds.databases);
    };
    if (round % 2 === 0) {
      bare?.push(await bareLoop(servers, names, first));
      await measureFleet(second);
    } else {
      await measureFleet(first);
      bare?.push(await bareLoop(servers, names, second));
    }
    idle?.push((await fleet(servers, second)).all);
  }
  const base = median(bare ?? []);
  const row = (name: string, seconds: number[] = []) => [
    name,
    digits(median(seconds)),
    ratio(median(seconds), base),
    digits((median(seconds) * 1_000) / DATABASES),
    seconds.map(digits).join(" "),
  ];
  const text = table(
    ["what", "s", "to the bare loop", "ms a database", "all rounds, s"],
    [
      row("bare driver loop", bare),
      row("tenantry, until the last database", databases),
      row("tenantry, all of it", whole),
      row("tenantry, nothing to do", idle),
    ],
  );
  report({
    title: "Fleet migration",
    text: `${DATABASES} databases, ${CONCURRENCY} at once; fsync ${flags.fsync ? "on" : "off"}\n\n${text}`,
    bars: [
      { what: `${DATABASES} databases migrated, to a bare loop`, measured: median(whole ?? []) / base, most: 1.3 },
    ],
  });
} finally {
  await servers.stop();
}
