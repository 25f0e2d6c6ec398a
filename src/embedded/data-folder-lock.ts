/**
 * One process at a time works on a data folder. The kernel holds the lock and ends it with the process, however that
 * ends: there is no stale lock to tell from a live one, and no pid that something else may have by now.
 */
import { createHash } from "node:crypto";
import { closeSync, constants, openSync, realpathSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { TenantryError } from "#base/kernel/errors";

/** O_EXLOCK of macOS and the BSDs: open and lock in one step. Node has no name for it. */
const OPEN_LOCKED = 0x20;

/** Takes the folder for this process; the returned function gives it back. One sentence when another process has it. */
export async function lockDataFolder(path: string): Promise<() => Promise<void>> {
  const real = realpathSync(path);
  const name = `tenantry-${createHash("sha256").update(real).digest("hex").slice(0, 24)}`;
  try {
    // An abstract socket or a pipe: no file, and nobody else can have the same name at the same time.
    if (process.platform === "linux") return await listenOn(`\0${name}`);
    if (process.platform === "win32") return await listenOn(`\\\\.\\pipe\\${name}`);
    return openLocked(join(real, "lock"));
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code !== "EADDRINUSE" && code !== "EAGAIN" && code !== "EACCES") throw cause;
    throw new TenantryError(
      "CONFLICT",
      `Another Tenantry is running on the data folder ${path}: stop it first, or set TENANTRY_DATA_DIR.`,
      { cause },
    );
  }
}

function listenOn(address: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () =>
      resolve(
        () =>
          new Promise((closed) => {
            server.close(() => closed());
          }),
      ),
    );
  });
}

function openLocked(file: string): () => Promise<void> {
  const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | OPEN_LOCKED, 0o600);
  return async () => closeSync(descriptor);
}
