/** The embedded servers' life: what survives, what is refused in one sentence, what is mended. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { serverAccount, spawnOptions } from "../../src/embedded/account.ts";
import { type Cluster, type ClusterOptions, startCluster } from "../../src/embedded/cluster.ts";
import { isRunning } from "../../src/embedded/processes.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { sql } from "../support/app.ts";
import { FAST_SETTINGS } from "../support/global-setup.ts";
import { startServer, temporaryFolder } from "../support/servers.ts";

type Running = Cluster & AsyncDisposable;

async function start(dataDir: string, options: Partial<ClusterOptions> = {}): Promise<Running> {
  const cluster = await startCluster({
    dataDir,
    servers: [{ name: "home", preferredPort: undefined }],
    onProgress: () => undefined,
    settings: FAST_SETTINGS,
    durable: false,
    ...options,
  });
  return { ...cluster, [Symbol.asyncDispose]: cluster.stop };
}

function home(cluster: Cluster) {
  const server = cluster.servers.get("home");
  if (server?.pid === undefined) throw new Error("home does not run");
  return { server, pid: server.pid, url: server.url("postgres"), port: Number(new URL(server.url()).port) };
}

async function writeNote(url: string): Promise<void> {
  await sql(url, "create table note as select 'kept' as text");
}

/** Starts a cluster in a process of its own; `said` is what it printed. */
async function startProcess(dataDir: string): Promise<{ child: ChildProcess; said: Record<string, unknown> }> {
  const child = spawnProcess(dataDir);
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, said: JSON.parse(line) as Record<string, unknown> };
}

function spawnProcess(dataDir: string) {
  const program = fileURLToPath(import.meta.resolve("../support/cluster-process.ts"));
  return spawn(process.execPath, [program, dataDir], { detached: true, stdio: ["pipe", "pipe", "inherit"] });
}

async function killProcess(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Every file below the folder with what would betray a change of it. */
function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((path) => {
      const { size, mtimeMs, mode, uid } = statSync(join(folder, path));
      return `${path} ${size} ${mtimeMs} ${mode} ${uid}`;
    });
}

test("data, port and password survive a restart, and stop leaves no process", async () => {
  const dataDir = temporaryFolder();
  const first = await start(dataDir);
  const before = home(first);
  await writeNote(before.url);
  await first.stop();
  expect(isRunning(before.pid)).toBe(false);
  expect(existsSync(join(dataDir, "home", "postmaster.pid"))).toBe(false);
  await using second = await start(dataDir);
  expect(home(second).url).toBe(before.url);
  expect(second.secretKey).toBe(first.secretKey);
  expect(await sql(before.url, "select text from note")).toEqual([{ text: "kept" }]);
});

test("several servers start side by side, each with its databases", async () => {
  await using cluster = await start(temporaryFolder(), {
    servers: [
      { name: "home", preferredPort: undefined, databases: ["tenantry"] },
      { name: "eu", preferredPort: undefined },
    ],
  });
  const urls = [...cluster.servers.values()].map((server) => server.url());
  expect(new Set(urls).size).toBe(2);
  expect(await sql(`${urls[0]}/tenantry`, "select current_database() as name")).toEqual([{ name: "tenantry" }]);
  expect(await sql(`${urls[1]}/postgres`, "select 1 as one")).toEqual([{ one: 1 }]);
});

describe("a server", () => {
  test("is UTF8, asks for the password, and has room for many subscriptions", async () => {
    await using own = await startServer();
    const url = own.url("postgres");
    const [row] = await sql(
      url,
      `select current_setting('wal_level') as wal, current_setting('server_encoding') as encoding,
         current_setting('max_replication_slots')::int as slots, current_setting('TimeZone') as zone,
         current_setting('listen_addresses') as address, upper('ä') as upper`,
    );
    expect(row).toEqual({
      wal: "logical",
      encoding: "UTF8",
      slots: 256,
      zone: "UTC",
      address: "127.0.0.1",
      upper: "Ä",
    });
    await expect(sql(url.replace(/:[^:@]+@/, ":wrong@"), "select 1")).rejects.toThrow(/password/);
  });

  test("takes settings from ALTER SYSTEM over those it is started with", async () => {
    await using own = await startServer({ settings: { work_mem: "5MB" } });
    expect(await sql(own.url("postgres"), "show work_mem")).toEqual([{ work_mem: "5MB" }]);
    await sql(own.url("postgres"), "alter system set work_mem = '7MB'");
    await own.server.stop();
    await own.server.start();
    expect(await sql(own.url("postgres"), "show work_mem")).toEqual([{ work_mem: "7MB" }]);
  });

  test("keeps the text of statements that fail out of its log", async () => {
    const dataDir = temporaryFolder();
    await using cluster = await start(dataDir);
    const statement = "select 'hunter2' from missing";
    await expect(sql(home(cluster).url, statement)).rejects.toThrow(/missing/);
    const log = readFileSync(join(dataDir, "home.log"), "utf8");
    expect(log).toContain('relation "missing" does not exist');
    expect(log).not.toContain("hunter2");
  });

  test("that is killed with all its processes starts again with what was committed", async () => {
    await using own = await startServer();
    await writeNote(own.url("postgres"));
    const { pid } = own.server;
    await own.server.kill();
    expect(isRunning(pid ?? 0)).toBe(false);
    // The file is left behind and says ready: the next start must not believe it.
    await own.server.start();
    expect(await sql(own.url("postgres"), "select text from note")).toEqual([{ text: "kept" }]);
  });

  test("stops while a client is in the middle of something", async () => {
    await using own = await startServer();
    const busy = sql(own.url("postgres"), "select pg_sleep(60)").then(
      () => "slept",
      (error: unknown) => String(error),
    );
    await waitFor(
      async () => (await sql(own.url("postgres"), "select from pg_stat_activity where wait_event = 'PgSleep'")).at(0),
      { timeoutMs: 10_000 },
    );
    await own.server.stop();
    expect(await busy).toMatch(/terminat/);
  });
});

describe("after the process was killed", () => {
  test("its servers live on, and the next start takes the folder over", async () => {
    const dataDir = temporaryFolder();
    const { child, said } = await startProcess(dataDir);
    const { pid, url } = said as { pid: number; url: string };
    await writeNote(url);
    await killProcess(child);
    expect(isRunning(pid)).toBe(true);
    await using cluster = await start(dataDir);
    expect(isRunning(pid)).toBe(false);
    expect(home(cluster).url).toBe(url);
    expect(await sql(url, "select text from note")).toEqual([{ text: "kept" }]);
  });

  test("while it made the server, the next start makes it anew", async () => {
    const dataDir = temporaryFolder();
    const child = spawnProcess(dataDir);
    const partial = await waitFor(
      async () => readdirSync(dataDir).find((name) => /^home\.partial-[0-9a-f]+$/.test(name)),
      { timeoutMs: 20_000 },
    );
    await waitFor(async () => existsSync(join(dataDir, partial ?? "", "base")) || undefined, { timeoutMs: 20_000 });
    await killProcess(child);
    expect(existsSync(join(dataDir, "home"))).toBe(false);
    await using cluster = await start(dataDir);
    expect(await sql(home(cluster).url, "select 1 as one")).toEqual([{ one: 1 }]);
    expect(readdirSync(dataDir).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("a postmaster.pid whose number is another process's by now is not believed", async () => {
    const dataDir = temporaryFolder();
    const cluster = await start(dataDir);
    await home(cluster).server.kill();
    await cluster.stop();
    // PostgreSQL itself would take any living process of its own account for the postmaster.
    const other = spawn("sleep", ["60"], spawnOptions(serverAccount()));
    const file = join(dataDir, "home", "postmaster.pid");
    const [, ...rest] = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, [other.pid, ...rest].join("\n"));
    await using again = await start(dataDir);
    expect(await sql(home(again).url, "select 1 as one")).toEqual([{ one: 1 }]);
    expect(isRunning(other.pid ?? 0)).toBe(true);
    other.kill();
  });
});

test("Ctrl-C in the terminal does not reach the servers before the process has drained", async () => {
  const dataDir = temporaryFolder();
  const { child, said } = await startProcess(dataDir);
  const { pid, url } = said as { pid: number; url: string };
  process.kill(-(child.pid ?? 0), "SIGINT");
  expect(await sql(url, "select 1 as one")).toEqual([{ one: 1 }]);
  expect(isRunning(pid)).toBe(true);
  await killProcess(child);
});

describe("one sentence", () => {
  test("for a second start on the same folder, from here or from another process", async () => {
    const dataDir = temporaryFolder();
    await using cluster = await start(dataDir);
    const before = home(cluster);
    const sentence = `Another Tenantry is running on the data folder ${dataDir}: stop it first, or set TENANTRY_DATA_DIR.`;
    await expect(start(dataDir)).rejects.toThrow(sentence);
    // The same folder by another name.
    await expect(start(`${dataDir}/../${dataDir.split("/").at(-1)}`)).rejects.toThrow(/Another Tenantry/);
    const { child, said } = await startProcess(dataDir);
    expect(said).toEqual({ refused: sentence });
    child.kill();
    expect(isRunning(before.pid)).toBe(true);
    expect(await sql(before.url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("for a port that something else listens on, and no server is left running", async () => {
    const dataDir = temporaryFolder();
    const servers = ["home", "eu"].map((name) => ({ name, preferredPort: undefined }));
    const first = await start(dataDir, { servers });
    const { port } = home(first);
    await first.stop();
    const listener = createServer().listen(port, "127.0.0.1");
    await once(listener, "listening");
    await expect(start(dataDir, { servers })).rejects.toThrow(
      new RegExp(`^Port ${port} is in use by another program, .* home .*: stop that program, then start again\\.$`),
    );
    expect(existsSync(join(dataDir, "eu", "postmaster.pid"))).toBe(false);
    listener.close();
    await once(listener, "close");
    await using again = await start(dataDir, { servers });
    expect(home(again).port).toBe(port);
  });

  test("for a folder of another PostgreSQL version, and nothing in it is changed", async () => {
    const dataDir = temporaryFolder();
    const servers = ["home", "eu"].map((name) => ({ name, preferredPort: undefined }));
    await (await start(dataDir, { servers })).stop();
    writeFileSync(join(dataDir, "eu", "PG_VERSION"), "17\n");
    const before = snapshot(dataDir);
    await expect(start(dataDir, { servers: [...servers, { name: "us", preferredPort: undefined }] })).rejects.toThrow(
      `The data folder ${dataDir} was made by PostgreSQL 17, and this is PostgreSQL 18: start the Tenantry that made it, or set TENANTRY_DATA_DIR to a new folder.`,
    );
    expect(snapshot(dataDir)).toEqual(before);
  });

  test("for a place where no folder can be made", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    for (const dataDir of [file, join(file, "below")])
      await expect(start(dataDir)).rejects.toThrow(
        /^The data folder .* cannot be made or written \(E\w+\): set TENANTRY_DATA_DIR/,
      );
  });

  test("for an embedded PostgreSQL that is not installed", async () => {
    await expect(start(temporaryFolder(), { binariesPackage: "no-such-package" })).rejects.toThrow(
      /^There is no embedded PostgreSQL for \S+ here: set DATABASE_URL/,
    );
  });

  test("for a server that does not start, from its log", async () => {
    const dataDir = temporaryFolder();
    await expect(start(dataDir, { settings: { wal_level: "nonsense" } })).rejects.toThrow(
      /^The embedded PostgreSQL server home did not start: configuration file .* contains errors \(more in .*home\.log\)\.$/,
    );
    expect(readFileSync(join(dataDir, "home.log"), "utf8")).toContain('invalid value for parameter "wal_level"');
    await using cluster = await start(dataDir);
    expect(home(cluster).pid).toBeGreaterThan(0);
  });
});

test("an abandoned start leaves no process and gives the folder back", async () => {
  const dataDir = temporaryFolder();
  const abandon = new AbortController();
  const starting = start(dataDir, { signal: abandon.signal });
  await waitFor(async () => readdirSync(dataDir).find((name) => name.startsWith("home.partial")), {
    timeoutMs: 20_000,
  });
  abandon.abort();
  await expect(starting).rejects.toThrow(/abort/i);
  expect(readdirSync(dataDir).filter((name) => name.startsWith("home"))).toEqual([]);
  await using cluster = await start(dataDir);
  expect(home(cluster).pid).toBeGreaterThan(0);
});
