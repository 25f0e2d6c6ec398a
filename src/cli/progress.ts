import type { WriteStream } from "node:tty";
import type { TransferProgress } from "#engine/transfer/transfer-failure";

const REDRAW_MS = 100;

/** How far a transfer is: one line that is written over on a terminal, and nothing elsewhere. */
export class ProgressLine {
  readonly #stream: WriteStream;
  #doing = "";
  #startedAt = 0;
  #drawnAt = -Infinity;

  constructor(stream: WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(progress: TransferProgress): void {
    if (!this.#stream.isTTY) return;
    const now = performance.now();
    // Checking and importing have speeds of their own.
    if (this.#doing !== progress.doing) {
      this.#doing = progress.doing;
      this.#startedAt = now;
    }
    if (now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#stream.write(`\r\u001B[K${formatProgress(progress, (now - this.#startedAt) / 1_000)}`);
  }

  /** Leaves a clean line for what comes next. */
  end(): void {
    if (this.#drawnAt > 0) this.#stream.write("\r\u001B[K");
  }
}

/** `exporting app.comments.ndjson  1,234,567 rows  512.3 MB  87.1 MB/s` */
function formatProgress({ doing, file, rows, bytes }: TransferProgress, seconds: number): string {
  const megabytes = bytes / 1e6;
  const speed = seconds > 0 ? [`${(megabytes / seconds).toFixed(1)} MB/s`] : [];
  return [`${doing} ${file}`, `${rows.toLocaleString("en")} rows`, `${megabytes.toFixed(1)} MB`, ...speed].join("  ");
}

/** Runs `work` with a progress line. Ctrl-C stops it at the next piece; pressed again, at once. */
export async function withProgress<Result>(
  work: (options: { onProgress: (progress: TransferProgress) => void; signal: AbortSignal }) => Promise<Result>,
  interrupted: Error,
): Promise<Result> {
  const line = new ProgressLine();
  const controller = new AbortController();
  const stop = () => controller.abort(interrupted);
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, stop);
  try {
    return await work({ onProgress: (progress) => line.show(progress), signal: controller.signal });
  } finally {
    line.end();
    for (const signal of signals) process.off(signal, stop);
  }
}
