/** The folder that holds the embedded servers' data, and what is remembered there between runs. */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isReachable, serverAccount } from "#embedded/account";
import { TenantryError } from "#kernel/errors";

/** What is remembered: registered regions' URLs contain ports and the password, so both must stay. */
export type Manifest = { ports: Record<string, number> };

/** Where the data goes when nobody says: beside the program, or where root's servers can reach it. */
export function defaultDataFolder(checkout: string): string {
  const beside = join(checkout, ".tenantry");
  if (isReachable(join(beside, "x"), serverAccount())) return beside;
  const id = createHash("sha256").update(checkout).digest("hex").slice(0, 12);
  return join("/var/lib/tenantry", id);
}

/** Makes the folder. Throws one sentence when it cannot be made, written, or reached by the servers' account. */
export function openDataFolder(path: string): void {
  const account = serverAccount();
  try {
    mkdirSync(path, { recursive: true });
    // Others pass through to what they own; they cannot list.
    chmodSync(path, account === undefined ? 0o700 : 0o711);
  } catch (cause) {
    throw diskError(cause, path);
  }
  if (!isReachable(join(path, "x"), account))
    throw new TenantryError(
      "INVALID_INPUT",
      `The account ${account?.name}, which PostgreSQL runs as because it refuses to run as root, cannot reach ${path}: choose another TENANTRY_DATA_DIR.`,
    );
}

/** Turns a failure to write into one sentence. */
export function diskError(cause: unknown, path: string): unknown {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new TenantryError(
      "LIMIT_EXCEEDED",
      `The disk that holds ${path} is full: make room, or set TENANTRY_DATA_DIR.`,
      { cause },
    );
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR" || code === "EEXIST")
    return new TenantryError(
      "INVALID_INPUT",
      `The data folder ${path} cannot be written: set TENANTRY_DATA_DIR to another one.`,
      { cause },
    );
  return cause;
}

export function readManifest(path: string): Manifest {
  const file = join(path, "manifest.json");
  if (!existsSync(file)) return { ports: {} };
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch (cause) {
    throw new TenantryError(
      "INVALID_INPUT",
      `${file} is damaged: restore it, or start with another TENANTRY_DATA_DIR.`,
      { cause },
    );
  }
}

export function writeManifest(path: string, manifest: Manifest): void {
  writeWhole(join(path, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`, path);
}

/** A random secret kept in a file that only we can read; made at first use. */
export function keptSecret(path: string, name: string, encoding: "base64" | "base64url" = "base64url"): string {
  const file = join(path, name);
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  const secret = randomBytes(32).toString(encoding);
  writeWhole(file, `${secret}\n`, path);
  return secret;
}

// Never half a file: a crash leaves the old one or the new one.
function writeWhole(file: string, text: string, folder: string): void {
  try {
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (cause) {
    throw diskError(cause, folder);
  }
}

/**
 * Takes the folder for this process; the returned function gives it back. Throws one sentence when another process
 * has it. The kernel holds the lock, as a listening socket, so it ends with the process however that ends.
 */
export async function lockDataFolder(path: string): Promise<() => Promise<void>> {
  const name = `tenantry-${createHash("sha256").update(realpathSync(path)).digest("hex").slice(0, 24)}`;
  const address =
    process.platform === "linux"
      ? `\0${name}`
      : process.platform === "win32"
        ? `\\\\.\\pipe\\${name}`
        : join(tmpdir(), `${name}.sock`);
  const server = createServer((socket) => socket.destroy()).unref();
  try {
    await listen(server, address);
  } catch (cause) {
    throw new TenantryError(
      "CONFLICT",
      `Another Tenantry is running on the data folder ${path}: stop it first, or set TENANTRY_DATA_DIR.`,
      { cause },
    );
  }
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
    });
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, resolve);
  });
}

/** The superuser's URLs of the servers made in this folder, by name; undefined when there are none. Reads only. */
export function keptServerUrls(path: string): Record<string, string> | undefined {
  const secret = join(path, "postgres-password");
  if (!existsSync(secret)) return undefined;
  const password = readFileSync(secret, "utf8").trim();
  const { ports } = readManifest(path);
  return Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, `postgres://postgres:${password}@127.0.0.1:${port}`]),
  );
}
