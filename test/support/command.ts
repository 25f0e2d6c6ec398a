/** Commands as they run in this process: what they print, and their exit code. */
import { vi } from "vitest";
import { run } from "../../src/cli/main.ts";
import type { TestApp } from "./app.ts";

export type Printed = { code: number; output: string; errors: string };

/** Runs a command line on the home of an app. One at a time: it borrows the process's environment and streams. */
export async function runCommand(
  { databaseUrl, secretKey }: Pick<TestApp, "databaseUrl" | "secretKey">,
  args: readonly string[],
): Promise<Printed> {
  const written = { stdout: "", stderr: "" };
  const { exitCode } = process;
  process.exitCode = 0;
  vi.stubEnv("DATABASE_URL", databaseUrl);
  vi.stubEnv("TENANTRY_SECRET_KEY", secretKey);
  const spies = (["stdout", "stderr"] as const).map((stream) =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      written[stream] += text.toString();
      return true;
    }),
  );
  try {
    await run(args);
    return { code: process.exitCode ?? 0, output: written.stdout, errors: written.stderr };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
    process.exitCode = exitCode;
  }
}
