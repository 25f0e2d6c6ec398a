/** PgBouncer in front of a test's server, in transaction mode; PGBOUNCER names the program of another version. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { serverAccount, spawnOptions } from "../../src/embedded/account.ts";
import { choosePorts } from "../../src/embedded/ports.ts";
import { ENVIRONMENT } from "../../src/embedded/run-program.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";

const PROGRAM = process.env["PGBOUNCER"] ?? "/usr/sbin/pgbouncer";
const [, MAJOR = "0", MINOR = "0"] = /(\d+)\.(\d+)/.exec(execFileSync(PROGRAM, ["--version"]).toString()) ?? [];
/** Whether it carries prepared statements unless it is told not to: from 1.24 on. From 1.21 on it can. */
export const KNOWS_PREPARED = Number(MAJOR) > 1 || Number(MINOR) >= 24;

const START_TIMEOUT_MS = 10_000;

export type Pooler = AsyncDisposable & {
  /** As `poolUrl` takes it. */
  url: string;
  /** Writes who may sign in, by `user password-or-verifier`, and reads it if it runs. */
  letIn: (users: Record<string, string>) => Promise<void>;
  /** What the console answers to `show servers` and the like. */
  show: (what: string) => Promise<Record<string, unknown>[]>;
  kill: () => Promise<void>;
  start: () => Promise<void>;
};

/** Starts it in front of the server at `serverUrl`, with its files in `folder`. `settings` go over those of docs/how-to/pooler.md, which are tested so. */
export async function startPgBouncer(
  serverUrl: string,
  settings: Record<string, string>,
  folder: string,
): Promise<Pooler> {
  const { hostname, port: serverPort } = new URL(serverUrl);
  const [port = 0] = await choosePorts([undefined], new Set());
  const account = serverAccount();
  const file = (name: string) => join(folder, name);
  const write = (name: string, text: string) => {
    writeFileSync(file(name), text, { mode: 0o600 });
    if (account !== undefined) chownSync(file(name), account.uid, account.gid);
  };
  const admin = { name: "console", password: "of-the-console" };
  let users: Record<string, string> = {};
  const writeUsers = () =>
    write(
      "userlist.txt",
      Object.entries({ ...users, [admin.name]: admin.password })
        .map(([name, secret]) => `"${name}" "${secret}"\n`)
        .join(""),
    );
  const all = {
    ...documentedSettings(),
    listen_addr: "127.0.0.1",
    listen_port: String(port),
    auth_file: file("userlist.txt"),
    admin_users: admin.name,
    unix_socket_dir: "",
    server_login_retry: "0.2",
    ...settings,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`);
  write("pgbouncer.ini", `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]\n${lines.join("")}`);
  writeUsers();
  const show = (what: string) => consoleOf(port, admin, what);
  let child: ChildProcess | undefined;
  const start = async () => {
    const log = openSync(file("log"), "a", 0o600);
    child = spawn(PROGRAM, [file("pgbouncer.ini")], {
      ...spawnOptions(account),
      env: ENVIRONMENT,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const up = await waitFor(() => answers(port), { timeoutMs: START_TIMEOUT_MS });
    if (up !== true) throw new Error(`PgBouncer did not start: ${readFileSync(file("log"), "utf8").slice(-2_000)}`);
  };
  const kill = async () => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, "exit");
    running.kill("SIGKILL");
    await ended;
  };
  await start();
  return {
    url: `postgres://127.0.0.1:${port}`,
    letIn: async (given) => {
      users = { ...users, ...given };
      writeUsers();
      if (child !== undefined) await consoleOf(port, admin, undefined);
    },
    show,
    kill,
    start,
    [Symbol.asyncDispose]: kill,
  };
}

/** The settings that the documentation gives: what is written there is what is tested. */
function documentedSettings(): Record<string, string> {
  const page = readFileSync(new URL("../../docs/how-to/pooler.md", import.meta.url), "utf8");
  const [, text = ""] = /```ini\n(?:.*\n)*?\[pgbouncer\]\n((?:.*\n)*?)```/.exec(page) ?? [];
  const settings = text
    .split("\n")
    .map((line) => /^([a-z_]+) = (.+)$/.exec(line))
    .flatMap((match) => (match === null ? [] : [[match[1], match[2]]]));
  if (settings.length === 0) throw new Error("docs/how-to/pooler.md has no settings of PgBouncer");
  return Object.fromEntries(settings) as Record<string, string>;
}

async function consoleOf(
  port: number,
  { name, password }: { name: string; password: string },
  what: string | undefined,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: name, password, database: "pgbouncer" });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(what === undefined ? "reload" : `show ${what}`)).rows;
  } finally {
    await client.end();
  }
}

function answers(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const finish = (is: true | undefined) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", finish(true)).once("error", finish(undefined));
  });
}
