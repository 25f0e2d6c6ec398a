import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { output, type OutputOptions, print, printJson, table } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain, SOME_ID } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput, notFound } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { eraseUser } from "#engine/erasure/erase-user";
import { createUser, getUser, listUsers, type User } from "#engine/home/users";

const PAGE_SIZE = 100;
const PAGE = "how-to/people.md";

/** `tenantry user`: people. */
export function userCommand(): Command {
  return new Command("user")
    .description("List, find, create and erase users.")
    .addCommand(listCommand())
    .addCommand(findCommand())
    .addCommand(createCommand())
    .addCommand(eraseCommand());
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List users, oldest first.")
    .option("--after <id>", "Go on after the user with this id, the last one of the page before.")
    .option("--json", "Print one JSON object.")
    .action((options: OutputOptions & { after?: string }) =>
      withServices(async (services) => {
        const after = options.after === undefined ? null : validId("after", options.after);
        const { rows, hasNextPage } = await listUsers(services, OPERATOR, { email: null }, { first: PAGE_SIZE, after });
        if (options.json === true) return printJson({ users: rows, hasNextPage });
        for (const line of userTable(rows)) print(line);
        if (hasNextPage) print(`There are more: --after ${rows.at(-1)?.id}`);
      }),
    );
  return explain(command, { example: "tenantry user list" });
}

function findCommand(): Command {
  const command = new Command("find")
    .description("Find a user by e-mail address, whatever its case.")
    .argument("<email>", "The e-mail address of the user.")
    .option("--json", "Print one JSON object.")
    .action((email: string, options: OutputOptions) =>
      withServices(async (services) => {
        const { rows } = await listUsers(services, OPERATOR, { email }, { first: 1, after: null });
        const [found] = rows;
        if (found === undefined) throw notFound("User");
        output(options, found, userTable([found]));
      }),
    );
  return explain(command, { example: "tenantry user find ada@example.com" });
}

function createCommand(): Command {
  const command = new Command("create")
    .description("Make a user, and print their id.")
    .argument("<email>", "The e-mail address, which no other user has.")
    .requiredOption("--name <name>", "The name of the user.")
    .option("--json", "Print one JSON object.")
    .action((email: string, options: OutputOptions & { name: string }) =>
      withServices(async (services) => {
        const made = await recordedCommand(
          services,
          "createUser",
          { subjectKind: "USER" },
          () => createUser(services, OPERATOR, { name: options.name, email }),
          ({ id }) => ({ subjectId: id }),
        );
        output(options, made, userTable([made]));
      }),
    );
  return explain(command, { example: 'tenantry user create ada@example.com --name "Ada"', page: PAGE });
}

function eraseCommand(): Command {
  const command = new Command("erase")
    .description(
      "Replace a user's name and e-mail address for good, at home and in every region, and take their id out of what they wrote. There is no way back.",
    )
    .argument("<id>", "The id of the user.")
    .requiredOption("--confirm <email>", "The user's e-mail address, so that nobody erases the wrong one.")
    .option("--json", "Print one JSON object.")
    .action((given: string, options: OutputOptions & { confirm: string }) =>
      withServices(async (services) => {
        const id = validId("id", given);
        const { email } = await getUser(services, OPERATOR, id);
        if (email.toLowerCase() !== options.confirm.toLowerCase())
          throw invalidInput("confirm", "--confirm must be the e-mail address of the user with this id.");
        const erasure = await recordedCommand(services, "eraseUser", { subjectKind: "USER", subjectId: id }, () =>
          eraseUser(services, OPERATOR, id),
        );
        const where = erasure.pending.map((placement) => `It has yet to reach the placement ${placement.id}.`);
        const done = erasure.complete ? "Erased everywhere." : "Erased at home. Workers go on: see tenantry jobs.";
        output(options, erasure, [done, ...where]);
        if (!erasure.complete) process.exitCode = 1;
      }),
    );
  return explain(command, {
    example: `tenantry user erase ${SOME_ID} --confirm ada@example.com`,
    exitsWith1: "it is not done everywhere yet. Workers go on with it",
    page: PAGE,
  });
}

function userTable(users: readonly User[]): string[] {
  const rows = users.map(({ id, email, name, createdAt }) => [id, email, name, createdAt.toISOString()]);
  return table(["ID", "E-MAIL", "NAME", "MADE"], rows, "No users.");
}
