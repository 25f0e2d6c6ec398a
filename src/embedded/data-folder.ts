/** The folder that holds the embedded servers' data, and what is remembered there between runs. */
import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Account, isReachable, serverAccount } from "#embedded/account";
import { TenantryError } from "#base/kernel/errors";

/** What is remembered: registered regions' URLs contain ports and the password, so both must stay. */
export type Manifest = { ports: Record<string, number> };

const MANIFEST = "manifest.json";

/**
 * Where the data goes when nobody says: `.tenantry` in the working folder, or, when we are root and the account that the
 * servers then run as cannot get there, a folder of its own under /var/lib/tenantry.
 */
export function defaultDataFolder(workingFolder: string): string {
  const beside = join(resolve(workingFolder), ".tenantry");
  const id = createHash("sha256").update(resolve(workingFolder)).digest("hex").slice(0, 12);
  const elsewhere = join("/var/lib/tenantry", id);
  const account = serverAccount();
  if (account === undefined) return beside;
  // Data that is elsewhere stays in use also when the folder has become reachable since.
  if (existsSync(join(elsewhere, MANIFEST)) && !existsSync(join(beside, MANIFEST))) return elsewhere;
  return isReachable(workingFolder, account) ? beside : elsewhere;
}

/** Makes the folder if need be. Throws one sentence when it cannot be made, written, or reached by the account. */
export function openDataFolder(path: string, account: Account | undefined): void {
  refuseUnreachable(dirname(path), account);
  try {
    const first = mkdirSync(path, { recursive: true, mode: account === undefined ? 0o700 : 0o711 });
    if (account !== undefined) {
      // Whatever the umask, the account passes through what we made; it cannot list it.
      for (let made = path; first !== undefined && made.startsWith(first); made = dirname(made)) chmodSync(made, 0o711);
      if (isOurs(path)) chmodSync(path, statSync(path).mode | 0o011);
    }
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw diskError(cause, path);
  }
  refuseUnreachable(path, account);
}

function refuseUnreachable(path: string, account: Account | undefined): void {
  if (isReachable(path, account)) return;
  throw new TenantryError(
    "INVALID_INPUT",
    `The account ${account?.name}, which PostgreSQL runs as because it refuses to run as root, cannot enter ${path}: set TENANTRY_DATA_DIR to a folder that others may pass through.`,
  );
}

// A folder with other people's things in it keeps the mode they gave it.
function isOurs(path: string): boolean {
  return existsSync(join(path, MANIFEST)) || readdirSync(path).length === 0;
}

const FULL = new Set(["ENOSPC", "EDQUOT"]);
const NOT_WRITABLE = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOENT", "ELOOP", "ENAMETOOLONG"]);

/** Turns a failure to write to the folder into one sentence; other errors stay what they are. */
export function diskError(cause: unknown, path: string): unknown {
  if (!(cause instanceof Error && "code" in cause)) return cause;
  if (FULL.has(String(cause.code)))
    return new TenantryError(
      "LIMIT_EXCEEDED",
      `The disk that holds ${path} is full: make room, or set TENANTRY_DATA_DIR to a folder on another one.`,
      { cause },
    );
  // EACCES of a program that cannot be run, or of a socket, is another matter.
  if (NOT_WRITABLE.has(String(cause.code)) && "path" in cause && !("spawnargs" in cause))
    return new TenantryError(
      "INVALID_INPUT",
      `The data folder ${path} cannot be made or written (${String(cause.code)}): set TENANTRY_DATA_DIR to another one.`,
      { cause },
    );
  return cause;
}

export function readManifest(path: string): Manifest {
  const file = join(path, MANIFEST);
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
  writeWhole(join(path, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, path);
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
