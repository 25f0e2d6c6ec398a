import { Command, Option } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { ROLES, type Role } from "#engine/auth/roles";
import { allPages } from "#cli/all-pages";
import { count, output, type OutputOptions, print, printJson, table } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain, SOME_ID } from "#cli/reference";
import { withServices } from "#cli/services";
import { notFound } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import {
  addMember,
  getMembership,
  listMembers,
  type MemberFilter,
  type Membership,
  readMemberFilter,
  removeMember,
} from "#engine/home/memberships";
import { getOrganization } from "#engine/home/organizations";
import { findUsers, type User } from "#engine/home/users";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import type { Services } from "#engine/services";

type RoleOptions = OutputOptions & { role: Role };

const OTHER_ID = "01993c1e-9a02-7c11-8000-5b7d0c3e2f00";
const PAGE = "how-to/people.md";
const ORGANIZATION = "The id of the organization.";
const USER = "The id of the user.";

/** `tenantry member`: who is in an organization, and as what. */
export function memberCommand(): Command {
  return new Command("member")
    .description("List, add and remove members of an organization, and change their roles.")
    .addCommand(listCommand())
    .addCommand(addCommand())
    .addCommand(changeRoleCommand())
    .addCommand(removeCommand());
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List an organization's members.")
    .argument("<organization>", ORGANIZATION)
    .addOption(new Option("--role <role>", "Only members with this role.").choices(ROLES))
    .option("--name <start>", "Only members whose name begins with this, in upper or lower case.")
    .option("--json", "Print one JSON object.")
    .action((organization: string, { json, ...search }: OutputOptions & { role?: Role; name?: string }) =>
      withServices(async (services) => {
        const filter = readMemberFilter(search);
        const { id } = await getOrganization(services, OPERATOR, validId("organization", organization));
        const members = await readMembers(services, id, filter);
        if (json === true) return printJson({ members });
        for (const line of memberTable(members)) print(line);
      }),
    );
  return explain(command, { example: `tenantry member list ${SOME_ID} --role OWNER` });
}

function addCommand(): Command {
  const command = new Command("add")
    .description("Make a user a member of an organization.")
    .argument("<organization>", ORGANIZATION)
    .argument("<user>", USER)
    .addOption(new Option("--role <role>", "What the member may do there.").choices(ROLES).default("MEMBER"))
    .option("--json", "Print one JSON object.")
    .action((organization: string, user: string, options: RoleOptions) =>
      withServices((services) => change(services, idsFrom(organization, user), options)),
    );
  return explain(command, { example: `tenantry member add ${SOME_ID} ${OTHER_ID} --role ADMIN`, page: PAGE });
}

function changeRoleCommand(): Command {
  const command = new Command("change-role")
    .description("Change what a member may do in the organization.")
    .argument("<organization>", ORGANIZATION)
    .argument("<user>", USER)
    .addOption(
      new Option("--role <role>", "What the member may do there from now on.").choices(ROLES).makeOptionMandatory(),
    )
    .option("--json", "Print one JSON object.")
    .action((organization: string, user: string, options: RoleOptions) =>
      withServices(async (services) => {
        const ids = idsFrom(organization, user);
        // Who is no member is to be added by that word.
        await getMembership(services, ids.organizationId, ids.userId);
        await change(services, ids, options);
      }),
    );
  return explain(command, { example: `tenantry member change-role ${SOME_ID} ${OTHER_ID} --role OWNER`, page: PAGE });
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("Remove a member from an organization. The last owner stays.")
    .argument("<organization>", ORGANIZATION)
    .argument("<user>", USER)
    .option("--json", "Print one JSON object.")
    .action((organization: string, user: string, options: OutputOptions) =>
      withServices(async (services) => {
        const ids = idsFrom(organization, user);
        await recordedCommand(services, "removeOrganizationMember", about(ids), () =>
          removeMember(services, OPERATOR, ids),
        );
        output(options, ids, ["Removed.", ...(await sayLate(services, ids.organizationId))]);
      }),
    );
  return explain(command, { example: `tenantry member remove ${SOME_ID} ${OTHER_ID}`, page: PAGE });
}

type Ids = { organizationId: string; userId: string };

function idsFrom(organization: string, user: string): Ids {
  return { organizationId: validId("organization", organization), userId: validId("user", user) };
}

function about({ organizationId, userId }: Ids) {
  return { subjectKind: "USER", subjectId: userId, organizationId };
}

async function change(services: Services, ids: Ids, options: RoleOptions): Promise<void> {
  await recordedCommand(services, "addOrganizationMember", about(ids), () =>
    addMember(services, OPERATOR, { ...ids, role: options.role }),
  );
  const changed = (await readMembers(services, ids.organizationId)).filter(({ userId }) => userId === ids.userId);
  const [member] = changed;
  if (member === undefined) throw notFound("Member");
  output(options, member, [...memberTable(changed), ...(await sayLate(services, ids.organizationId))]);
}

async function sayLate(services: Services, organizationId: string): Promise<string[]> {
  const late = await waitUntilMembersVisible(services, organizationId);
  return late.length === 0 ? [] : [`It has yet to reach ${count(late.length, "tenant database")}.`];
}

type Member = Membership & Pick<User, "name" | "email">;

async function readMembers(services: Services, organizationId: string, filter?: MemberFilter): Promise<Member[]> {
  const memberships = await allPages(
    async (page) => (await listMembers(services, [organizationId], page, filter)).get(organizationId),
    ({ userId }) => userId,
  );
  const ids = memberships.map(({ userId }) => userId);
  const users = new Map((await findUsers(services, OPERATOR, ids)).map((user) => [user.id, user]));
  return memberships.map((one) => {
    const { name = "", email = "" } = users.get(one.userId) ?? {};
    return Object.assign(one, { name, email });
  });
}

function memberTable(members: readonly Member[]): string[] {
  const rows = members.map(({ userId, role, email, name, joinedAt }) => [
    userId,
    role,
    email,
    name,
    joinedAt.toISOString(),
  ]);
  return table(["USER", "ROLE", "E-MAIL", "NAME", "JOINED"], rows, "No members.");
}
