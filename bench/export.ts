/**
 * Export and import of one placement by the command line, in processes of their own: MB/s and peak memory, beside what the
 * server takes when it does the same alone. `--mb=1,100,1000`: sizes of the export; the first shows what starting takes. `--no-fsync`: where the disk is slow.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { newRoutedId } from "../src/base/kernel/ids.ts";
import { Fleet, type TenantDatabase } from "./fleet.ts";
import { report } from "./part.ts";
import { sql } from "./servers.ts";
import { digits, table } from "./table.ts";

const { values: flags } = parseArgs({
  options: { mb: { type: "string", default: "1,100,1000" }, fsync: { type: "boolean", default: true } },
  allowNegative: true,
});
const RESOURCES = 1_000;
/** A comment's line: its body of 200 to 1,800 characters, and what stands around it. */
const LINE_BYTES = 1_000 + 230;
const MB = 1e6;

type Run = {
  seconds: number;
  peakBytes: number;
  cpuSeconds: number;
  serverCpuSeconds: number;
  output: Record<string, unknown>;
};

/** Runs a command and watches the most memory that it had resident. Linux: read from /proc. */
async function tenantry(fleet: Fleet, ...args: string[]): Promise<Run> {
  const { secretKey, home } = fleet.servers;
  const program = fileURLToPath(new URL("../bin/tenantry.js", import.meta.url));
  const started = performance.now();
  const child = spawn(process.execPath, [program, ...args, "--json"], {
    env: { PATH: process.env["PATH"], DATABASE_URL: home.url("bench_home"), TENANTRY_SECRET_KEY: secretKey },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const serverBefore = fleet.cpuSeconds();
  let usage = { peakBytes: 0, cpuSeconds: 0 };
  const timer = setInterval(() => {
    usage = usageOf(child.pid) ?? usage;
  }, 20);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`tenantry ${args.join(" ")} ended with ${String(code)}`);
  const output = JSON.parse(Buffer.concat(chunks).toString()) as Run["output"];
  const seconds = (performance.now() - started) / 1_000;
  return { seconds, ...usage, serverCpuSeconds: fleet.cpuSeconds() - serverBefore, output };
}

/** The most memory that the process had resident, and its CPU-seconds, so far; undefined when it has just ended. */
function usageOf(pid: number | undefined): { peakBytes: number; cpuSeconds: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name in brackets: fields 14 and 15 of the whole are the user and system time, in hundredths.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    if (peak === undefined) return undefined;
    return { peakBytes: Number(peak) * 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100 };
  } catch {
    return undefined;
  }
}

async function timed(url: string, text: string): Promise<number> {
  const started = performance.now();
  await sql(url, text);
  return (performance.now() - started) / 1_000;
}

async function fill(fleet: Fleet, database: TenantDatabase, megabytes: number): Promise<void> {
  const url = fleet.tenantUrl(database);
  await sql(url, "delete from app.resources");
  await sql(url, "vacuum app.comments");
  await sql(
    url,
    `insert into app.resources (database_id, id, organization_id, name)
     select $1, id, $2, 'Resource ' || i from unnest($3::uuid[]) with ordinality as r (id, i)`,
    [database.id, database.organizationId, Array.from({ length: RESOURCES }, () => newRoutedId(database.number))],
  );
  await sql(
    url,
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     -- Ids that lead to the placement, as the API makes them.
     select (substr(id, 1, 16) || lpad(to_hex((2::bigint << 30) | ($6::bigint << 6) | (i & 63)), 8, '0') || substr(id, 25))::uuid,
       $1, $2, r.ids[1 + i % $4], $3,
       left(repeat(md5(i::text) || E' "said"\\n', 45), 200 + (i::bigint * 7919 % 1600)::int)
     -- A function that stands alone is asked once for all rows.
     from generate_series(1, $5) i, lateral (select replace(uuidv7()::text, '-', '') || left(i::text, 0) as id) made,
       (select array_agg(id) as ids from app.resources) r`,
    [
      database.id,
      database.organizationId,
      database.userId,
      RESOURCES,
      Math.round((megabytes * MB) / LINE_BYTES),
      database.number,
    ],
  );
}

async function measure(fleet: Fleet, database: TenantDatabase, megabytes: number): Promise<(string | number)[][]> {
  const url = fleet.tenantUrl(database);
  await fill(fleet, database, megabytes);
  const [placement] = await sql<{ id: string }>(
    fleet.servers.home.url("bench_home"),
    "select id from tenantry.placements where database_id = $1",
    [database.id],
  );
  const folder = mkdtempSync(join(tmpdir(), "tenantry-bench-export-"));
  try {
    const alone = await timed(url, "copy (select row_to_json(c) from app.comments c) to '/dev/null'");
    const exported = await tenantry(fleet, "export", placement?.id ?? "", "--to", join(folder, "one"));
    const bytes = (exported.output["files"] as { bytes: number }[]).reduce((sum, file) => sum + file.bytes, 0);
    await sql(url, "create unlogged table copy as table app.comments");
    await sql(url, "truncate app.comments");
    const inserted = await timed(url, "insert into app.comments select * from copy");
    await sql(url, "drop table copy");
    await sql(url, "truncate app.comments");
    await sql(url, "delete from app.resources");
    const imported = await tenantry(fleet, "import", join(folder, "one"), "--placement", placement?.id ?? "");
    if (imported.output["inCatalog"] !== true) console.error("the catalog was late");
    const row = (what: string, run: Run, server: string, serverSeconds: number) => [
      what,
      digits(bytes / MB),
      digits(run.seconds),
      digits(bytes / MB / run.seconds),
      digits(run.peakBytes / MB),
      digits(run.cpuSeconds),
      digits(run.serverCpuSeconds),
      server,
      digits(serverSeconds),
    ];
    return [
      row("export", exported, "`copy` of the JSON to nowhere", alone),
      row("import", imported, "`insert` from another table", inserted),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const fleet = await Fleet.start(1, { fsync: flags.fsync }, []);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void fleet.stop().finally(() => process.exit(1)));
try {
  const [database] = fleet.databases;
  if (database === undefined) throw new Error("there is no database");
  const rows = [];
  for (const megabytes of flags.mb.split(",").map(Number)) rows.push(...(await measure(fleet, database, megabytes)));
  const head = ["", "MB", "s", "MB/s", "peak memory, MB", "its CPU-s", "servers CPU-s", "the server alone", "s"];
  const rates = rows.slice(-2).map(([what = "", , , perSecond = ""]) => ({ what, perSecond: Number(perSecond) }));
  report({
    title: "Export and import",
    text: `fsync ${flags.fsync ? "on" : "off"}\n\n${table(head, rows)}`,
    bars: rates.map(({ what, perSecond }) => ({
      what: `${what} of ${flags.mb.split(",").at(-1) ?? ""} MB`,
      measured: perSecond,
      unit: "MB/s",
      open: true,
    })),
  });
} finally {
  await fleet.stop();
}
