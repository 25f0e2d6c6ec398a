/**
 * Builds the console where it can be: in a checkout, with Vite beside it. The npm package and the container bring it built.
 * It takes two seconds, and the start does not wait for it.
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["console/index.html", "console/vite.config.ts", "console/src/**/*"];
const BUILT = "console/dist/index.html";
const VITE = "node_modules/vite/bin/vite.js";

/** Says how it went, if there was anything to do. Returns a function that ends the build. */
export function buildConsole(say: (line: string) => void): () => void {
  const canBuild = existsSync(join(ROOT, SOURCES[0] ?? "")) && existsSync(join(ROOT, VITE));
  if (!canBuild || !isConsoleOld()) return () => undefined;
  const child = spawn(process.execPath, [join(ROOT, VITE), "build", "console", "--logLevel", "error"], {
    cwd: ROOT,
    stdio: "ignore",
  });
  const failed = () => say("The console could not be built: run pnpm run build:console, which says why.");
  child.on("error", failed);
  child.on("exit", (code) => {
    if (code !== null && code !== 0) failed();
  });
  return () => child.kill();
}

/** Whether a source is newer than what was built, or nothing was. */
export function isConsoleOld(): boolean {
  const built = statSync(join(ROOT, BUILT), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const changed = globSync(SOURCES, { cwd: ROOT }).map((file) => statSync(join(ROOT, file)).mtimeMs);
  return changed.some((time) => time > built);
}
