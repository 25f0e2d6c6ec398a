/**
 * Builds what the npm package ships into `dist`: JavaScript and types, because Node takes no TypeScript below node_modules,
 * the console, and the files that the program reads beside its modules. What an import by # leads to there stands in package.json, under
 * `publishConfig`, which pnpm puts in its place when it packs.
 *
 * Usage: node build/package.ts
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
const VITE = join(ROOT, "node_modules/vite/bin/vite.js");

/** What is read at run time: migrations and what they lead to, the explorer's pages. */
const ASSETS = ["engine/schema/**/*.sql", "app/schema/**/*.{sql,json}", "api/http/explorer/*.{js,css,html}"];

/** Runs a package's program; what it says is shown, and if it fails nothing is packed. */
function run(program: string, ...args: string[]): void {
  const { status } = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

rmSync(DIST, { recursive: true, force: true });
run(TSC, "-p", "tsconfig.build.json");
run(VITE, "build", "console", "--outDir", join(DIST, "console"), "--logLevel", "warn");
for (const file of globSync(ASSETS, { cwd: join(ROOT, "src") })) cpSync(join(ROOT, "src", file), join(DIST, file));
