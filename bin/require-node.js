#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on any Node, to say in one sentence when that Node is too old.
// Usage: node bin/require-node.js <program in node_modules/.bin> [arguments…]
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Ends the process with one sentence when the running Node cannot run TypeScript directly. */
export function requireNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 24) return;
  console.error(
    `Tenantry needs Node 24 or newer, and this is ${process.version} on ${process.platform}-${process.arch}. ` +
      "Run it through pnpm (npx pnpm@12 start), which installs Node 24 where npm has it for the platform; " +
      "elsewhere install Node 24 yourself.",
  );
  process.exit(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  requireNode();
  const [program = "", ...rest] = process.argv.slice(2);
  const child = spawn(program, rest, { stdio: "inherit", shell: process.platform === "win32" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`${program} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}
