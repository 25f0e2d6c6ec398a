/** The console as it ships, as its sources say now. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { isConsoleOld } from "../../src/cli/build-console.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** Where the built files lie. */
export const BUILT_CONSOLE = join(ROOT, "console/dist");

/** Builds it unless it is new, in about two seconds. Of two files that need it one builds, and the other waits. */
export async function buildConsole(): Promise<void> {
  const vite = join(ROOT, "node_modules/vite/bin/vite.js");
  const build = async () => {
    if (!isConsoleOld()) return true;
    try {
      await run(process.execPath, [vite, "build", "console", "--logLevel", "error"], { cwd: ROOT });
      return true;
    } catch (error) {
      if (error instanceof Error && error.message.includes("another Vite build process")) return undefined;
      throw error;
    }
  };
  await waitFor(build, { timeoutMs: 60_000 });
}
