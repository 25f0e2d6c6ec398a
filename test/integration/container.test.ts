/** The image's commands, in a folder laid out like the image's: no container engine is needed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/journey.ts";

const dockerfile = readFileSync("Dockerfile", "utf8");
const folder = mkdtempSync(join(tmpdir(), "tenantry-image-"));
let home: TestApp;
beforeAll(async () => {
  home = await startApp();
  await home.stop();
  chmodSync(folder, 0o755);
  for (const [, names = ""] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm))
    for (const name of names.split(" ")) cpSync(name, join(folder, name), { recursive: true });
  symlinkSync(realpathSync("node_modules"), join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As the image's user, which is 1000, where these tests may become it. Nothing in the folder is that user's to write. */
const ACCOUNT = process.getuid?.() === 0 ? { uid: 1_000, gid: 1_000 } : {};

/** The command that the Dockerfile gives, as a list of words. */
function commandOf(instruction: RegExp): string[] {
  return JSON.parse(instruction.exec(dockerfile)?.[1] ?? "[]") as string[];
}

function start([, ...args]: string[], environment: Record<string, string>) {
  const [, host = ""] = /^ENV HOST=(.+)$/m.exec(dockerfile) ?? [];
  const env = { PATH: process.env["PATH"], HOST: host, ...environment };
  return spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"], ...ACCOUNT });
}

async function isHealthy(environment: Record<string, string>): Promise<boolean> {
  const [code] = await once(start(commandOf(/^HEALTHCHECK .* CMD (\[.*\])$/m), environment), "close");
  return code === 0;
}

test("the image's command starts, its health check finds out, and it stops at SIGTERM", async () => {
  const environment = {
    PORT: String(await freePort()),
    DATABASE_URL: home.databaseUrl,
    TENANTRY_SECRET_KEY: home.secretKey,
    TENANTRY_GATEWAY_LISTEN: "127.0.0.1:0",
    TENANTRY_EVERYBODY_IS_OPERATOR: "true",
  };
  expect(await isHealthy(environment)).toBe(false);
  const program = start(commandOf(/^CMD (\[.*\])$/m), environment);
  const ended = once(program, "close");
  let said = "";
  for (const stream of [program.stdout, program.stderr]) stream.on("data", (text: Buffer) => (said += text.toString()));
  expect(await eventually(async () => isHealthy(environment), 25_000)).toBe(true);
  const greeting = await eventually(async () => said.split("\n").find((line) => line.includes("Tenantry is running")));
  expect(JSON.parse(greeting ?? "")).toMatchObject({
    url: `http://0.0.0.0:${environment.PORT}`,
    next: ["tenantry region add eu", "tenantry status"],
  });
  // A second one finds the port taken before it does anything.
  const second = start(commandOf(/^CMD (\[.*\])$/m), environment);
  let refused = "";
  for (const stream of [second.stdout, second.stderr])
    stream.on("data", (text: Buffer) => (refused += text.toString()));
  expect(await once(second, "close")).toEqual([1, null]);
  expect(refused).toBe(
    `Port ${environment.PORT} on 0.0.0.0 is taken: stop what uses it, or set PORT to another one.\n`,
  );
  program.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
}, 60_000);

test("without a setting that says what it means, or sign-in, the image refuses to start", async () => {
  const program = start(commandOf(/^CMD (\[.*\])$/m), {
    DATABASE_URL: home.databaseUrl,
    TENANTRY_SECRET_KEY: home.secretKey,
  });
  let said = "";
  program.stderr.on("data", (text: Buffer) => (said += text.toString()));
  expect(await once(program, "close")).toEqual([1, null]);
  expect(said).toContain("TENANTRY_EVERYBODY_IS_OPERATOR=true allows it.");
});

test("a worker is healthy without a port", async () => {
  expect(await isHealthy({ TENANTRY_ROLE: "worker" })).toBe(true);
});
