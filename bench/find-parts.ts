/** The bench modules that there are: every file in bench/parts/. */
import { readdirSync } from "node:fs";
import type { BenchPart } from "./part.ts";

const FOLDER = new URL("parts/", import.meta.url);

/** By name, in their order. */
export async function findParts(): Promise<Map<string, BenchPart>> {
  const found: [string, BenchPart][] = [];
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".ts"))) {
    const { part } = (await import(new URL(file, FOLDER).href)) as { part?: BenchPart };
    if (part === undefined) throw new Error(`bench/parts/${file} exports no part`);
    found.push([file.slice(0, -".ts".length), part]);
  }
  return new Map(found.toSorted(([, one], [, other]) => one.order - other.order));
}
