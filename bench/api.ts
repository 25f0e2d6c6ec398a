/** Reads and writes at 32 connections, beside the other contestants, interleaved: rounds in alternating order, medians. */
import { deepStrictEqual } from "node:assert";
import type { Bar, Part } from "./bars.ts";
import { type Contestant, type ContestantKey, startContestant, startTenantry, type Where } from "./contestants.ts";
import type { Sent } from "./load.ts";
import { type Measured, measure, middle } from "./measure.ts";
import { shuffled } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import type { Target } from "./workload.ts";

export type Kind = "read" | "write";
export type Rounds = { rounds: number; seconds: number };

const CONNECTIONS = 32;
const READ_IDS = 2_000;
const COMPARED = 20;
const WARM_UP_SECONDS = 3;

async function ask(port: number, { path, headers, body }: Sent): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body });
  const answer = (await response.json()) as { errors?: unknown[] };
  if (answer.errors !== undefined)
    throw new Error(`an answer has errors: ${JSON.stringify(answer.errors).slice(0, 500)}`);
  return answer;
}

/** Throws unless all answer the same. */
async function compare(contestants: readonly Contestant[], targets: readonly Target[], kinds: readonly Kind[]) {
  const answersOf = async (one: Contestant) => {
    const port = one.ports[0] ?? 0;
    const pages = [];
    for (const target of targets.slice(0, COMPARED)) pages.push(one.page(await ask(port, one.read(target))));
    const [target] = targets;
    const written =
      kinds.includes("write") && target !== undefined ? one.written(await ask(port, one.write(target))) : null;
    return { pages, written };
  };
  const [first, ...others] = contestants;
  if (first === undefined) return;
  const expected = await answersOf(first);
  for (const other of others)
    deepStrictEqual(await answersOf(other), expected, `${other.name} does not answer as ${first.name}`);
}

/** Medians by kind and contestant. */
async function interleave(
  contestants: readonly Contestant[],
  targets: readonly Target[],
  { kinds, rounds, seconds }: { kinds: readonly Kind[] } & Rounds,
): Promise<Map<Kind, Map<Contestant, Measured>>> {
  const medians = new Map<Kind, Map<Contestant, Measured>>();
  for (const kind of kinds) {
    const results = new Map(contestants.map((contestant) => [contestant, [] as Measured[]]));
    // The first round warms up.
    for (let round = -1; round < rounds; round += 1)
      for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
        const requests = targets.map(contestant[kind]);
        const order = {
          ports: contestant.ports,
          connections: CONNECTIONS,
          seconds: round < 0 ? WARM_UP_SECONDS : seconds,
          requests,
        };
        const measured = await measure(`${kind} ${contestant.name}`, order, contestant.pids);
        if (round >= 0) results.get(contestant)?.push(measured);
      }
    medians.set(kind, new Map([...results].map(([contestant, all]) => [contestant, middle(all)])));
  }
  return medians;
}

/** All contestants. `lines` are for the chart: requests per second. */
export async function measureApi(
  where: Where & { targets: readonly Target[] },
  options: { keys: readonly ContestantKey[]; kinds: readonly Kind[] } & Rounds,
): Promise<Part & { chart: { kind: Kind; name: string; perSecond: number }[] }> {
  const targets = shuffled(where.targets, 7).slice(0, READ_IDS);
  const contestants: Contestant[] = [];
  try {
    for (const key of options.keys) contestants.push(await startContestant(key, where));
    await compare(contestants, targets, options.kinds);
    const medians = await interleave(contestants, targets, options);
    const rows = [];
    const bars: Bar[] = [];
    const chart = [];
    for (const [kind, byContestant] of medians) {
      const of = (key: ContestantKey) => [...byContestant].find(([one]) => one.key === key)?.[1];
      const base = of("bare") ?? [...byContestant.values()][0];
      if (base === undefined) continue;
      for (const [{ name }, one] of byContestant) {
        rows.push(row(`${kind}s, ${name}`, one, base));
        chart.push({ kind, name, perSecond: one.perSecond });
      }
      const ours = of("tenantry");
      if (ours !== undefined) bars.push(...barsOf(kind, ours, of));
    }
    const head = [
      "",
      "per s",
      "to bare",
      "p50 ms",
      "p99 ms",
      "to bare",
      "CPU ms",
      "to bare",
      "MB",
      "KB each",
      "load's CPU",
    ];
    return { title: "Reads and writes", text: table(head, rows), bars, chart };
  } finally {
    for (const { stop } of contestants) await stop();
  }
}

function row(name: string, one: Measured, base: Measured): string[] {
  return [
    name,
    digits(one.perSecond),
    ratio(one.perSecond, base.perSecond),
    digits(one.p50),
    digits(one.p99),
    ratio(one.p99, base.p99),
    digits(one.cpuMs),
    ratio(one.cpuMs, base.cpuMs),
    digits(one.memory / 2 ** 20),
    digits(one.bytes / 1_024),
    `${Math.round(one.loadShare * 100)} %`,
  ];
}

function barsOf(kind: Kind, ours: Measured, of: (key: ContestantKey) => Measured | undefined): Bar[] {
  const bars: Bar[] = [];
  const bare = of("bare");
  if (bare !== undefined && kind === "read")
    bars.push(
      { what: "reads per second, to bare", measured: ours.perSecond / bare.perSecond, least: 0.7 },
      { what: "reads, p99, to bare", measured: ours.p99 / bare.p99, most: 1.5 },
      { what: "reads, CPU of Node, to bare", measured: ours.cpuMs / bare.cpuMs, most: 1.8 },
    );
  if (bare !== undefined && kind === "write")
    bars.push({ what: "writes per second, to bare", measured: ours.perSecond / bare.perSecond, least: 0.85 });
  if (kind === "read")
    for (const [key, name, least] of [
      ["postgraphile", "PostGraphile 5", 1.8],
      ["apollo-dataloader", "Apollo Server with DataLoader", 2.5],
    ] as const) {
      const other = of(key);
      if (other !== undefined)
        bars.push({ what: `reads per second, to ${name}`, measured: ours.perSecond / other.perSecond, least });
    }
  return bars;
}

/** Reads from one process and from two, which share home and nothing else. Whoever asks and PostgreSQL share the machine with them. */
export async function measureScaleOut(where: Where & { targets: readonly Target[] }, options: Rounds): Promise<Part> {
  const targets = shuffled(where.targets, 7).slice(0, READ_IDS);
  const contestants: Contestant[] = [];
  try {
    for (const processes of [1, 2])
      contestants.push({
        ...(await startTenantry(where.connection, processes)),
        name: `Tenantry, ${processes} ${processes === 1 ? "process" : "processes"}`,
      });
    const medians = await interleave(contestants, targets, { ...options, kinds: ["read"] });
    const [one, two] = [...(medians.get("read") ?? [])];
    if (one === undefined || two === undefined) throw new Error("nothing was measured");
    const head = ["", "per s", "ratio", "p50 ms", "p99 ms", "CPU ms", "MB"];
    const rows = [one, two].map(([{ name }, measured]) => [
      name,
      digits(measured.perSecond),
      ratio(measured.perSecond, one[1].perSecond),
      digits(measured.p50),
      digits(measured.p99),
      digits(measured.cpuMs),
      digits(measured.memory / 2 ** 20),
    ]);
    return { title: "Scale out", text: table(head, rows), bars: [] };
  } finally {
    for (const { stop } of contestants) await stop();
  }
}
