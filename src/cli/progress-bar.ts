import type { WriteStream } from "node:tty";
import type { FleetProgress } from "#engine/fleet/migrate-databases";

const WIDTH = 30;

/** How far a fleet migration is: one line that is written over on a terminal, a line for each database elsewhere. */
export class ProgressBar {
  readonly #stream: WriteStream;
  #shown = false;

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  /** `important`: the line stays on a terminal too. */
  show(progress: FleetProgress, line: string, important: boolean): void {
    if (!this.#stream.isTTY) {
      this.#stream.write(`${line}\n`);
      return;
    }
    if (important) this.#stream.write(`\r\u001B[K${line}\n`);
    this.#stream.write(`\r\u001B[K${formatProgress(progress)}`);
    this.#shown = true;
  }

  end(): void {
    if (this.#shown) this.#stream.write("\n");
  }
}

/** `██████░░░░  120/200  38.2/s  2 s left  1 failed  1 put off` */
export function formatProgress({ due, done, failed, deferred, perSecond, secondsLeft }: FleetProgress): string {
  const filled = due === 0 ? WIDTH : Math.round(((done + failed) / due) * WIDTH);
  return [
    "█".repeat(filled) + "░".repeat(WIDTH - filled),
    `${done + failed}/${due}`,
    `${perSecond.toFixed(1)}/s`,
    ...(secondsLeft === undefined ? [] : [`${formatTime(secondsLeft)} left`]),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(deferred > 0 ? [`${deferred} put off`] : []),
  ].join("  ");
}

function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
