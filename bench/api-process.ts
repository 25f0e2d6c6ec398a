/** An API process of its own, so that it shares no event loop with those who ask. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { waitFor } from "../src/base/kernel/wait.ts";
import { atExit } from "./at-exit.ts";

export type ApiProcess = { url: string; port: number; child: ChildProcess; stop: () => Promise<void> };

/** Starts it with sign-in by API keys; `limits` are variables of the environment. */
export async function startApiProcess(
  connection: { databaseUrl: string; secretKey: string },
  limits: Record<string, string>,
): Promise<ApiProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, ["bin/tenantry.js", "start"], {
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: process.env["PATH"],
      NODE_ENV: "production",
      PORT: String(port),
      DATABASE_URL: connection.databaseUrl,
      TENANTRY_SECRET_KEY: connection.secretKey,
      TENANTRY_ROLE: "api",
      TENANTRY_AUTH: "bearer",
      TENANTRY_LOG_LEVEL: "error",
      ...limits,
    },
  });
  endsWithUs(child);
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/health/ready`)
      .then(({ ok }) => (ok ? true : undefined))
      .catch(() => undefined);
  if ((await waitFor(isReady, { timeoutMs: 30_000 })) === undefined) throw new Error("the API did not start");
  return { url, port, child, stop: () => ended(child) };
}

/** Has a process ended when this one ends. */
export function endsWithUs(child: ChildProcess): void {
  child.once(
    "exit",
    atExit(() => void child.kill()),
  );
}

/** Ends a process and waits for it. */
export async function ended(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}

/** A TCP port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
