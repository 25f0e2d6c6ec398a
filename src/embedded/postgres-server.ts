/** One PostgreSQL server in a folder: made, started, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Account, spawnOptions } from "#embedded/account";
import type { Binaries } from "#embedded/binaries";
import { isPortFree } from "#embedded/ports";
import { childrenOf, commandLine, isRunning, sendSignal, waitUntilGone } from "#embedded/processes";
import { ENVIRONMENT, runProgram } from "#embedded/run-program";
import { boundLog, openLog, readLog, rotate } from "#embedded/server-log";
import { settingsFile } from "#embedded/server-settings";
import { explainFailure, portTaken } from "#embedded/start-failure";
import { TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";

export type ServerOptions = {
  /** For messages. */
  name: string;
  binaries: Binaries;
  /** Whom PostgreSQL runs as; undefined: as we do. */
  account: Account | undefined;
  /** The server's own folder, absolute and without symbolic links; made by `create`. Settings and log stand beside it. */
  folder: string;
  /** The superuser's password, made of characters that a URL can hold as they are. */
  password: string;
  port: number;
  /** Databases made with the server. */
  databases?: readonly string[];
  /** Settings over our own. */
  settings?: Record<string, string>;
  /** One line for a person to read, when something takes longer than usual. */
  onProgress?: (message: string) => void;
};

/** A server that was killed first reads back what it had not written. */
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_TIMEOUT_MS = 15_000;
const IMMEDIATE_STOP_TIMEOUT_MS = 10_000;
const KILL_TIMEOUT_MS = 10_000;

export class PostgresServer {
  readonly #options: ServerOptions;
  #pid: number | undefined;
  #endLogKeeping: (() => void) | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** postgres://postgres:…@127.0.0.1:port, with a database when named. Holds the password. */
  url(database?: string): string {
    const { password, port } = this.#options;
    return `postgres://postgres:${password}@127.0.0.1:${port}${database === undefined ? "" : `/${database}`}`;
  }

  /** The postmaster's process id while it runs. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Whether the folder holds a server. */
  get exists(): boolean {
    return existsSync(join(this.#options.folder, "PG_VERSION"));
  }

  /** The major version that the folder's data belongs to. */
  get dataVersion(): number {
    return Number(readFileSync(join(this.#options.folder, "PG_VERSION"), "utf8").trim());
  }

  /**
   * Makes the server's folder. It gets its name only when it is whole; a half-made one from before is thrown away.
   * Without `durable` it may be broken after a crash of the machine.
   */
  async create({ durable, signal }: { durable: boolean; signal?: AbortSignal | undefined }): Promise<void> {
    const { folder, account, binaries, databases = [] } = this.#options;
    this.#removePartial();
    // A name of its own: an initdb that outlived a killed run may still be writing into the one before.
    const partial = `${folder}.partial-${randomBytes(4).toString("hex")}`;
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    if (account !== undefined) chownSync(partial, account.uid, account.gid);
    // In a file that only the account can read: on the command line everybody would see it.
    const passwordFile = `${partial}-password`;
    try {
      writeFileSync(passwordFile, `${this.#options.password}\n`, { mode: 0o600, flag: "wx" });
      if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
      const locale =
        binaries.majorVersion >= 17
          ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
          : ["--locale=C"];
      // The password is 32 random bytes, which no number of rounds makes harder to guess; each round is paid for by both
      // sides at every connection, those of subscriptions included.
      const rounds = binaries.majorVersion >= 16 ? ["-c", "scram_iterations=1"] : [];
      const flags = [
        ...rounds,
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "-A",
        "scram-sha-256",
        `--pwfile=${passwordFile}`,
        ...locale,
      ];
      await this.#run(binaries.initdb, ["-D", partial, ...flags, ...(durable ? [] : ["--no-sync"])], "", signal);
      for (const database of databases)
        await this.#run(
          binaries.postgres,
          ["--single", "-D", partial, "postgres"],
          `create database ${database};\n`,
          signal,
        );
      renameSync(partial, folder);
    } finally {
      this.#removePartial();
    }
  }

  /**
   * Starts, after ending a postmaster that an earlier process left behind. Resolves when it takes connections.
   * Throws one sentence when it cannot, or the signal's reason; nothing is left running then.
   */
  async start({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#stopLeftover();
    const { name, port, folder } = this.#options;
    if (!(await isPortFree(port))) throw portTaken(name, port);
    this.#writeSettings();
    await rotate(`${folder}.log`);
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const failure = await this.#startOnce(deadline - performance.now(), signal);
      if (failure === undefined) break;
      // Backends of a postmaster that was killed end by themselves when they notice, which the next one waits for.
      if (!/pre-existing shared memory block/.test(failure) || performance.now() > deadline)
        throw explainFailure(failure, this.#options);
    }
    this.#endLogKeeping = boundLog(`${folder}.log`);
  }

  /**
   * Stops: `fast` lets nobody finish but writes everything; `immediate` is a crash that ends in order. Bounded, at last
   * by SIGKILL: no process is left.
   */
  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    const pid = this.#forget();
    if (pid === undefined) return;
    await stopPostmaster(pid, mode);
  }

  /** Kills the postmaster and every process of it, as a crash of the machine would. */
  async kill(): Promise<void> {
    const pid = this.#forget();
    if (pid !== undefined) await killPostmaster(pid);
  }

  #forget(): number | undefined {
    this.#endLogKeeping?.();
    this.#endLogKeeping = undefined;
    const pid = this.#pid;
    this.#pid = undefined;
    return pid;
  }

  /** Undefined when it runs; else what it said before it ended. */
  async #startOnce(timeoutMs: number, signal: AbortSignal | undefined): Promise<string | undefined> {
    const log = `${this.#options.folder}.log`;
    const { descriptor, offset } = openLog(log);
    let child: ChildProcess;
    try {
      child = this.#spawnPostmaster(descriptor);
    } finally {
      closeSync(descriptor);
    }
    let failure: string | undefined;
    child.once("error", (error) => {
      failure = error.message;
    });
    // From then on the id may be another process's: it must not be signalled any more.
    child.once("exit", () => {
      if (this.#pid === child.pid) this.#forget();
    });
    this.#pid = child.pid;
    const hasEnded = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    try {
      const done = await waitFor(async () => (hasEnded() || this.#isReady(child.pid) ? true : undefined), {
        timeoutMs,
        pauseMs: 10,
        maxPauseMs: 50,
        ...(signal === undefined ? {} : { signal }),
      });
      if (done === undefined) failure = `it was not ready after ${Math.round(timeoutMs / 1_000)} seconds`;
      else if (hasEnded()) failure ??= readLog(log, offset);
    } catch (aborted) {
      await this.stop("immediate");
      throw aborted;
    }
    if (failure !== undefined) await this.stop("immediate");
    return failure;
  }

  #spawnPostmaster(output: number): ChildProcess {
    const { binaries, folder, account, port } = this.#options;
    // What our own URL and the wait for it rest on is said here, where nothing in the folder can change it.
    const fixed = { port: String(port), listen_addresses: "127.0.0.1", unix_socket_directories: "" };
    const args = Object.entries(fixed).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    const child = spawn(binaries.postgres, ["-D", folder, ...args], {
      ...spawnOptions(account),
      env: ENVIRONMENT,
      // A session of its own: Ctrl-C in the terminal must not reach it before the API has finished with it.
      detached: true,
      stdio: ["ignore", output, output],
    });
    child.unref();
    return child;
  }

  // The file of a postmaster that was killed may say ready too: it is another's until the pid is ours.
  #isReady(pid: number | undefined): boolean {
    const file = this.#readPidFile();
    return file !== undefined && file.pid === pid && file.status === "ready";
  }

  #readPidFile(): { pid: number; status: string | undefined } | undefined {
    const file = this.#pidFile;
    if (!existsSync(file)) return undefined;
    const lines = readFileSync(file, "utf8").split("\n");
    return { pid: Number(lines[0]), status: lines[7]?.trim() };
  }

  get #pidFile(): string {
    return join(this.#options.folder, "postmaster.pid");
  }

  /**
   * Ends a postmaster of this folder that runs without us. Where the process of that id is something else by now, as
   * after a crash of the machine, only the file goes: PostgreSQL would take any process of that id for a postmaster.
   * Should one run all the same, its shared memory keeps a second one out.
   */
  async #stopLeftover(): Promise<void> {
    if (this.#pid !== undefined) throw new Error("the server was started already");
    const { name, folder, onProgress } = this.#options;
    const pid = this.#readPidFile()?.pid;
    if (pid === undefined || process.platform === "win32") return;
    if (Number.isInteger(pid) && pid > 1 && isPostmasterOf(pid, folder)) {
      onProgress?.(`Stopping the PostgreSQL server ${name} that an earlier run left behind …`);
      await stopPostmaster(pid, "fast");
    }
    rmSync(this.#pidFile, { force: true });
  }

  #writeSettings(): void {
    const { folder, binaries, settings } = this.#options;
    const file = `${folder}.conf`;
    rmSync(file, { force: true });
    writeFileSync(file, settingsFile(binaries.majorVersion, settings), { flag: "wx" });
    // The account reads it, whatever the umask.
    chmodSync(file, 0o644);
    const main = join(folder, "postgresql.conf");
    const include = `include '../${basename(file)}'`;
    if (readFileSync(main, "utf8").split("\n").includes(include)) return;
    // The folder is the account's, so a link in it could lead us, as root, elsewhere.
    const descriptor = openSync(main, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
    try {
      writeSync(descriptor, `\n${include}\n`);
    } finally {
      closeSync(descriptor);
    }
  }

  #removePartial(): void {
    const { folder } = this.#options;
    const prefix = `${basename(folder)}.partial`;
    for (const entry of readdirSync(dirname(folder)).filter((name) => name.startsWith(prefix)))
      rmSync(join(dirname(folder), entry), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  async #run(program: string, args: readonly string[], input: string, signal: AbortSignal | undefined): Promise<void> {
    const { account } = this.#options;
    const { succeeded, output } = await runProgram(program, args, { account, input, signal });
    // In its single-user mode the server says what went wrong and then ends well.
    if (succeeded && !/\bERROR: /.test(output)) return;
    try {
      writeFileSync(`${this.#options.folder}.log`, output, { flag: "a", mode: 0o600 });
    } catch {
      // What went wrong may be that the disk is full.
    }
    throw explainFailure(output, this.#options);
  }
}

/** Whether the process is the postmaster of this folder, not one that has its process id by now. */
function isPostmasterOf(pid: number, folder: string): boolean {
  if (!isRunning(pid)) return false;
  const args = commandLine(pid);
  return args.some(
    (arg, index) =>
      arg === "-D" &&
      args
        .slice(index + 1)
        .join(" ")
        .startsWith(`${folder} `),
  );
}

async function stopPostmaster(pid: number, mode: "fast" | "immediate"): Promise<void> {
  if (mode === "fast") {
    sendSignal(pid, "SIGINT");
    if (await waitUntilGone([pid], FAST_STOP_TIMEOUT_MS)) return;
  }
  sendSignal(pid, "SIGQUIT");
  if (await waitUntilGone([pid], IMMEDIATE_STOP_TIMEOUT_MS)) return;
  await killPostmaster(pid);
}

async function killPostmaster(pid: number): Promise<void> {
  // Stopped first, so that it starts no more processes while we look for them.
  sendSignal(pid, "SIGSTOP");
  const processes = [pid, ...childrenOf(pid)];
  for (const process of processes) sendSignal(process, "SIGKILL");
  if (await waitUntilGone(processes, KILL_TIMEOUT_MS)) return;
  throw new TenantryError("INTERNAL", `The PostgreSQL process ${pid} does not end, not even when killed.`);
}
