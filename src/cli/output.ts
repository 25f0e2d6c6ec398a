/** What commands print: JSON for scripts, lines for people. */

import { NOT_IN_NAMES } from "#base/kernel/validation";

export type OutputOptions = { json?: boolean };

/** One JSON object, or the lines. */
export function output({ json }: OutputOptions, value: object, lines: readonly string[]): void {
  process.stdout.write(`${json === true ? JSON.stringify(value) : lines.join("\n")}\n`);
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
