/** PostgreSQL refuses to run as root. When we are root, its programs run as an account without privileges. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { TenantryError } from "#base/kernel/errors";

export type Account = { name: string; uid: number; gid: number };

/**
 * The account to run the servers as; undefined: as we are. Data that is there already stays with its owner, so that a
 * `postgres` account that was added to the machine later, or one run as root, does not cut anybody off from it.
 */
export function serverAccount(serverFolders: readonly string[] = []): Account | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  for (const folder of serverFolders) {
    const owner = statSync(join(folder, "PG_VERSION"), { throwIfNoEntry: false });
    if (owner !== undefined && owner.uid !== 0) return { name: `with id ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  }
  const lines = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8").split("\n") : [];
  for (const name of ["postgres", "nobody"]) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new TenantryError(
    "CAPABILITY_MISSING",
    "PostgreSQL refuses to run as root and this machine has neither an account postgres nor nobody to run it as: start Tenantry as an ordinary user.",
  );
}

/** How to spawn a program as the account, in a place that every account can enter. */
export function spawnOptions(account: Account | undefined) {
  return { cwd: "/", ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }) };
}

/** Whether the account can enter this folder; where there is none, the nearest one above it. */
export function isReachable(folder: string, account: Account | undefined): boolean {
  if (account === undefined) return true;
  let existing = resolve(folder);
  while (statSync(existing, { throwIfNoEntry: false })?.isDirectory() !== true) existing = dirname(existing);
  return succeedsAs(account, 'cd "$1"', existing);
}

/** Whether the account can read this file. */
export function isReadable(file: string, account: Account | undefined): boolean {
  return account === undefined || succeedsAs(account, 'test -r "$1"', file);
}

// Tried rather than computed from modes: access lists and mount options count too.
function succeedsAs(account: Account, script: string, path: string): boolean {
  const { error, status } = spawnSync("/bin/sh", ["-c", script, "sh", path], {
    ...spawnOptions(account),
    env: {},
    stdio: "ignore",
  });
  if (error === undefined) return status === 0;
  throw new TenantryError(
    "CAPABILITY_MISSING",
    `PostgreSQL refuses to run as root and this process may not switch to the account ${account.name} to run it: start Tenantry as an ordinary user.`,
    { cause: error },
  );
}
