/** `tenantry start` as a newcomer runs it: a process of its own, embedded servers, signals. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { childrenOf, isRunning } from "../../src/embedded/processes.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

const TENANTRY = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

type Run = { child: ChildProcess; output: () => string; lines: () => string[]; ended: Promise<number | null> };

function start(environment: Record<string, string>, args = ["start"]): Run {
  const child = spawn(process.execPath, [TENANTRY, ...args], {
    env: { PATH: process.env["PATH"] ?? "", TENANTRY_LOG_FORMAT: "text", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    said += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  return { child, output: () => text, lines: () => said.trimEnd().split("\n"), ended };
}

async function untilRunning(run: Run, words = "Ctrl-C stops it"): Promise<void> {
  await Promise.race([eventually(async () => run.output().includes(words), 50_000), run.ended]);
  expect(run.output()).toContain(words);
}

const ask = async (port: number, query: string) => {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as { data: any };
};

test("it starts everything, says where, survives kill -9 and ends on a signal without a process left", async () => {
  const port = await freePort();
  const environment = { TENANTRY_DATA_DIR: temporaryFolder(), PORT: String(port) };
  const first = start(environment);
  await untilRunning(first);
  expect(first.output()).toContain(`http://localhost:${port}`);
  for (const key of ["eu", "us"])
    expect(first.output()).toMatch(new RegExp(`${key}\\s+postgres://\\S+@127.0.0.1:\\d+\\n`));
  await ask(port, 'mutation { createOrganization(input: { name: "Kept" }) { id } }');

  const servers = childrenOf(first.child.pid ?? 0);
  expect(servers).toHaveLength(3);
  first.child.kill("SIGKILL");
  await first.ended;
  const second = start({ ...environment, TENANTRY_LOG_FORMAT: "json" });
  await untilRunning(second, "Tenantry is running");
  const { data } = await ask(port, "{ organizations { edges { node { name } } } }");
  expect(data.organizations.edges).toEqual([{ node: { name: "Kept" } }]);

  const now = childrenOf(second.child.pid ?? 0);
  expect(now).toHaveLength(3);
  second.child.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  expect([...servers, ...now].filter(isRunning)).toEqual([]);
  const messages = second.lines().map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toContain("Starting the PostgreSQL servers home, eu, us …");
  expect(messages.at(-1)).toContain("Stopping the PostgreSQL servers");
  expect(second.lines().join()).not.toMatch(/postgres:/);
}, 120_000);

test.each([
  ["an unknown variable", { TENANTRY_PROT: "1" }, "TENANTRY_PROT"],
  ["an address that others can reach", { HOST: "0.0.0.0" }, "loopback"],
  ["a bad port", { PORT: "http" }, "PORT"],
  ["a home without a key", { DATABASE_URL: "postgres://u:hunter2@127.0.0.1:1/x" }, "TENANTRY_SECRET_KEY"],
  [
    "a home that is not there",
    { DATABASE_URL: "postgres://u:hunter2@127.0.0.1:1/x", TENANTRY_SECRET_KEY: Buffer.alloc(32).toString("base64") },
    "cannot be reached",
  ],
])("%s is one sentence and exit code 1", async (_, environment, words) => {
  const run = start(environment);
  expect(await run.ended).toBe(1);
  expect(run.output().trim().split("\n").at(-1)).toContain(words);
  expect(run.output()).not.toContain("hunter2");
  expect(run.output()).not.toContain("    at ");
});

test("a taken port is one sentence and exit code 1, and no server stays behind", async () => {
  const blocker = createServer().listen(0, "127.0.0.1");
  const port = await eventually(async () => (blocker.address() as { port: number } | null)?.port);
  const folder = temporaryFolder();
  const run = start({ TENANTRY_DATA_DIR: folder, PORT: String(port) });
  expect(await run.ended).toBe(1);
  expect(run.output()).toContain(`Port ${port} on 127.0.0.1 is taken`);
  blocker.close();
  // The folder is free again: what was started was stopped.
  const again = start({ TENANTRY_DATA_DIR: folder, PORT: String(await freePort()) });
  await untilRunning(again);
  again.child.kill("SIGINT");
  expect(await again.ended).toBe(0);
}, 120_000);

test("it ends with the package manager that started it, which passes no signal on", async () => {
  const environment = { TENANTRY_DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
  // As npx and pnpm do: a process, a shell of its own, and in that the program.
  const script = `require("node:child_process").spawn("sh", ["-c", "trap : USR1; '${process.execPath}' '${TENANTRY}' start; true"], { stdio: "inherit" })`;
  const launcher = spawn(process.execPath, ["-e", script], {
    env: { PATH: process.env["PATH"] ?? "", npm_lifecycle_event: "start", TENANTRY_LOG_FORMAT: "text", ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  launcher.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const closed = new Promise((resolve) => launcher.on("close", resolve));
  await eventually(async () => text.includes("Ctrl-C stops it"), 50_000);
  const [shell = 0] = childrenOf(launcher.pid ?? 0);
  const [program = 0] = childrenOf(shell);
  const servers = childrenOf(program);
  expect(servers).toHaveLength(3);
  launcher.kill("SIGTERM");
  await closed;
  expect(text).toContain("Stopping the PostgreSQL servers");
  expect([program, ...servers].filter(isRunning)).toEqual([]);
}, 120_000);

test("demo without a running API says what to do", async () => {
  const run = start({}, ["demo", "--url", `http://127.0.0.1:${await freePort()}`]);
  expect(await run.ended).toBe(1);
  expect(run.output()).toContain("npx pnpm@12 start");
});

test("demo plays the journey against the running API", async () => {
  const port = await freePort();
  const environment = { TENANTRY_DATA_DIR: temporaryFolder(), PORT: String(port) };
  const api = start(environment);
  await untilRunning(api);
  const demo = start(environment, ["demo", "--json", "--url", `http://127.0.0.1:${port}`]);
  expect(await demo.ended).toBe(0);
  const steps = demo
    .output()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { data: any });
  expect(steps.at(-1)?.data.organization.resources.edges[0].node).toMatchObject({
    name: "Plans",
    region: { key: "eu" },
  });
  api.child.kill("SIGTERM");
  expect(await api.ended).toBe(0);
}, 120_000);
