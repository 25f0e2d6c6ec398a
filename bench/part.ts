/**
 * A bench module is a file in bench/parts/ that exports one `part`. `pnpm bench` finds it by itself, runs it in a process of
 * its own, and writes what it found into RESULTS.md.
 */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { endsWithUs } from "./api-process.ts";
import { barTable, type Part } from "./bars.ts";

/** What was found, with the claims that it is held against. `chart`: an image, and its file beside RESULTS.md. */
export type Finding = Part & { chart?: { file: string; svg: string; about: string } };

export type BenchPart = {
  title: string;
  /** How it is measured, in Markdown. No figures: those are in the findings. */
  about: string;
  /** Where it stands in RESULTS.md. */
  order: number;
  /** How long it takes, at most. All parts together take no more than 45. */
  minutes: number;
  /** Measures, and hands over each finding by {@link report}. `quick`: whether it works at all; the figures say nothing. */
  run: (how: { quick: boolean }) => Promise<void>;
};

/** Prints what was found, and hands it to `pnpm bench` where that has asked for it. */
export function report(found: Finding): void {
  const { title, text, bars } = found;
  const parts = [`## ${title}`, text, ...(bars.length === 0 ? [] : [barTable(bars)])];
  process.stdout.write(`${parts.join("\n\n")}\n\n`);
  const out = process.env["BENCH_OUT"];
  if (out !== undefined) appendFileSync(out, `${JSON.stringify(found)}\n`);
}

/** Runs a file of bench/ that reports by itself, with other arguments when it is to be quick. */
export async function runScript(file: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [`bench/${file}`, ...args], { stdio: "inherit" });
  endsWithUs(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code !== 0) throw new Error(`bench/${file} ended with ${code}`);
}
