/** Puts what was measured into bench/RESULTS.md, between the markers of its part. */
import { readFileSync, writeFileSync } from "node:fs";

const RESULTS = "bench/RESULTS.md";

/** Replaces the block of `part`. The file must have `<!-- bench:part -->` and `<!-- /bench:part -->`. */
export function record(part: string, markdown: string): void {
  const text = readFileSync(RESULTS, "utf8");
  const [from, to] = [`<!-- bench:${part} -->`, `<!-- /bench:${part} -->`];
  const [start, end] = [text.indexOf(from), text.indexOf(to)];
  if (start === -1 || end < start) throw new Error(`${RESULTS} has no block for ${part}`);
  writeFileSync(RESULTS, `${text.slice(0, start + from.length)}\n${markdown}\n${text.slice(end)}`);
}
