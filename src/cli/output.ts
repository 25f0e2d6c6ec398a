/** What commands print: JSON for scripts, lines for people. */

import { NOT_IN_NAMES } from "#base/kernel/validation";

export type OutputOptions = { json?: boolean };

/** One JSON object, or the lines. */
export function output({ json }: OutputOptions, value: object, lines: readonly string[]): void {
  process.stdout.write(`${json === true ? JSON.stringify(value) : lines.join("\n")}\n`);
}

/** Rows under their headings, in columns. Without rows: one sentence. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  otherwise: string,
): string[] {
  if (rows.length === 0) return [otherwise];
  const lines = [headings, ...rows.map((row) => row.map((cell) => plain(cell === null ? "-" : String(cell))))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Bytes, for people. */
export function bytes(value: number | null): string {
  if (value === null) return "unknown";
  return value < 1024 * 1024 ? `${Math.ceil(value / 1024)} kB` : `${(value / 1024 / 1024).toFixed(1)} MB`;
}

/** `1 server`, `2 servers`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** One line. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const NOT_TO_BE_SHOWN = new RegExp(`\\0|${NOT_IN_NAMES}`, "g");

/** Text that a server may have made, for a terminal: what would steer the terminal, or cannot be seen, is a blank. */
export function plain(text: string): string {
  return text.replaceAll(NOT_TO_BE_SHOWN, " ");
}

/** One JSON object on one line. What {@link plain} leaves out is escaped, as a terminal may be what reads it. */
export function printJson(value: object): void {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  print(JSON.stringify(value).replaceAll(NOT_TO_BE_SHOWN, escaped));
}

/** Standard input up to its end, without the last line break; for what must not stand on a command line. */
export async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8").trim();
}
