import { Command, Option } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { ROLES, type Role } from "#engine/auth/roles";
import { allPages } from "#cli/all-pages";
import { output, type OutputOptions, print, printJson, table } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain, SOME_ID } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { getOrganization } from "#engine/home/organizations";
import { createInvitation, listInvitations, revokeInvitation } from "#engine/people/invitations";

const PAGE = "how-to/people.md";

type CreateOptions = OutputOptions & { role: Role; expiresInDays: string };

/** `tenantry invite`: who may become a member. */
export function inviteCommand(): Command {
  return new Command("invite")
    .description("Make, list and withdraw invitations.")
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(withdrawCommand());
}

function createCommand(): Command {
  const command = new Command("create")
    .description(
      "Invite an e-mail address to an organization, and print the token, once. No mail is sent: hand the token over yourself. An open invitation of the same address is replaced.",
    )
    .argument("<organization>", "The id of the organization.")
    .argument("<email>", "Whom to invite. They need not be a user yet.")
    .addOption(new Option("--role <role>", "What they may do there.").choices(ROLES).default("MEMBER"))
    .option("--expires-in-days <n>", "How many days the invitation is good for, 1 to 30.", "7")
    .option("--json", "Print one JSON object.")
    .action(create);
  return explain(command, { example: `tenantry invite create ${SOME_ID} ada@example.com`, page: PAGE });
}

async function create(organization: string, email: string, { role, expiresInDays, json }: CreateOptions) {
  const days = Number(expiresInDays);
  if (!Number.isInteger(days)) throw invalidInput("expiresInDays", "--expires-in-days must be a whole number.");
  await withServices(async (services) => {
    const organizationId = validId("organization", organization);
    const { invitation, token } = await recordedCommand(
      services,
      "inviteMember",
      { subjectKind: "INVITATION", organizationId },
      () => createInvitation(services, OPERATOR, { organizationId, email, role, expiresInDays: days }),
      (made) => ({ subjectId: made.invitation.id }),
    );
    if (json === true) return printJson({ invitation, token });
    print(token);
    process.stderr.write(
      `Invitation ${invitation.id} until ${invitation.expiresAt.toISOString()}, for ${invitation.email} only. The token is not shown again.\n`,
    );
  });
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List an organization's open invitations, oldest first.")
    .argument("<organization>", "The id of the organization.")
    .option("--json", "Print one JSON object.")
    .action((organization: string, { json }: OutputOptions) =>
      withServices(async (services) => {
        const { id } = await getOrganization(services, OPERATOR, validId("organization", organization));
        const invitations = await allPages(
          async (page) => (await listInvitations(services, [id], page)).get(id),
          (one) => one.id,
        );
        if (json === true) return printJson({ invitations });
        const rows = invitations.map((one) => [one.id, one.email, one.role, one.expiresAt.toISOString()]);
        for (const line of table(["ID", "E-MAIL", "ROLE", "ENDS"], rows, "No invitations.")) print(line);
      }),
    );
  return explain(command, { example: `tenantry invite list ${SOME_ID}` });
}

function withdrawCommand(): Command {
  const command = new Command("withdraw")
    .description("Take an open invitation back.")
    .argument("<id>", "The id of the invitation.")
    .option("--json", "Print one JSON object.")
    .action((given: string, options: OutputOptions) =>
      withServices(async (services) => {
        const id = validId("id", given);
        const what = { subjectKind: "INVITATION", subjectId: id };
        const withdrawn = await recordedCommand(services, "revokeInvitation", what, () =>
          revokeInvitation(services, OPERATOR, id),
        );
        output(options, withdrawn, [`Withdrawn: ${withdrawn.email}.`]);
      }),
    );
  return explain(command, { example: `tenantry invite withdraw ${SOME_ID}`, page: PAGE });
}
