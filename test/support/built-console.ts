/** The console as it ships: built anew, so that what is tested is what its sources say. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../..");

/** Where the built files lie. */
export const BUILT_CONSOLE = join(ROOT, "console/dist");

/** Takes about two seconds. */
export async function buildConsole(): Promise<void> {
  const vite = join(ROOT, "node_modules/vite/bin/vite.js");
  await promisify(execFile)(process.execPath, [vite, "build", "console", "--logLevel", "error"], { cwd: ROOT });
}
