/** Runs one part in this process: `node bench/run-part.ts grants [--quick]`. */
import { parseArgs } from "node:util";
import { findParts } from "./find-parts.ts";

const { values: flags, positionals } = parseArgs({
  options: { quick: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [name = ""] = positionals;
const part = (await findParts()).get(name);
if (part === undefined) throw new Error(`there is no bench/parts/${name}.ts`);
await part.run({ quick: flags.quick });
