/**
 * The suite: on servers of its own, with the workload furnished once. Prints tables and bars, draws the chart and writes the result into
 * RESULTS.md (`--no-write`: prints only).
 * `--only=api,scale-out,many` chooses parts; `--contestants=bare,tenantry`, `--kinds=read,write`, `--rounds=3`, `--seconds=8` for
 * each phase; `--databases=1000` for the many; `--soak-minutes=10` ends with the soak.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startApp } from "../src/main.ts";
import { type Kind, measureApi, measureScaleOut } from "./api.ts";
import { barTable, type Part } from "./bars.ts";
import { drawBars } from "./chart.ts";
import { CONTESTANTS, installContestants } from "./contestants.ts";
import { describeMachine } from "./machine.ts";
import { measureMany } from "./many.ts";
import { record } from "./record.ts";
import { sql, startServers } from "./servers.ts";
import { furnish } from "./workload.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "api,scale-out,many" },
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

const only = chosen("only", flags.only, ["api", "scale-out", "many"]);
const keys = chosen("contestants", flags.contestants, CONTESTANTS);
const kinds = chosen<Kind>("kinds", flags.kinds, ["read", "write"]);
const rounds = { rounds: Number(flags.rounds), seconds: Number(flags.seconds) };
const machine = `${describeMachine("18.4")}; ${rounds.rounds} rounds of ${rounds.seconds} s, fsync off`;

function report(block: string, parts: readonly Part[]): void {
  const bars = parts.flatMap((part) => part.bars);
  const text = [
    machine,
    ...(bars.length === 0 ? [] : [barTable(bars)]),
    ...parts.flatMap(({ title, text: body }) => [`### ${title}`, body]),
  ].join("\n\n");
  process.stdout.write(`${text}\n\n`);
  if (flags.write) record(block, text);
}

async function measureWorkload(): Promise<void> {
  if (keys.some((key) => key !== "bare" && key !== "tenantry")) installContestants();
  await using stack = new AsyncDisposableStack();
  const servers = await startServers({ fsync: false });
  stack.defer(servers.stop);
  await sql(servers.home.url("postgres"), "create database bench_home");
  const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
  const quiet = { host: "127.0.0.1", port: 0, logLevel: "error", prettyLogs: false } as const;
  const worker = await startApp({ ...connection, ...quiet, role: "worker" });
  stack.defer(() => worker.close());
  const regionUrl = (name?: string) => servers.region.url(name);
  const { targets, database } = await furnish(worker.services, { homeUrl: connection.databaseUrl, regionUrl });
  const where = { tenantUrl: servers.region.url(database), connection, targets };
  const parts: Part[] = [];
  if (only.includes("api")) {
    const part = await measureApi(where, { keys, kinds, ...rounds });
    parts.push(part);
    if (flags.write) writeFileSync("bench/chart.svg", drawBars("Requests per second, 32 connections", part.chart));
  }
  if (only.includes("scale-out")) parts.push(await measureScaleOut(where, rounds));
  report("api", parts);
}

if (only.includes("api") || only.includes("scale-out")) await measureWorkload();
if (only.includes("many")) report("many", await measureMany(Number(flags.databases), rounds));
if (Number(flags["soak-minutes"]) > 0)
  spawnSync(
    process.execPath,
    ["bench/soak.ts", `--minutes=${flags["soak-minutes"]}`, ...(flags.write ? ["--write"] : [])],
    { stdio: "inherit" },
  );
