/**
 * What runs on this machine, as far as servers that an earlier process of ours left behind need it: they are not our
 * children, so the only way to know them is to look.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { waitFor } from "#base/kernel/wait";

/** Whether the process is there and not just waiting for its parent to notice that it ended. */
export function isRunning(pid: number): boolean {
  if (process.platform === "linux") {
    const stat = readStat(pid);
    return stat !== undefined && stat.state !== "Z" && stat.state !== "X";
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, but somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** The command line that the process was started with, arguments apart; empty when it cannot be known. */
export function commandLine(pid: number): string[] {
  if (process.platform === "win32") return [];
  // Readable by everybody, unlike /proc/<pid>/cwd, which root in a container may not read of other accounts.
  if (process.platform === "linux") return (readProc(pid, "cmdline") ?? "").split("\0");
  return ps(["-ww", "-o", "command=", "-p", String(pid)])
    .trim()
    .split(" ");
}

/** The processes that this one started and that still run. */
export function childrenOf(parent: number): number[] {
  if (process.platform === "win32") return [];
  if (process.platform === "linux")
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && readStat(pid)?.parent === parent);
  const rows = ps(["-axo", "pid=,ppid="]).trim().split("\n");
  return rows
    .map((row) => row.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid = 0]) => pid);
}

/** Who started the process, or took it over when they ended; undefined where that cannot be known. */
export function parentOf(pid: number): number | undefined {
  return process.platform === "linux" ? readStat(pid)?.parent : undefined;
}

/** Sends the signal; a process that has ended meanwhile is fine. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Waits until all of them are gone; false when some are not after that time. */
export async function waitUntilGone(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  const gone = await waitFor(async () => (pids.some(isRunning) ? undefined : true), { timeoutMs, maxPauseMs: 25 });
  return gone === true;
}

function readStat(pid: number): { state: string; parent: number } | undefined {
  // "<pid> (<name>) <state> <parent> …", where the name may hold spaces and brackets.
  const text = readProc(pid, "stat");
  const [state = "", parent = ""] = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  return text === undefined ? undefined : { state, parent: Number(parent) };
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

function ps(args: readonly string[]): string {
  return spawnSync("/bin/ps", args, { encoding: "utf8" }).stdout;
}
