/** The command line: one file per command. */
import { Command } from "commander";
import { adoptCommand } from "#cli/adopt";
import { TenantryError } from "#base/kernel/errors";
import { explainRefusal, tellOperator } from "#engine/failures/explain";
import { auditCommand } from "#cli/audit";
import { borderCommand } from "#cli/border";
import { checkCommand } from "#cli/check";
import { completionCommand } from "#cli/completion";
import { demoCommand } from "#cli/demo";
import { doctorCommand } from "#cli/doctor";
import { exportCommand } from "#cli/export";
import { importCommand } from "#cli/import";
import { initCommand } from "#cli/init";
import { inviteCommand } from "#cli/invite";
import { jobsCommand } from "#cli/jobs";
import { placementCommand } from "#cli/list-placements";
import { memberCommand } from "#cli/member";
import { migrateCommand } from "#cli/migrate";
import { moveCommand } from "#cli/move";
import { grantCommand, organizationCommand, resumeCommand, retryCommand, revokeCommand } from "#cli/placement";
import { regionCommand } from "#cli/region";
import { keyCommand } from "#cli/key";
import { rotateSecretKeyCommand } from "#cli/rotate-secret-key";
import { noteCommand } from "#cli/running-command";
import { startCommand } from "#cli/start";
import { statusCommand } from "#cli/status";
import { userCommand } from "#cli/user";
import { readVersion } from "#cli/version";

/** All commands, in the groups of the help and of the reference page. */
export function createProgram(): Command {
  return new Command("tenantry")
    .description("Keeps every organization's data in its region, on stock PostgreSQL.")
    .version(readVersion(), "-V, --version", "Print Tenantry's version.")
    .hook("preAction", (_, command) => noteCommand(command))
    .commandsGroup("Start:")
    .addCommand(startCommand())
    .addCommand(demoCommand())
    .addCommand(completionCommand())
    .commandsGroup("Tables of your own:")
    .addCommand(initCommand())
    .addCommand(checkCommand())
    .commandsGroup("Regions:")
    .addCommand(regionCommand())
    .addCommand(adoptCommand())
    .commandsGroup("Organizations and their access:")
    .addCommand(organizationCommand())
    .addCommand(placementCommand())
    .addCommand(grantCommand())
    .addCommand(revokeCommand())
    .addCommand(resumeCommand())
    .addCommand(retryCommand())
    .addCommand(moveCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .commandsGroup("People:")
    .addCommand(userCommand())
    .addCommand(memberCommand())
    .addCommand(inviteCommand())
    .commandsGroup("Looking and repairing:")
    .addCommand(statusCommand())
    .addCommand(doctorCommand())
    .addCommand(jobsCommand())
    .addCommand(auditCommand())
    .addCommand(borderCommand())
    .commandsGroup("Versions and keys:")
    .addCommand(migrateCommand())
    .addCommand(keyCommand())
    .addCommand(rotateSecretKeyCommand());
}

/** Runs a command line. Failures become one sentence on standard error, with `--json` an object, and exit code 1. */
export async function run(args: readonly string[]): Promise<void> {
  try {
    const program = createProgram();
    if (args.includes("--json")) sayErrorsAsJson(program);
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    // Whoever runs commands is the operator, and may know what a server said.
    const message = tellOperator(error);
    process.stderr.write(
      `${args.includes("--json") ? JSON.stringify({ error: describeError(error, message) }) : message}\n`,
    );
    process.exitCode = 1;
  }
}

/** For scripts, which tell errors apart by the code. */
function describeError(error: unknown, message: string) {
  const { code = "INTERNAL", field } = (error instanceof TenantryError ? error : explainRefusal(error)) ?? {};
  return { code, message, ...(field === undefined ? {} : { field }) };
}

/** What commander says itself, of an option that is not known and the like. */
function sayErrorsAsJson(command: Command): void {
  command.configureOutput({
    outputError: (text, write) => {
      const message = text.trim().replace(/^error: /, "");
      write(`${JSON.stringify({ error: { code: "INVALID_INPUT", message } })}\n`);
    },
  });
  for (const one of command.commands) sayErrorsAsJson(one);
}
