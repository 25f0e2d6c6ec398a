/**
 * Measures everything, in at most 45 minutes, and writes bench/RESULTS.md whole. Each part runs in a process of its own: one that
 * fails costs itself and the exit code, not the others.
 * `--only=grants,requests`: these parts alone; the others' results stay. `--quick`: whether all of it works, in some minutes; what
 * it finds goes to a folder of its own. `--to=FOLDER`, `--list`.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { atExit } from "./at-exit.ts";
import { findParts } from "./find-parts.ts";
import { describeMachine } from "./machine.ts";
import type { BenchPart, Finding } from "./part.ts";
import { forgetResults, saveResult } from "./results.ts";
import { digits } from "./table.ts";

const MOST_MINUTES = 45;
/** A part that takes longer than it says is ended after so many times that long. */
const PATIENCE = 2;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    to: { type: "string" },
  },
});

async function runPart(name: string, { minutes }: BenchPart): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-part-"));
  const out = join(folder, "findings");
  // A group of its own, so that it ends with all that it has started.
  const child = spawn(process.execPath, ["bench/run-part.ts", name, ...(flags.quick ? ["--quick"] : [])], {
    stdio: "inherit",
    detached: true,
    env: { ...process.env, BENCH_OUT: out },
  });
  const end = () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, "SIGTERM");
  };
  const forget = atExit(end);
  const timer = setTimeout(end, minutes * PATIENCE * 60_000);
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status, signal) => resolve(status ?? signal));
  });
  clearTimeout(timer);
  forget();
  const findings = existsSync(out) ? readFileSync(out, "utf8").split("\n").filter(Boolean) : [];
  rmSync(folder, { recursive: true });
  if (code !== 0) throw new Error(`it ended with ${code}`);
  return findings.map((line) => JSON.parse(line) as Finding);
}

const parts = await findParts();
const chosen = flags.only?.split(",") ?? [...parts.keys()];
const unknown = chosen.find((name) => !parts.has(name));
if (unknown !== undefined)
  throw new Error(`--only: there is no part ${unknown}. Name some of: ${[...parts.keys()].join(", ")}`);

if (flags.list) for (const [name, { minutes, title }] of parts) console.log(`${name}\t${minutes} min\t${title}`);
else await measureAll();

async function measureAll(): Promise<void> {
  const folder = flags.to ?? (flags.quick ? mkdtempSync(join(tmpdir(), "bench-quick-")) : "bench");
  if (flags.only === undefined) forgetResults(folder);
  const started = performance.now();
  const failed: string[] = [];
  for (const name of chosen) {
    const part = parts.get(name);
    if (part === undefined) continue;
    const began = performance.now();
    if ((began - started) / 60_000 > MOST_MINUTES) {
      failed.push(`${name}: not begun, as the others took ${MOST_MINUTES} minutes`);
      continue;
    }
    const circumstances = `${describeMachine()}; load ${digits(loadavg()[0] ?? Number.NaN)} before`;
    console.error(`${name}, ${part.minutes} min at most`);
    try {
      const findings = await runPart(name, part);
      const seconds = (performance.now() - began) / 1_000;
      const { title, about, order } = part;
      const at = new Date().toISOString().slice(0, 10);
      saveResult(folder, { part: name, title, about, order, at, seconds, circumstances, findings });
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const minutes = (performance.now() - started) / 60_000;
  console.error(`${digits(minutes)} minutes; ${join(folder, "RESULTS.md")}`);
  if (failed.length === 0) return;
  console.error(`Failed:\n${failed.join("\n")}`);
  process.exitCode = 1;
}
