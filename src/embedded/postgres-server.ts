/** One PostgreSQL server in a folder: made, started, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Account } from "#embedded/account";
import type { Binaries } from "#embedded/binaries";
import { TenantryError } from "#kernel/errors";
import { waitFor } from "#kernel/wait";

export type ServerOptions = {
  /** For messages. */
  name: string;
  binaries: Binaries;
  account: Account | undefined;
  /** The server's own folder; made when missing. */
  folder: string;
  /** File with the superuser's password, read by initdb. */
  password: string;
  port: number;
  /** Databases made with the server. */
  databases?: readonly string[];
  /** Settings over {@link SETTINGS}. */
  settings?: Record<string, string>;
};

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

// Room for a few hundred tenant databases on a laptop; the tables in shared memory these size are small.
const SETTINGS: Record<string, string> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  wal_level: "logical",
  max_connections: "200",
  max_replication_slots: "256",
  max_wal_senders: "128",
  max_logical_replication_workers: "64",
  max_worker_processes: "96",
  wal_retrieve_retry_interval: "200ms",
  shared_buffers: "128MB",
  timezone: "UTC",
  log_timezone: "UTC",
  // Seven files at most, each of one day, written over after a week.
  logging_collector: "on",
  log_directory: "log",
  log_filename: "postgresql-%a.log",
  log_truncate_on_rotation: "on",
};

export class PostgresServer {
  readonly #options: ServerOptions;
  #process: ChildProcess | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** postgres://postgres:…@127.0.0.1:port, with a database when named. Holds the password. */
  url(database?: string): string {
    const { password, port } = this.#options;
    return `postgres://postgres:${password}@127.0.0.1:${port}${database === undefined ? "" : `/${database}`}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether the folder holds a server. */
  get exists(): boolean {
    return existsSync(join(this.#options.folder, "PG_VERSION"));
  }

  /** The major version that the folder's data belongs to. */
  get dataVersion(): string {
    return readFileSync(join(this.#options.folder, "PG_VERSION"), "utf8").trim();
  }

  /** Makes the server's folder. A half-made one from before is thrown away. */
  async create(options: { durable: boolean }): Promise<void> {
    const { folder, account, binaries, databases = [] } = this.#options;
    const partial = `${folder}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    if (account !== undefined) chownSync(partial, account.uid, account.gid);
    const major = await this.majorVersion();
    const locale =
      major >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] : ["--locale=C"];
    const sync = options.durable ? [] : ["--no-sync"];
    // In a file of the account's own: on the command line everybody would see it.
    const passwordFile = `${folder}.password`;
    rmSync(passwordFile, { force: true });
    writeFileSync(passwordFile, `${this.#options.password}\n`, { mode: 0o600, flag: "wx" });
    if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
    try {
      const flags = ["-U", "postgres", "-E", "UTF8", "-A", "scram-sha-256", `--pwfile=${passwordFile}`];
      await this.#run(binaries.initdb, ["-D", partial, ...flags, ...locale, ...sync], "");
    } finally {
      rmSync(passwordFile, { force: true });
    }
    for (const database of databases)
      await this.#run(binaries.postgres, ["--single", "-D", partial, "postgres"], `create database ${database};\n`);
    renameSync(partial, folder);
  }

  /** Starts, after ending a postmaster that an earlier process left behind. Resolves when it takes connections. */
  async start(): Promise<void> {
    await this.#stopOrphan();
    await this.#refuseTakenPort();
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const failure = await this.#startOnce(deadline - performance.now());
      if (failure === undefined) return;
      // Backends of a postmaster that was killed end by themselves a moment later.
      if (!/pre-existing shared memory block/.test(failure) || performance.now() > deadline)
        throw this.#explain(failure);
    }
  }

  /** Stops: `fast` lets nobody finish but writes everything; `immediate` is a crash. Leaves no process. */
  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    this.#process = undefined;
    child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    if (await exited(child, STOP_TIMEOUT_MS)) return;
    child.kill("SIGQUIT");
    if (await exited(child, STOP_TIMEOUT_MS)) return;
    child.kill("SIGKILL");
  }

  /** Kills the postmaster as a crash of the machine would: SIGKILL, its children end by themselves. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    child.kill("SIGKILL");
    await exited(child, STOP_TIMEOUT_MS);
  }

  /** The major version of the programs. */
  async majorVersion(): Promise<number> {
    const text = await this.#run(this.#options.binaries.postgres, ["--version"], "");
    return Number(/(\d+)/.exec(text)?.[1]);
  }

  /** Undefined when it runs; else what it said before it ended. */
  async #startOnce(timeoutMs: number): Promise<string | undefined> {
    const { folder, binaries, account, port, settings } = this.#options;
    const log = `${folder}.start.log`;
    const output = openSync(log, "w", 0o600);
    const args = Object.entries({
      ...SETTINGS,
      ...(await this.#versionSettings()),
      ...settings,
      port: String(port),
    }).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    const child = spawn(binaries.postgres, ["-D", folder, ...args], {
      // A session of its own: Ctrl-C in the terminal must not reach it before the API has finished with it.
      detached: true,
      stdio: ["ignore", output, output],
      cwd: "/",
      env: { LC_ALL: "C", TZ: "UTC" },
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    closeSync(output);
    this.#process = child;
    const ended = new Promise<string>((resolve) => {
      child.once("exit", () => resolve(readFileSync(log, "utf8")));
      child.once("error", (error) => resolve(error.message));
    });
    let failure: string | undefined;
    void ended.then((text) => {
      failure = text;
    });
    const settled = await waitFor(
      async () => (failure !== undefined || this.#readPidFile()?.status === "ready" ? true : undefined),
      { timeoutMs, pauseMs: 10, maxPauseMs: 50 },
    );
    if (settled === undefined) {
      await this.stop("immediate");
      return "it did not get ready in time";
    }
    if (failure !== undefined) {
      this.#process = undefined;
      // What is decisive may be in the collector's file by then.
      return failure + this.#lastLogLines();
    }
    child.unref();
    return undefined;
  }

  async #versionSettings(): Promise<Record<string, string>> {
    return (await this.majorVersion()) >= 18 ? { max_active_replication_origins: "256" } : {};
  }

  #lastLogLines(): string {
    const file = join(this.#options.folder, "current_logfiles");
    if (!existsSync(file)) return "";
    const name = /stderr (.*)/.exec(readFileSync(file, "utf8"))?.[1];
    const path = join(this.#options.folder, name ?? "");
    return name === undefined || !existsSync(path) ? "" : readFileSync(path, "utf8").slice(-2_000);
  }

  #readPidFile(): { pid: number; status: string | undefined } | undefined {
    const file = join(this.#options.folder, "postmaster.pid");
    if (!existsSync(file)) return undefined;
    const lines = readFileSync(file, "utf8").split("\n");
    return { pid: Number(lines[0]), status: lines[7]?.trim() };
  }

  /** Ends a postmaster of this folder that runs without us. A pid that now belongs to something else is left alone. */
  async #stopOrphan(): Promise<void> {
    const pid = this.#readPidFile()?.pid;
    if (pid === undefined || !Number.isInteger(pid) || !this.#isPostmaster(pid)) return;
    process.kill(pid, "SIGINT");
    const gone = await waitFor(async () => (this.#isPostmaster(pid) ? undefined : true), {
      timeoutMs: STOP_TIMEOUT_MS,
    });
    if (gone === undefined) process.kill(pid, "SIGQUIT");
  }

  #isPostmaster(pid: number): boolean {
    try {
      process.kill(pid, 0);
      // The postmaster works in its data folder, so a pid that was given to another process since is told apart.
      return process.platform !== "linux" || readlinkSync(`/proc/${pid}/cwd`) === realpathSync(this.#options.folder);
    } catch {
      return false;
    }
  }

  async #refuseTakenPort(): Promise<void> {
    const { port, name } = this.#options;
    if (await isPortFree(port)) return;
    throw new TenantryError(
      "CONFLICT",
      `Port ${port}, which the embedded PostgreSQL server ${name} uses since it was made, is taken by another program: stop that first.`,
    );
  }

  #explain(failure: string): TenantryError {
    const { name, folder } = this.#options;
    if (/No space left on device/i.test(failure))
      return new TenantryError(
        "LIMIT_EXCEEDED",
        `The disk that holds ${folder} is full, so the PostgreSQL server ${name} cannot run: make room first.`,
      );
    const line = failure.split("\n").find((text) => /FATAL|PANIC|error/i.test(text)) ?? failure.split("\n")[0] ?? "";
    return new TenantryError(
      "INTERNAL",
      `The embedded PostgreSQL server ${name} did not start: ${line.replace(/^.*?(FATAL|PANIC):\s*/, "").trim()}.`,
    );
  }

  #run(program: string, args: readonly string[], input: string): Promise<string> {
    const { account } = this.#options;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        stdio: ["pipe", "pipe", "pipe"],
        cwd: "/",
        env: { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" },
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
      });
      let output = "";
      const collect = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-20_000);
      };
      child.stdout.on("data", collect);
      child.stderr.on("data", collect);
      child.on("error", reject);
      child.on("close", (code) => (code === 0 ? resolve(output) : reject(this.#explain(output))));
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
    });
  }
}

function exited(child: ChildProcess, timeoutMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    child.ref();
    child.once("exit", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** Whether nothing listens on this port of 127.0.0.1. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** A port of 127.0.0.1 that nothing listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
