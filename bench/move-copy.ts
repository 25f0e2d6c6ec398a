/**
 * The copy and the comparison of a move, beside what `pg_dump | psql` takes for the same rows on the same servers, and beside the
 * table sync of a subscription. `--mb=200`; `--rounds=3`; `--round-trip-ms=0,150`: how far the target is, once for each;
 * `--postgres=<module>`: another version, as pg_dump may be no older than the server; `--no-fsync`: where the disk is slow.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { TENANT_SCHEMA } from "../src/app/schema.ts";
import { newId, newRoutedId } from "../src/base/kernel/ids.ts";
import { parseServerUrl } from "../src/base/postgres/connection-url.ts";
import { Pools } from "../src/base/postgres/pools.ts";
import { migrate } from "../src/engine/migrations/runner.ts";
import { withComparison } from "../src/engine/moves/compare.ts";
import { copyTables } from "../src/engine/moves/copy-tables.ts";
import { movedTables, type Side } from "../src/engine/moves/moved-tables.ts";
import { startFarWay } from "./far.ts";
import { report } from "./part.ts";
import { type BenchServers, sql, startServers } from "./servers.ts";
import { digits, ratio, table } from "./table.ts";

const { values: flags } = parseArgs({
  options: {
    mb: { type: "string", default: "200" },
    rounds: { type: "string", default: "3" },
    "round-trip-ms": { type: "string", default: "0,150" },
    postgres: { type: "string" },
    fsync: { type: "boolean", default: true },
    // Of this program's own.
    far: { type: "string" },
  },
  allowNegative: true,
});
const RESOURCES = 1_000;
/** A comment's row: its body of 200 to 1,800 characters, and what stands around it. */
const ROW_BYTES = 1_000 + 230;
const MB = 1e6;
const NUMBER = 1;
const [FROM_ID, TO_ID] = [1, 2];
const TABLES = movedTables([
  { name: "app.resources", catalog: ["name"] },
  { name: "app.comments", catalog: null },
]);
const moved = { organizationId: newId(), number: NUMBER };
const user = newId();
const signal = new AbortController().signal;

/** The far way has a process of its own: what is measured must not share its thread with it. */
async function startFar(port: number, roundTripMs: number): Promise<{ port: number; process: ChildProcess }> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), `--far=${port}`, `--round-trip-ms=${roundTripMs}`],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  return { port: Number(chunk.toString()), process: child };
}

async function fill(url: string, megabytes: number): Promise<void> {
  await sql(
    url,
    "insert into app.resources (database_id, id, organization_id, name) select $1, id, $2, 'Resource' from unnest($3::uuid[]) as r (id)",
    [FROM_ID, moved.organizationId, Array.from({ length: RESOURCES }, () => newRoutedId(NUMBER))],
  );
  await sql(
    url,
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select (lpad(to_hex(1700000000000 + i), 12, '0') || '7' || lpad(to_hex(i % 4096), 3, '0')
         || lpad(to_hex((2::bigint << 30) | ($6::bigint << 6) | (i & 63)), 8, '0') || left(md5(i::text), 8))::uuid,
       $1, $2, r.ids[1 + i % $4], $3,
       left(repeat(md5(i::text) || E' "said"\\n', 45), 200 + (i::bigint * 7919 % 1600)::int)
     from generate_series(1, $5) i, (select array_agg(id) as ids from app.resources) r`,
    [FROM_ID, moved.organizationId, user, RESOURCES, Math.round((megabytes * MB) / ROW_BYTES), NUMBER],
  );
  await sql(url, "vacuum analyze app.comments");
  await sql(url, "checkpoint");
}

async function run(command: string, environment: Record<string, string> = {}): Promise<void> {
  const child = spawn("bash", ["-o", "pipefail", "-c", command], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...environment },
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}

type World = { readonly servers: BenchServers; readonly pools: Pools; readonly from: Side };
type Target = { readonly to: Side; readonly url: string; readonly farUrl: string };

async function makeSide(
  pools: Pools,
  server: string,
  reached: string,
  name: string,
  databaseId: number,
): Promise<Side> {
  await sql(`${server}/postgres`, `create database ${name}`);
  await migrate(pools.open("tenant", parseServerUrl(server, "url"), name), TENANT_SCHEMA, "bench_api");
  await sql(`${server}/${name}`, "insert into tenantry.identity (installation_id, database_id) values ('bench', $1)", [
    databaseId,
  ]);
  return { database: pools.open("tenant", parseServerUrl(reached, "url"), name), databaseId };
}

/** Seconds of each way, with an empty target for each. */
async function measure({ servers, pools, from }: World, farServer: string): Promise<Record<string, number>> {
  const [source, near] = [servers.regions[0]?.url() ?? "", servers.regions[1]?.url() ?? ""];
  const fromUrl = `${source}/bench_from`;
  const seconds: Record<string, number> = {};
  const timed = async (name: string, work: () => Promise<unknown>) => {
    await sql(`${near}/postgres`, "checkpoint");
    const before = cpuSeconds();
    const started = performance.now();
    await work();
    seconds[name] = (performance.now() - started) / 1_000;
    console.error(`${name}: ${digits(seconds[name])} s`);
    if (name.startsWith("move")) seconds[`${name}, CPU`] = cpuSeconds() - before;
  };
  const withTarget = async (work: (target: Target) => Promise<void>) => {
    const name = `bench_to_${randomBytes(4).toString("hex")}`;
    const to = await makeSide(pools, near, farServer, name, TO_ID);
    await work({ to, url: `${near}/${name}`, farUrl: `${farServer}/${name}` });
    await sql(`${near}/postgres`, `drop database ${name} with (force)`);
  };
  await withTarget(async ({ to }) => {
    await timed("move: copy", () => copyTables(from, to, moved, TABLES, { done: [], signal }));
    await timed("move: compare", () =>
      withComparison(
        from,
        to,
        { moved, tables: TABLES, publication: "bench_move", reached: () => Promise.resolve(), signal },
        (comparison) => comparison.compareAll(),
      ),
    );
  });
  await withTarget(async ({ farUrl }) => {
    await timed("pg_dump --data-only | psql", () =>
      run(
        `pg_dump --data-only -t app.resources -t app.comments -t tenantry.audit_log '${fromUrl}' | psql -q -v ON_ERROR_STOP=1 '${farUrl}'`,
        { PGOPTIONS: "-c session_replication_role=replica" },
      ),
    );
  });
  const whole = `bench_whole_${randomBytes(4).toString("hex")}`;
  await sql(`${near}/postgres`, `create database ${whole}`);
  await timed("pg_dump | psql", () =>
    run(
      `pg_dump -n app -n tenantry --no-publications '${fromUrl}' | psql -q -v ON_ERROR_STOP=1 '${farServer}/${whole}'`,
    ),
  );
  await sql(`${near}/postgres`, `drop database ${whole} with (force)`);
  if (farServer === near)
    await withTarget(async ({ url }) => {
      await timed("table sync of a subscription", async () => {
        await sql(url, `create subscription bench_sync connection '${fromUrl}' publication bench_move`);
        for (;;) {
          const left = await sql(url, "select from pg_subscription_rel where srsubstate not in ('r', 's')");
          if (left.length === 0) break;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });
      await sql(url, "drop subscription bench_sync");
    });
  return seconds;
}

function cpuSeconds(): number {
  const { user: inUser, system } = process.cpuUsage();
  return (inUser + system) / 1e6;
}

function peakMemory(): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0) * 1024;
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function main(): Promise<void> {
  const servers = await startServers({ fsync: flags.fsync, regions: 2, binariesPackage: flags.postgres });
  const pools = new Pools(() => undefined);
  try {
    const [source, target] = [servers.regions[0]?.url() ?? "", servers.regions[1]?.url() ?? ""];
    const from = await makeSide(pools, source, source, "bench_from", FROM_ID);
    await fill(`${source}/bench_from`, Number(flags.mb));
    await sql(
      `${source}/bench_from`,
      "create publication bench_move for table app.resources, app.comments, tenantry.audit_log",
    );
    const [size] = await sql<{ bytes: string }>(
      `${source}/bench_from`,
      "select sum(length(c::text))::text as bytes from app.comments c",
    );
    const megabytes = Number(size?.bytes) / MB;
    const rows: (string | number)[][] = [];
    for (const roundTripMs of flags["round-trip-ms"].split(",").map(Number)) {
      const far = roundTripMs === 0 ? undefined : await startFar(Number(new URL(target).port), roundTripMs);
      const reached = new URL(target);
      if (far !== undefined) reached.port = String(far.port);
      const rounds: Record<string, number>[] = [];
      for (let round = 0; round < Number(flags.rounds); round += 1)
        rounds.push(await measure({ servers, pools, from }, reached.href.replace(/\/$/, "")));
      far?.process.stdin?.end();
      const copy = median(rounds.map((one) => one["move: copy"] ?? Number.NaN));
      for (const name of Object.keys(rounds[0] ?? {})) {
        const seconds = median(rounds.map((one) => one[name] ?? Number.NaN));
        rows.push([`${roundTripMs} ms`, name, digits(seconds), digits(megabytes / seconds), ratio(seconds, copy)]);
      }
    }
    report({
      title: "Copying what moves",
      text: [
        `${digits(megabytes)} MB of rows, fsync ${flags.fsync ? "on" : "off"}.`,
        table(["round trip", "", "s", "MB/s", "the copy is"], rows),
        `The most memory that the process had: ${digits(peakMemory() / MB)} MB.`,
      ].join("\n\n"),
      bars: [],
    });
  } finally {
    await pools.close();
    await servers.stop();
  }
}

if (flags.far === undefined) await main();
else {
  const way = await startFarWay(Number(flags.far), () => Number(flags["round-trip-ms"]));
  process.stdout.write(`${way.port}\n`);
  process.stdin.resume();
  await once(process.stdin, "end");
  await way.stop();
}
