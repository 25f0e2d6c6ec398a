/** What was found, and whether that is good enough. */
import { digits, table } from "./table.ts";

/** At least or at most this; `open`: nothing was promised. */
export type Bar = { what: string; measured: number; unit?: string } & (
  | { least: number }
  | { most: number }
  | { open: true }
);
/** `text` is Markdown. */
export type Part = { title: string; text: string; bars: Bar[] };

/** Null where nothing was promised. */
export function isMet(bar: Bar): boolean | null {
  if ("open" in bar) return null;
  return "least" in bar ? bar.measured >= bar.least : bar.measured <= bar.most;
}

/** What is wanted, what was measured, and the verdict, in words. */
export function barCells(bar: Bar): [wanted: string, measured: string, verdict: string] {
  const unit = bar.unit ?? "×";
  const withUnit = (number: string | number) => `${number} ${unit}`.trim();
  const wanted = "open" in bar ? "–" : "least" in bar ? `≥ ${withUnit(bar.least)}` : `≤ ${withUnit(bar.most)}`;
  const met = isMet(bar);
  return [wanted, withUnit(digits(bar.measured)), met === null ? "" : met ? "met" : "**missed**"];
}

export function barTable(bars: readonly Bar[]): string {
  return table(
    ["claim", "bar", "measured", ""],
    bars.map((bar) => [bar.what, ...barCells(bar)]),
  );
}
