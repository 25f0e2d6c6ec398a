/** A worker that can be killed, and asking while something is killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/journey.ts";

const PROGRAM = fileURLToPath(new URL("../support/worker-to-crash.ts", import.meta.url));

/** A worker in a process of its own, which stops at a failpoint. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];

  private constructor(appOptions: object) {
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(appOptions)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdin?.on("error", () => undefined);
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#lines.push(line));
  }

  static async start(appOptions: object): Promise<Worker> {
    const started = new Worker(appOptions);
    await started.hear("ready");
    return started;
  }

  async hear(line: string): Promise<void> {
    const heard = await eventually(async () => this.#lines.includes(line), 20_000);
    if (!heard) throw new Error(`${line} was expected of the worker; it said ${this.#lines.slice(-5).join(" | ")}`);
  }

  async arm(failpoint: string): Promise<void> {
    this.#child.stdin?.write(`arm ${failpoint}\n`);
    await this.hear(`armed ${failpoint}`);
  }

  goOn(): void {
    this.#child.stdin?.write("go on\n");
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** Asks again while a server that was killed is not back for the process that asks. */
export async function insist<Result>(ask: () => Promise<Result>): Promise<Result> {
  let failure: unknown;
  const result = await eventually(
    () =>
      ask().then(
        (value) => ({ value }),
        (error: unknown) => {
          failure = error;
          return undefined;
        },
      ),
    20_000,
  );
  if (result === undefined) throw failure;
  return result.value;
}
