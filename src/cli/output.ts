/** What commands print: JSON for scripts, lines for people. */

export type OutputOptions = { json?: boolean };

/** One JSON object, or the lines. */
export function output({ json }: OutputOptions, value: object, lines: readonly string[]): void {
  process.stdout.write(`${json === true ? JSON.stringify(value) : lines.join("\n")}\n`);
}

/** One line. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Standard input up to its end, without the last line break; for what must not stand on a command line. */
export async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8").trim();
}
