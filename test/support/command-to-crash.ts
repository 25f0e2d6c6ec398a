/**
 * A command in a process of its own that stops at a failpoint, when one is named: it prints `at <name>` and waits for `go on`
 * on its standard input. Ends with 0 when the command succeeded, else with 1.
 *
 * Usage: node test/support/command-to-crash.ts '<Command as JSON>'
 */
import { createInterface } from "node:readline";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { runExport } from "../../src/engine/transfer/export-placement.ts";
import { runImport } from "../../src/engine/transfer/import-placement.ts";
import { migrateFleet } from "../../src/engine/fleet/migrate-databases.ts";
import type { CallerKind } from "../../src/engine/jobs/job.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import type { Services } from "../../src/engine/services.ts";
import { openServices, schemaWith } from "./fleet.ts";

export type Command = {
  databaseUrl: string;
  secretKey: string;
  failpoint?: string;
  /** Plays a program whose tenant schema has these migrations more. */
  migrations?: string[];
  kind: CallerKind;
  /** For exports and imports. */
  placementId: string;
  folder: string;
};

const command = JSON.parse(process.argv[2] ?? "{}") as Command;
const goOn = Promise.withResolvers<void>();
const lines = createInterface({ input: process.stdin });
lines.on("line", () => goOn.resolve());
// Its end is also that of the test run that holds the other end of the pipe.
lines.on("close", () => process.exit(1));

if (command.failpoint !== undefined) {
  const { failpoint } = command;
  const disarm = armFailpoint(failpoint, async () => {
    disarm();
    process.stdout.write(`at ${failpoint}\n`);
    await goOn.promise;
  });
}

async function execute(services: Services): Promise<boolean> {
  if (command.kind === "repair") return (await repair(services, OPERATOR, [])).every(({ done }) => done);
  if (command.kind === "migrate-databases") {
    const retry = { attempts: 2, lastAttempts: 4, pauseMs: 20, maxPauseMs: 100 };
    return (await migrateFleet(services, "operator", { retry })).failed.length === 0;
  }
  const { placementId, folder, kind } = command;
  if (kind === "export-placement") await runExport(services, OPERATOR, placementId, folder);
  else await runImport(services, OPERATOR, placementId, folder);
  return true;
}

try {
  await using services = await openServices(
    command,
    command.migrations === undefined ? undefined : schemaWith(...command.migrations),
  );
  process.exitCode = (await execute(services)) ? 0 : 1;
} catch (error) {
  process.stdout.write(`failed: ${String(error)}\n`);
  process.exitCode = 1;
}
lines.removeAllListeners("close");
process.stdin.destroy();
