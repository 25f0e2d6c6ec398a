/** The command line: one file per command. */
import { Command } from "commander";
import { adoptCommand } from "#cli/adopt";
import { tellOperator } from "#engine/failures/explain";
import { auditCommand } from "#cli/audit";
import { borderCommand } from "#cli/border";
import { checkCommand } from "#cli/check";
import { demoCommand } from "#cli/demo";
import { doctorCommand } from "#cli/doctor";
import { exportCommand } from "#cli/export";
import { importCommand } from "#cli/import";
import { initCommand } from "#cli/init";
import { jobsCommand } from "#cli/jobs";
import { migrateCommand } from "#cli/migrate";
import { grantCommand, organizationCommand, resumeCommand, retryCommand, revokeCommand } from "#cli/placement";
import { regionCommand } from "#cli/region";
import { keyCommand } from "#cli/key";
import { rotateSecretKeyCommand } from "#cli/rotate-secret-key";
import { startCommand } from "#cli/start";

/** All commands, in the groups of the help and of the reference page. */
export function createProgram(): Command {
  return new Command("tenantry")
    .description("Keeps every organization's data in its region, on stock PostgreSQL.")
    .commandsGroup("Start:")
    .addCommand(startCommand())
    .addCommand(demoCommand())
    .commandsGroup("Tables of your own:")
    .addCommand(initCommand())
    .addCommand(checkCommand())
    .commandsGroup("Regions:")
    .addCommand(regionCommand())
    .addCommand(adoptCommand())
    .commandsGroup("Organizations and their access:")
    .addCommand(organizationCommand())
    .addCommand(grantCommand())
    .addCommand(revokeCommand())
    .addCommand(resumeCommand())
    .addCommand(retryCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .commandsGroup("Looking and repairing:")
    .addCommand(doctorCommand())
    .addCommand(jobsCommand())
    .addCommand(auditCommand())
    .addCommand(borderCommand())
    .commandsGroup("Versions and keys:")
    .addCommand(migrateCommand())
    .addCommand(keyCommand())
    .addCommand(rotateSecretKeyCommand());
}

/** Runs a command line. Failures become one sentence on standard error and exit code 1. */
export async function run(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...args], { from: "user" });
  } catch (error) {
    // Whoever runs commands is the operator, and may know what a server said.
    process.stderr.write(`${tellOperator(error)}\n`);
    process.exitCode = 1;
  }
}
