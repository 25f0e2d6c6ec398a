/** PostgreSQL refuses to run as root. When we are root, its programs run as an account that owns nothing else. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Binaries } from "#embedded/binaries";

export type Account = { name: string; uid: number; gid: number };

/** The account to run the servers as; undefined: as we are. */
export function serverAccount(): Account | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return { name: "65534", uid: 65_534, gid: 65_534 };
}

/** Whether the account can get to this path: every folder above it lets it through. */
export function isReachable(path: string, account: Account | undefined): boolean {
  if (account === undefined) return true;
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    if (existsSync(folder)) {
      const { mode, uid, gid } = statSync(folder);
      const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
      if ((mode & bit) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}

/** The programs where the account can reach them: where they are, or a copy of the package in `folder`. */
export function reachableBinaries(binaries: Binaries, folder: string, account: Account | undefined): Binaries {
  if (isReachable(binaries.postgres, account)) return binaries;
  // <package>/native/bin/postgres; its libraries are found relative to it.
  const native = dirname(dirname(binaries.postgres));
  const { mtimeMs } = statSync(binaries.postgres);
  const copy = join(folder, `postgresql-${Math.trunc(mtimeMs)}`);
  if (!existsSync(copy)) {
    const partial = `${copy}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(dirname(partial), { recursive: true });
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
    renameSync(partial, copy);
  }
  return { initdb: join(copy, "bin", "initdb"), postgres: join(copy, "bin", "postgres") };
}
