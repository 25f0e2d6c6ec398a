/** Runs one of PostgreSQL's programs to its end. */
import { spawn } from "node:child_process";
import { type Account, spawnOptions } from "#embedded/account";

/** What every program of a server sees of the environment: nothing of ours, such as PG* variables, may change it. */
export const ENVIRONMENT = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" };

export type Outcome = { succeeded: boolean; output: string };

// Kept at both ends: what went wrong first is as telling as what was given up on last.
const MAX_KEPT_LENGTH = 20_000;

/** Rejects when the program cannot be run at all, or when the signal is aborted. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { account: Account | undefined; input?: string; signal?: AbortSignal | undefined },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...spawnOptions(options.account),
      env: ENVIRONMENT,
      // A session of its own: Ctrl-C in the terminal is ours to handle.
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let first = "";
    let last = "";
    const collect = (chunk: Buffer) => {
      const text = chunk.toString();
      const room = MAX_KEPT_LENGTH - first.length;
      first += text.slice(0, room);
      last = (last + text.slice(room)).slice(-MAX_KEPT_LENGTH);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    let failure: Error | undefined;
    child.on("error", (error) => {
      failure = error;
    });
    // Also when it was aborted: it is over only when nothing of it runs any more.
    child.on("close", (code) =>
      failure === undefined ? resolve({ succeeded: code === 0, output: first + last }) : reject(failure),
    );
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
