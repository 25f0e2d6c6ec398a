#!/usr/bin/env node
import { requireNode } from "./require-node.js";

requireNode();
const { run } = await import("../src/cli/main.ts");
await run(process.argv.slice(2));
