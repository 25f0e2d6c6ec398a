/** One line on a terminal that says how far something is. Nothing where output is not a terminal. */
const REDRAW_MS = 200;

export type ProgressLine = {
  show: (progress: { table: string; rows: number; bytes: number }) => void;
  end: () => void;
};

/** `verb` says what is being done, such as "exported". */
export function progressLine(verb: string): ProgressLine {
  const started = performance.now();
  const isTerminal = process.stderr.isTTY;
  let drawn = 0;
  let done = 0;
  let current = { table: "", bytes: 0 };
  return {
    show: ({ table, rows, bytes }) => {
      if (current.table !== table) {
        done += current.bytes;
        current = { table, bytes: 0 };
      }
      current.bytes = bytes;
      const now = performance.now();
      if (!isTerminal || now - drawn < REDRAW_MS) return;
      drawn = now;
      const megabytes = (done + bytes) / 1e6;
      const rate = megabytes / ((now - started) / 1_000);
      process.stderr.write(
        `\r\u001B[K${table}: ${rows} rows ${verb}, ${megabytes.toFixed(1)} MB, ${rate.toFixed(1)} MB/s`,
      );
    },
    end: () => {
      if (isTerminal && drawn > 0) process.stderr.write("\r\u001B[K");
    },
  };
}
