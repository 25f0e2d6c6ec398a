#!/usr/bin/env node
import { existsSync } from "node:fs";
import { onNode24 } from "./require-node.js";

// A checkout runs its sources; the npm package has built files only.
const source = new URL("../src/cli/main.ts", import.meta.url);
const main = existsSync(source) ? source : new URL("../dist/cli/main.js", import.meta.url);
await onNode24(import.meta.url, async () => {
  const { run } = await import(main.href);
  await run(process.argv.slice(2));
});
