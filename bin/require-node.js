#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on any Node, to say in one sentence when that Node is too old.
// Usage: node bin/require-node.js <program in node_modules/.bin> [arguments…]
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const isWindows = process.platform === "win32";

function isOldNode() {
  return Number(process.versions.node.split(".")[0]) < 24;
}

/** Ends the process with one sentence when the running Node cannot run Tenantry. */
export function requireNode() {
  if (!isOldNode()) return;
  console.error(
    `Tenantry needs Node 24 or newer, and this is ${process.version} on ${process.platform}-${process.arch}. ` +
      "Node 24 comes along as an optional package where npm has it for the platform: install again without leaving " +
      "optional packages out (in a checkout: npx pnpm@12 start); elsewhere install Node 24 yourself.",
  );
  process.exit(1);
}

/** Runs `work`; on an older Node the program starts again on the one that comes along. */
export async function onNode24(program, work) {
  const node = isOldNode() ? findNode() : undefined;
  if (node === undefined) {
    requireNode();
    await work();
    return;
  }
  pass(node, [fileURLToPath(program), ...process.argv.slice(2)]);
}

/** The program of the optional package for this platform; undefined: it is not installed. */
function findNode() {
  const name = `node-${isWindows ? "win" : process.platform}-${process.arch}`;
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    const node = join(folder, "bin", isWindows ? "node.exe" : "node");
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Runs a program in place of this one, as far as a process can. */
function pass(program, args, options = {}) {
  const child = spawn(program, args, { stdio: "inherit", ...options });
  // A terminal sends Ctrl-C to the program as well, and a second one ends it before it has cleaned up.
  const atTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on("SIGINT", () => {
    if (!atTerminal) child.kill("SIGINT");
  });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => {
    console.error(`${program} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  requireNode();
  const [program = "", ...rest] = process.argv.slice(2);
  pass(program, rest, { shell: isWindows });
}
