/** A server's standard error in a file of bounded size. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { copyFile, stat, truncate } from "node:fs/promises";

const MAX_BYTES = 16 * 1024 * 1024;
const CHECK_INTERVAL_MS = 60_000;
const MAX_TAIL_BYTES = 64 * 1024;

/** Opens the log for the server to append to. The caller closes it. */
export function openLog(file: string): { descriptor: number; offset: number } {
  const descriptor = openSync(file, "a", 0o600);
  return { descriptor, offset: fstatSync(descriptor).size };
}

/** What was written since `offset`, or the end of it. */
export function readLog(file: string, offset: number): string {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(offset <= size ? offset : 0, size - MAX_TAIL_BYTES);
    const buffer = Buffer.alloc(size - start);
    const length = readSync(descriptor, buffer, 0, buffer.length, start);
    return buffer.toString("utf8", 0, length);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Looks after the log now and then: when it has grown too large it becomes `<file>.1` and begins anew. The server keeps
 * the file open and appends, so it is copied and cut rather than renamed. Returns what ends it.
 */
export function boundLog(
  file: string,
  maxBytes: number = MAX_BYTES,
  intervalMs: number = CHECK_INTERVAL_MS,
): () => void {
  const timer = setInterval(() => void rotate(file, maxBytes), intervalMs).unref();
  return () => clearInterval(timer);
}

/** One look of {@link boundLog}. Failures are left for the next one: a log must not end the program. */
export async function rotate(file: string, maxBytes: number = MAX_BYTES): Promise<void> {
  try {
    if ((await stat(file)).size <= maxBytes) return;
    await copyFile(file, `${file}.1`);
    await truncate(file);
  } catch {
    // As said above.
  }
}
