/** The command that this process runs, for its span. There is one at a time. */
import type { Command } from "commander";

let running = "tenantry";

/** Notes it by its words, such as `region add`: its arguments may be anything. */
export function noteCommand(command: Command): void {
  const words: string[] = [];
  for (let one: Command | null = command; one?.parent != null; one = one.parent) words.unshift(one.name());
  running = words.join(" ");
}

export function runningCommand(): string {
  return running;
}
