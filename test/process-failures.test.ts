import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROGRAM = `
  import { createLogger } from "#base/observability/logger";
  import { Metrics } from "#base/observability/metrics";
  import { surviveFailures } from "#base/observability/process-failures";
  const metrics = new Metrics();
  const logger = createLogger({ level: "info" });
  const surviving = surviveFailures({ logger, metrics });
  void Promise.reject(new Error("no way to postgres://somebody:hunter2@host/db"));
  setTimeout(() => { throw new TypeError("thrown by a timer"); }, 0);
  setTimeout(async () => {
    process.stdout.write(\`\${await metrics.text()}alive\\n\`);
    surviving[Symbol.dispose]();
    if (process.argv.includes("and then")) void Promise.reject(new Error("afterwards"));
  }, 50);
`;
const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, ["--input-type=module", "--eval", PROGRAM, ...args], {
    cwd: new URL("..", import.meta.url),
  });

test("what nobody took is logged without secrets and counted, and the process lives", async () => {
  const { stdout } = await run();
  expect(stdout).toContain("no way to postgres://somebody:***@host/db");
  expect(stdout).not.toContain("hunter2");
  expect(stdout).toContain("thrown by a timer");
  expect(stdout).toContain('tenantry_process_failures_total{kind="rejection"} 1');
  expect(stdout).toContain('tenantry_process_failures_total{kind="exception"} 1');
  expect(stdout).toMatch(/alive\s*$/);
});

test("once it is ended, a failure ends the process as Node has it", async () => {
  await expect(run("and then")).rejects.toThrow(/afterwards/);
});
