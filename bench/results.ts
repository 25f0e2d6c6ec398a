/** Writes RESULTS.md, whole, from what the parts have found. Nothing in it is written by hand. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { barCells } from "./bars.ts";
import type { Finding } from "./part.ts";
import { table } from "./table.ts";

/** What one part found, and when. `circumstances`: of the machine, just before. */
export type Result = {
  part: string;
  title: string;
  about: string;
  order: number;
  /** The day. */
  at: string;
  seconds: number;
  circumstances: string;
  findings: Finding[];
};

const INTRODUCTION = `What Tenantry promises about speed and cost, what was measured, and where it misses. \`pnpm bench\` measures all
of it and writes this page; \`pnpm bench --only=grants\` measures one part again. Each claim links to its section, which says how it
was measured. Ratios compare contestants of one run, taken in turn on the same machine. Where other work runs on the machine, read
the ratios and the CPU, not the milliseconds.`;

/** The page, of all results. */
export function renderResults(results: readonly Result[]): string {
  const sorted = results.toSorted((one, other) => one.order - other.order || (one.part < other.part ? -1 : 1));
  const claims = sorted.flatMap(({ title, at, findings }) =>
    findings.flatMap(({ bars }) =>
      bars.map((bar) => {
        const [wanted, measured, verdict] = barCells(bar);
        return [`[${bar.what}](#${anchorOf(title)})`, wanted, measured, verdict, at];
      }),
    ),
  );
  const page = [
    "# Results",
    table(["claim", "bar", "measured", "", "date"], claims),
    INTRODUCTION,
    ...sorted.flatMap(sectionOf),
  ];
  return `${page.join("\n\n")}\n`;
}

function sectionOf({ part, title, about, at, seconds, circumstances, findings }: Result): string[] {
  const found = findings.flatMap((finding) => [
    ...(findings.length > 1 ? [`### ${finding.title}`] : []),
    ...(finding.chart === undefined ? [] : [`![${finding.chart.about}](${finding.chart.file})`]),
    finding.text,
  ]);
  const how = `${circumstances}. \`pnpm bench --only=${part}\`, ${at}, ${Math.ceil(seconds / 60)} min.`;
  return [`## ${title}`, about, how, ...found];
}

/** As GitHub makes it of a heading. */
export function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

const RESULTS = "results";

/** Keeps a result in the folder, writes its charts there, and the page anew. */
export function saveResult(folder: string, result: Result): void {
  mkdirSync(join(folder, RESULTS), { recursive: true });
  const findings = result.findings.map((finding) => {
    if (finding.chart === undefined) return finding;
    writeFileSync(join(folder, finding.chart.file), finding.chart.svg);
    return { ...finding, chart: { ...finding.chart, svg: "" } };
  });
  writeFileSync(join(folder, RESULTS, `${result.part}.json`), `${JSON.stringify({ ...result, findings }, null, 2)}\n`);
  writeFileSync(join(folder, "RESULTS.md"), renderResults(loadResults(folder)));
}

function loadResults(folder: string): Result[] {
  return readdirSync(join(folder, RESULTS))
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, RESULTS, name), "utf8")) as Result);
}

/** Forgets all results: what is measured next is of this program alone. */
export function forgetResults(folder: string): void {
  if (existsSync(join(folder, RESULTS))) rmSync(join(folder, RESULTS), { recursive: true });
}
