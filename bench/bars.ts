/** What a part of the suite found, and whether that is good enough. */
import { digits, table } from "./table.ts";

/** At least or at most this. */
export type Bar = { what: string; measured: number; unit?: string } & ({ least: number } | { most: number });
/** `text` is Markdown. */
export type Part = { title: string; text: string; bars: Bar[] };

export function isMet(bar: Bar): boolean {
  return "least" in bar ? bar.measured >= bar.least : bar.measured <= bar.most;
}

export function barTable(bars: readonly Bar[]): string {
  return table(
    ["bar", "", "measured", ""],
    bars.map((bar) => {
      const unit = bar.unit ?? "×";
      const wanted = "least" in bar ? `≥ ${bar.least} ${unit}` : `≤ ${bar.most} ${unit}`;
      return [bar.what, wanted, `${digits(bar.measured)} ${unit}`, isMet(bar) ? "met" : "**missed**"];
    }),
  );
}
