/**
 * Measures replication on demand against subscriptions that are always attached, both in one run on servers of its
 * own, and prints tables for RESULTS.md. `--quick`: a smoke run. `--no-fsync`: where the disk is slow.
 * `--only=comments,rest,latency,users,sweep`, `--sizes=1,50,200`.
 */
import { parseArgs } from "node:util";
import type { Bar } from "./bars.ts";
import { drawLines, OWN_NAME } from "./chart.ts";
import { changeUsers, type UserChangeCost } from "./change-users.ts";
import { Fleet, type Mode, NO_SWEEP } from "./fleet.ts";
import { measureLatency, type Sample } from "./latency.ts";
import { type Finding, report } from "./part.ts";
import { type Rest, setAutovacuum, watchRest } from "./rest.ts";
import { sql } from "./servers.ts";
import { median, percentile } from "./statistics.ts";
import { measureSweep, retainedBytes, type SweepCost, writeWal } from "./sweep.ts";
import { digits, ratio, table } from "./table.ts";
import { type CommentCost, writeComments } from "./write-comments.ts";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    fsync: { type: "boolean", default: true },
    only: { type: "string", default: "comments,rest,latency,users,sweep" },
    sizes: { type: "string" },
  },
  allowNegative: true,
});
const { quick, fsync } = flags;
const only = flags.only.split(",");
const SIZES = (flags.sizes ?? (quick ? "1,3,6" : "1,50,200")).split(",").map(Number);
const MODES: readonly Mode[] = ["parked", "attached"];
const COMMENTS = quick ? 100 : 2_000;
const PARKED_ROUNDS = quick ? 1 : 5;
const ATTACHED_ROUNDS = quick ? 1 : 2;
const REST_SECONDS = quick ? 2 : 15;
const CALM_MS = quick ? 500 : 12_000;
const SAMPLES = quick ? 5 : 500;
const USER_CHANGES = quick ? 20 : 500;
const USER_ROUNDS = quick ? 1 : 2;
const SWEEP_ROUNDS = quick ? 1 : 2;
const MB = 1024 * 1024;

const fleets: Fleet[] = [];

async function provision(): Promise<Fleet> {
  const rows = [];
  for (const size of SIZES) {
    const grantMs: number[] = [];
    const started = performance.now();
    fleets.push(await Fleet.start(size, { fsync }, grantMs));
    const seconds = (performance.now() - started) / 1_000;
    console.error(`${size} databases: ${digits(seconds)} s`);
    const region = fleets.at(-1)?.servers.region.url("postgres") ?? "";
    const [wal] = await sql<{ bytes: string }>(region, "select (pg_current_wal_lsn() - '0/0')::text as bytes");
    rows.push([
      size,
      digits(seconds),
      digits(median(grantMs)),
      digits(percentile(grantMs, 0.99)),
      digits(Number(wal?.bytes) / MB),
    ]);
  }
  const largest = fleets.at(-1);
  if (largest === undefined) throw new Error("name at least one size");
  print(
    "Granting, four at a time",
    ["tenant databases", "s in all", "grant p50 ms", "grant p99 ms", "WAL of the region, MB"],
    rows,
  );
  return largest;
}

function print(
  title: string,
  head: string[],
  rows: (string | number)[][],
  { bars = [], chart, more = "" }: { bars?: Bar[]; chart?: NonNullable<Finding["chart"]>; more?: string } = {},
): void {
  const text = [`fsync ${fsync ? "on" : "off"}`, table(head, rows), ...(more === "" ? [] : [more])].join("\n\n");
  report({ title, text, bars, ...(chart === undefined ? {} : { chart }) });
}

async function comments(): Promise<void> {
  const costs = new Map<string, CommentCost[]>();
  for (let round = 0; round < PARKED_ROUNDS; round += 1)
    for (const mode of MODES) {
      if (mode === "attached" && round >= ATTACHED_ROUNDS) continue;
      for (const fleet of fleets) {
        if (mode === "attached") await fleet.attach();
        const [database] = fleet.databases;
        if (database === undefined) continue;
        const key = `${mode} ${fleet.databases.length}`;
        costs.set(key, [...(costs.get(key) ?? []), await writeComments(fleet, database, COMMENTS)]);
        if (mode === "attached") await fleet.park();
      }
    }
  const cpu = (mode: Mode, size: number) =>
    median((costs.get(`${mode} ${size}`) ?? []).map(({ cpuSeconds }) => cpuSeconds));
  const [least = 0, most = 0] = [SIZES[0], SIZES.at(-1)];
  print(
    `Server CPU-seconds per ${COMMENTS} comments in one tenant database`,
    [
      "tenant databases",
      "parked",
      "to the least",
      "attached",
      "to the least",
      "attached to parked",
      "WAL MB",
      "all parked",
    ],
    SIZES.map((size) => [
      size,
      digits(cpu("parked", size)),
      ratio(cpu("parked", size), cpu("parked", SIZES[0] ?? 0)),
      digits(cpu("attached", size)),
      ratio(cpu("attached", size), cpu("attached", SIZES[0] ?? 0)),
      ratio(cpu("attached", size), cpu("parked", size)),
      digits(median((costs.get(`parked ${size}`) ?? []).map(({ walBytes }) => walBytes)) / MB),
      (costs.get(`parked ${size}`) ?? []).map(({ cpuSeconds }) => digits(cpuSeconds)).join(" "),
    ]),
    {
      bars: [
        {
          what: `server CPU per comment, ${most} tenant databases against ${least}`,
          measured: cpu("parked", most) / cpu("parked", least),
          most: 1.1,
        },
      ],
      chart: {
        file: "cost.svg",
        about: "Server CPU for comments in one tenant database, by the number of tenant databases",
        svg: drawLines(
          {
            title: `Server CPU-seconds per ${COMMENTS.toLocaleString("en")} comments, by tenant databases`,
            across: "tenant databases",
          },
          MODES.map((mode) => ({
            name: mode === "parked" ? OWN_NAME : "subscriptions enabled for good",
            points: SIZES.map((size) => ({ x: size, y: cpu(mode, size) })),
          })),
        ),
      },
    },
  );
}

async function rest(fleet: Fleet): Promise<void> {
  const rows: [string, Rest][] = [];
  const watch = async (name: string) => {
    rows.push([name, await watchRest(fleet, REST_SECONDS, CALM_MS)]);
  };
  await fleet.park();
  await watch("parked");
  await setAutovacuum(fleet, false);
  await watch("parked, autovacuum off");
  await fleet.park(NO_SWEEP);
  await watch("parked, autovacuum off, no sweep");
  await fleet.attach();
  await watch("attached, autovacuum off");
  await setAutovacuum(fleet, true);
  await watch("attached");
  await fleet.park();
  const parked = rows[0]?.[1];
  print(
    `At rest with ${fleet.databases.length} tenant databases, over ${REST_SECONDS} s`,
    [
      "mode",
      "servers, % of a core",
      "worker, % of a core",
      "server processes",
      "of them replication",
      "memory (PSS) GB",
    ],
    rows.map(([name, one]) => [
      name,
      digits(one.serverShare * 100),
      digits(one.workerShare * 100),
      one.processes,
      one.replicationProcesses,
      digits(one.memoryBytes / 2 ** 30),
    ]),
    { bars: parked === undefined ? [] : restBars(fleet.databases.length, parked) },
  );
}

function restBars(databases: number, parked: Rest): Bar[] {
  return [
    {
      what: `idle with ${databases} tenant databases: replication processes`,
      measured: parked.replicationProcesses,
      unit: "",
      most: 0,
    },
    {
      what: `idle with ${databases} tenant databases: servers`,
      measured: parked.serverShare * 100,
      unit: "% of a core",
      most: 1,
    },
    {
      what: `idle with ${databases} tenant databases: worker`,
      measured: parked.workerShare * 100,
      unit: "% of a core",
      most: 1,
    },
  ];
}

async function latency(fleet: Fleet): Promise<void> {
  const rows: (string | number)[][] = [];
  const bars: Bar[] = [];
  const add = (mode: Mode, direction: string, samples: Sample[]) => {
    const at = (share: number, of: keyof Sample) =>
      digits(
        percentile(
          samples.map((sample) => sample[of]),
          share,
        ),
      );
    const answered = mode === "parked" ? [at(0.5, "answeredMs"), at(0.99, "answeredMs")] : ["–", "–"];
    const visible = samples.map(({ visibleMs }) => visibleMs);
    const what = `from the commit to the row on the other side, ${direction}`;
    if (mode === "parked")
      bars.push(
        { what: `${what}, p50`, measured: percentile(visible, 0.5), unit: "ms", most: 40 },
        { what: `${what}, p99`, measured: percentile(visible, 0.99), unit: "ms", most: 300 },
      );
    rows.push([
      mode,
      direction,
      at(0.5, "visibleMs"),
      at(0.9, "visibleMs"),
      at(0.99, "visibleMs"),
      at(1, "visibleMs"),
      ...answered,
    ]);
  };
  for (const mode of MODES) {
    if (mode === "attached") await fleet.attach();
    else await fleet.park({ ...NO_SWEEP, carrier: { idleMs: 20 } });
    for (const direction of ["directory", "catalog"] as const)
      add(mode, direction, await measureLatency(fleet, direction, SAMPLES));
  }
  await fleet.park();
  print(
    `From the commit to the row on the other side, ${fleet.databases.length} tenant databases, ms over ${SAMPLES}`,
    ["mode", "direction", "p50", "p90", "p99", "worst", "answered p50", "answered p99"],
    rows,
    { bars },
  );
}

async function users(fleet: Fleet): Promise<void> {
  const costs: Record<Mode, UserChangeCost[]> = { parked: [], attached: [] };
  for (let round = 0; round < USER_ROUNDS; round += 1)
    for (const mode of MODES) {
      if (mode === "attached") await fleet.attach();
      else await fleet.park(NO_SWEEP);
      costs[mode].push(await changeUsers(fleet, USER_CHANGES));
    }
  await fleet.park();
  print(
    `${USER_CHANGES} changes of users, each in two of ${fleet.databases.length} tenant databases, written without waiting`,
    ["mode", "servers CPU-s", "worker CPU-s", "all arrived after ms", "rows missing", "all CPU-s"],
    MODES.map((mode) => {
      const of = (key: keyof UserChangeCost) => median(costs[mode].map((cost) => cost[key]));
      const all = costs[mode].map(({ cpuSeconds }) => digits(cpuSeconds)).join(" ");
      return [
        mode,
        digits(of("cpuSeconds")),
        digits(of("workerCpuSeconds")),
        digits(of("arrivedMs")),
        of("missing"),
        all,
      ];
    }),
  );
}

async function sweeps(fleet: Fleet): Promise<void> {
  await fleet.park(NO_SWEEP);
  const costs = new Map<string, SweepCost[]>();
  const add = async (name: string, due: boolean) => {
    costs.set(name, [...(costs.get(name) ?? []), await measureSweep(fleet, { due })]);
  };
  await measureSweep(fleet, { due: true });
  const retained: string[] = [];
  for (let round = 0; round < SWEEP_ROUNDS; round += 1) {
    await add("nothing due", false);
    await add("all due by age, no WAL", true);
    await writeWal(fleet, 33 * MB);
    await add("all due by 32 MB of WAL", false);
    retained.push((await retainedBytes(fleet)).map((bytes) => digits(bytes / MB)).join(" and "));
    await add("again at once", false);
  }
  print(
    `One sweep of ${fleet.databases.length} tenant databases, nothing to carry`,
    ["state", "wall ms", "servers CPU-s", "worker CPU-s", "all CPU-s"],
    [...costs].map(([name, of]) => [
      name,
      digits(median(of.map(({ wallMs }) => wallMs))),
      digits(median(of.map(({ cpuSeconds }) => cpuSeconds))),
      digits(median(of.map(({ workerCpuSeconds }) => workerCpuSeconds))),
      of.map(({ cpuSeconds }) => digits(cpuSeconds)).join(" "),
    ]),
    { more: `WAL kept after the sweep for 32 MB, median slot of home and region, MB: ${retained.join("; ")}` },
  );
}

const PARTS: Record<string, (largest: Fleet) => Promise<void>> = { comments, users, sweep: sweeps, rest, latency };

// Interrupted, it leaves no server behind either.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void Promise.allSettled(fleets.map((fleet) => fleet.stop())).then(() => process.exit(1)));

try {
  const largest = await provision();
  for (const [name, measure] of Object.entries(PARTS)) {
    if (!only.includes(name)) continue;
    const started = performance.now();
    await measure(largest);
    console.error(`${name}: ${digits((performance.now() - started) / 1_000)} s`);
  }
} finally {
  await Promise.allSettled(fleets.map((fleet) => fleet.stop()));
}
