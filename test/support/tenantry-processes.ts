/** Tenantry as it runs in production: several processes, each of which may die at any moment and is started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Random } from "./random.ts";
import type { GivenSettings } from "./settings.ts";

const PROGRAM = fileURLToPath(new URL("./tenantry-process.ts", import.meta.url));
const KEPT_LINES = 60;

type Role = "api" | "worker";
type One = { role: Role; child: ChildProcess; url: string | undefined; running: boolean };

export class TenantryProcesses {
  readonly #options: GivenSettings;
  readonly #all = new Set<One>();
  #stopping = false;
  /** Processes that ended on their own after they had started: what the others did to them must not do that. */
  readonly crashes: string[] = [];
  /** The end of what they said. */
  readonly log: string[] = [];

  constructor(options: GivenSettings) {
    this.#options = options;
  }

  /** Starts one more, and again whenever it ends. Resolves when it runs for the first time. */
  async start(role: Role): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#launch(role, resolve);
    await promise;
  }

  #launch(role: Role, onRunning: () => void): void {
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ ...this.#options, role })], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const one: One = { role, child, url: undefined, running: false };
    this.#all.add(one);
    const hear = (line: string) => {
      const match = /^\{"url":"([^"]*)"\}$/.exec(line);
      if (match === null) return this.#remember(`${role} ${child.pid}: ${line}`);
      one.url = match[1];
      one.running = true;
      onRunning();
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", hear);
    child.stdin.on("error", () => undefined);
    child.once("exit", (code, signal) => {
      this.#all.delete(one);
      if (this.#stopping) return;
      if (one.running && signal === null) this.crashes.push(`${role} ${child.pid} ended with ${code}`);
      // As a supervisor does; one that finds home away ends at once and is started until it is back.
      this.#launch(role, onRunning);
    });
  }

  #remember(line: string): void {
    this.log.push(line.slice(0, 600));
    if (this.log.length > KEPT_LINES) this.log.shift();
  }

  /** The URLs of the APIs that run now. */
  get urls(): string[] {
    return [...this.#all].flatMap(({ url, role }) => (role === "api" && url !== undefined ? [url] : []));
  }

  /** Kills one with SIGKILL. */
  killOne(random: Random, role: Role): void {
    const candidates = [...this.#all].filter((one) => one.role === role);
    if (candidates.length > 0) random.pick(candidates).child.kill("SIGKILL");
  }

  /** Ends all of them: in order with SIGTERM, or at once. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#stopping = true;
    const ending = [...this.#all].map(async ({ child }) => {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    });
    await Promise.all(ending);
  }
}
