/** Asking for a secret in a terminal. */
import type { ReadStream } from "node:tty";
import { TenantryError } from "#base/kernel/errors";
import { readInput } from "#cli/output";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACES = new Set(["\u007f", "\b"]);

/** What standard input has; in a terminal the question is asked first, and nothing that is typed or pasted is shown. */
export async function readSecret(question: string): Promise<string> {
  return process.stdin.isTTY ? ask(process.stdin, question) : readInput();
}

async function ask(terminal: ReadStream, question: string): Promise<string> {
  // Before the question: what is typed from then on is not shown.
  terminal.setRawMode(true);
  terminal.setEncoding("utf8");
  process.stderr.write(`${question} (it is not shown): `);
  try {
    return (await readLine(terminal)).trim();
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    process.stderr.write("\n");
  }
}

function readLine(terminal: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    const finish = (end: () => void) => {
      terminal.off("data", take);
      terminal.off("end", leave);
      end();
    };
    const leave = () => finish(() => resolve(line.join("")));
    const take = (chunk: string | Buffer) => {
      for (const key of chunk.toString()) {
        if (key === "\r" || key === "\n" || key === CTRL_D) return leave();
        if (key === CTRL_C)
          return finish(() => reject(new TenantryError("INVALID_INPUT", "Nothing was given, so nothing was done.")));
        line = BACKSPACES.has(key) ? line.slice(0, -1) : [...line, key];
      }
    };
    terminal.on("data", take);
    terminal.on("end", leave);
    terminal.resume();
  });
}
