/** Asking servers from a process of its own, and what the servers' processes took for the answers. Linux: read from /proc. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { LoadOrder, LoadResult } from "./load.ts";
import { median, percentile } from "./statistics.ts";

const CLOCK_TICKS_PER_SECOND = 100;
const BYTES_PER_PAGE = 4_096;

/** Times in milliseconds, CPU of the server's processes per answer, memory in bytes. `loadShare`: of one core, by who asked. */
export type Measured = {
  perSecond: number;
  p50: number;
  p99: number;
  cpuMs: number;
  memory: number;
  bytes: number;
  loadShare: number;
};

/** Sends a load and returns what was measured by it. Throws when an answer failed. */
export async function sendLoad(what: string, order: LoadOrder): Promise<LoadResult> {
  const load = spawn(process.execPath, ["bench/load.ts"], { stdio: ["pipe", "pipe", "inherit"] });
  load.stdin?.end(JSON.stringify(order));
  if (load.stdout === null) throw new Error("the load has no output");
  const printed = await text(load.stdout);
  if (printed === "") throw new Error(`${what}: the load failed`);
  const result = JSON.parse(printed) as LoadResult;
  if (result.failed > 0) throw new Error(`${what}: ${result.failed} of ${result.answered} answers failed`);
  return result;
}

export async function measure(what: string, order: LoadOrder, pids: readonly number[]): Promise<Measured> {
  const before = usage(pids);
  const result = await sendLoad(what, order);
  const after = usage(pids);
  return {
    perSecond: result.answered / result.seconds,
    p50: percentile(result.latencies, 0.5),
    p99: percentile(result.latencies, 0.99),
    cpuMs: ((after.cpu - before.cpu) * 1_000) / result.answered,
    memory: after.memory,
    bytes: result.bytes / result.answered,
    loadShare: result.cpuShare,
  };
}

/** Of each figure the median over the rounds. */
export function middle(rounds: readonly Measured[]): Measured {
  const of = (pick: (one: Measured) => number) => median(rounds.map(pick));
  return {
    perSecond: of((one) => one.perSecond),
    p50: of((one) => one.p50),
    p99: of((one) => one.p99),
    cpuMs: of((one) => one.cpuMs),
    memory: of((one) => one.memory),
    bytes: of((one) => one.bytes),
    loadShare: of((one) => one.loadShare),
  };
}

/** CPU-seconds and resident bytes of processes together. */
export function usage(pids: readonly number[]): { cpu: number; memory: number } {
  const total = { cpu: 0, memory: 0 };
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    total.cpu += (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
    total.memory += Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * BYTES_PER_PAGE;
  }
  return total;
}
