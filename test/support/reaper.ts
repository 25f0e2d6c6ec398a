/**
 * Removes a folder with everything that runs in it as soon as the test run is gone, also when that was killed. It runs
 * in a session of its own, started with a pipe from the run: the pipe ends when the run does.
 *
 * Usage: node test/support/reaper.ts <folder>
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { childrenOf, commandLine, sendSignal, waitUntilGone } from "../../src/embedded/processes.ts";

const KILL_TIMEOUT_MS = 10_000;

/** Kills every PostgreSQL server whose data is somewhere in the folder, and removes the folder. */
async function reap(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const postmasters = postmastersBelow(folder);
  for (const pid of postmasters) sendSignal(pid, "SIGSTOP");
  const all = postmasters.concat(postmasters.flatMap(childrenOf));
  for (const pid of all) sendSignal(pid, "SIGKILL");
  await waitUntilGone(all, KILL_TIMEOUT_MS);
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

function postmastersBelow(folder: string): number[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("postmaster.pid"))
    .map((path) => Number(readFileSync(join(folder, path), "utf8").split("\n")[0]))
    .filter((pid) => commandLine(pid).some((arg) => arg.startsWith(folder)));
}

const [folder = ""] = process.argv.slice(2);
process.stdin.resume().on("end", () => {
  void reap(folder);
});
