/**
 * Builds what the npm package ships into `dist`: JavaScript and types, because Node takes no TypeScript below node_modules,
 * and the files that the program reads beside its modules. What an import by # leads to there stands in package.json, under
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

/** What is read at run time: migrations and what they lead to, the explorer's pages. */
const ASSETS = ["engine/schema/**/*.sql", "app/schema/**/*.{sql,json}", "api/http/explorer/*.{js,css,html}"];

rmSync(DIST, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [TSC, "-p", "tsconfig.build.json"], { cwd: ROOT, stdio: "inherit" });
if (status !== 0) process.exit(1);
for (const file of globSync(ASSETS, { cwd: join(ROOT, "src") })) cpSync(join(ROOT, "src", file), join(DIST, file));
