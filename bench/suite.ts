/**
 * The suite: on servers of its own, each kind of data furnished once. Prints tables and bars, draws the chart and writes the results into
 * RESULTS.md (`--no-write`: prints only). A part that fails costs itself and the exit code, not the others.
 * `--only=api,scale-out,fan-out,cold,many` chooses parts; `--contestants=bare,tenantry`, `--kinds=read,write`, `--rounds=3`,
 * `--seconds=8` for each phase; `--databases=1000` for the many; `--soak-minutes=10` ends with the soak.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type Kind, measureApi } from "./api.ts";
import { type Bar, barTable, type Part } from "./bars.ts";
import { drawBars } from "./chart.ts";
import { measureCold } from "./cold.ts";
import { CONTESTANTS, installContestants } from "./contestants.ts";
import { measureFanOut } from "./fan-out.ts";
import { describeMachine } from "./machine.ts";
import { measureMany } from "./many.ts";
import { record } from "./record.ts";
import { measureScaleOut } from "./scale-out.ts";
import { sql, startServers } from "./servers.ts";
import { digits } from "./table.ts";
import { furnishTenants } from "./tenants.ts";
import { startWorker } from "./worker.ts";
import { furnish } from "./workload.ts";

const PARTS = ["api", "scale-out", "fan-out", "cold", "many"] as const;
type PartName = (typeof PARTS)[number];
/** Tenant databases where only fan-out and cold tenants are measured. */
const FEW = 100;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: PARTS.join() },
    contestants: { type: "string", default: CONTESTANTS.join() },
    kinds: { type: "string", default: "read,write" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "8" },
    databases: { type: "string", default: "1000" },
    "soak-minutes": { type: "string", default: "0" },
    write: { type: "boolean", default: true },
  },
  allowNegative: true,
});

/** The given names, all of them known. */
function chosen<Name extends string>(flag: string, given: string, known: readonly Name[]): Name[] {
  const names = given.split(",");
  const unknown = names.find((name) => !known.includes(name as Name));
  if (unknown !== undefined) throw new Error(`--${flag}: ${unknown} is none of ${known.join(", ")}`);
  return known.filter((name) => names.includes(name));
}

function positive(flag: "rounds" | "seconds" | "databases"): number {
  const number = Number(flags[flag]);
  if (!(number >= 1)) throw new Error(`--${flag}: ${flags[flag]} is no number from 1 on`);
  return number;
}

const only = chosen("only", flags.only, PARTS);
const keys = chosen("contestants", flags.contestants, CONTESTANTS);
const kinds = chosen<Kind>("kinds", flags.kinds, ["read", "write"]);
const rounds = { rounds: positive("rounds"), seconds: positive("seconds") };
const databases = only.includes("many") ? positive("databases") : Math.min(FEW, positive("databases"));
const bars: Bar[] = [];
const failed: string[] = [];

/** Measures one part, if it is wanted, prints what was found and writes it down. */
async function run(name: PartName, measure: () => Promise<Part>): Promise<void> {
  if (!only.includes(name)) return;
  const load = digits(loadavg()[0] ?? Number.NaN);
  const circumstances = `${describeMachine("18.4")}; ${rounds.rounds} rounds of ${rounds.seconds} s, fsync off; load ${load} before`;
  await orFail(name, async () => {
    const part = await measure();
    bars.push(...part.bars);
    const barred = part.bars.length === 0 ? [] : [barTable(part.bars)];
    process.stdout.write(`## ${part.title}\n\n${[circumstances, part.text, ...barred].join("\n\n")}\n\n`);
    if (flags.write) record(name, [circumstances, part.text, ...barred].join("\n\n"));
  });
}

async function orFail(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    failed.push(name);
    process.stderr.write(`${name}: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

async function measureWorkload(): Promise<void> {
  if (only.includes("api") && keys.some((key) => key !== "bare" && key !== "tenantry")) installContestants();
  await using stack = new AsyncDisposableStack();
  const servers = await startServers({ fsync: false });
  stack.defer(servers.stop);
  await sql(servers.home.url("postgres"), "create database bench_home");
  const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
  const worker = await startWorker(connection);
  stack.defer(() => worker.close());
  const regionUrl = (name?: string) => servers.region.url(name);
  const { targets, database } = await furnish(worker.services, { homeUrl: connection.databaseUrl, regionUrl });
  const where = { tenantUrl: servers.region.url(database), connection, targets };
  await run("api", async () => {
    const { chart, ...part } = await measureApi(where, { keys, kinds, ...rounds });
    if (flags.write) writeFileSync("bench/api.svg", drawBars("Requests per second, 32 connections", chart));
    return part;
  });
  await run("scale-out", () => measureScaleOut(where, rounds));
}

async function measureTenants(): Promise<void> {
  const tenants = await furnishTenants(databases);
  try {
    await run("cold", () => measureCold(tenants));
    await run("fan-out", () => measureFanOut(tenants, rounds));
    await run("many", () => measureMany(tenants));
  } finally {
    await tenants.stop();
  }
}

const wants = (...names: PartName[]) => names.some((name) => only.includes(name));
if (wants("api", "scale-out")) await orFail("the workload", measureWorkload);
if (wants("fan-out", "cold", "many")) await orFail("the tenant databases", measureTenants);
if (Number(flags["soak-minutes"]) > 0) {
  const given = [`--minutes=${flags["soak-minutes"]}`, ...(flags.write ? ["--write"] : [])];
  if (spawnSync(process.execPath, ["bench/soak.ts", ...given], { stdio: "inherit" }).status !== 0) failed.push("soak");
}
if (bars.length > 0) process.stdout.write(`## Bars\n\n${barTable(bars)}\n`);
if (failed.length > 0) {
  process.stderr.write(`Failed: ${failed.join(", ")}\n`);
  process.exitCode = 1;
}
