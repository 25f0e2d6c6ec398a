/** What a PostgreSQL server takes of the machine, its own processes only. Linux: read from /proc. */
import { readFileSync } from "node:fs";
import { childrenOf } from "../src/embedded/processes.ts";

const CLOCK_TICKS_PER_SECOND = 100;

/**
 * CPU-seconds of the server since it started. Living processes are read to the nanosecond; what those that ended have
 * used, as apply workers and walsenders do when they are parked, the postmaster has collected.
 */
export function serverCpuSeconds(postmaster: number): number {
  const alive = [postmaster, ...childrenOf(postmaster)];
  const nanoseconds = alive.reduce((sum, pid) => sum + Number(read(pid, "schedstat").split(" ")[0] ?? 0), 0);
  const stat = read(postmaster, "stat");
  // After the name in brackets: field 3 is the state, 16 and 17 are the ended children's user and system time.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return nanoseconds / 1e9 + (Number(fields[13]) + Number(fields[14])) / CLOCK_TICKS_PER_SECOND;
}

/** Processes of the server, the postmaster included. */
export function serverProcesses(postmaster: number): number {
  return 1 + childrenOf(postmaster).length;
}

/** Memory of the server's processes with shared pages counted once among those that share them (PSS), in bytes. */
export function serverMemoryBytes(postmaster: number): number {
  return [postmaster, ...childrenOf(postmaster)].reduce((sum, pid) => {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(read(pid, "smaps_rollup"))?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);
}

/** Empty when the process has just ended. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
