/** Files that a setting, a connection URL or a person names. There may be a device, a pipe or a folder instead. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

// Without O_NONBLOCK, opening a pipe waits for a writer. Windows does not know the flag, and has no pipes among its files.
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
/** For files that do not say how long they are, as those in /proc. */
const LEAST_BUFFER_BYTES = 65_536;

/**
 * The text of a regular file of at most `maxBytes`. Throws on anything else: reading a device or a pipe may never end, and
 * would hold up the whole process.
 */
export function readRegularFile(path: string, maxBytes: number): string {
  const descriptor = openSync(path, READ);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw notRegular();
    const tooLong = () => new Error(`it is longer than ${maxBytes.toLocaleString("en")} bytes`);
    if (stats.size > maxBytes) throw tooLong();
    const content = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(stats.size, LEAST_BUFFER_BYTES)) + 1);
    let length = 0;
    while (length < content.length) {
      const read = readSync(descriptor, content, length, content.length - length, null);
      if (read === 0) return content.toString("utf8", 0, length);
      length += read;
    }
    throw tooLong();
  } finally {
    closeSync(descriptor);
  }
}

/** Opens a regular file to read it in pieces. Throws on anything else, without waiting for a pipe's writer. */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await open(path, READ);
  try {
    if (!(await handle.stat()).isFile()) throw notRegular();
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function notRegular(): Error {
  return new Error("it is not a regular file");
}
