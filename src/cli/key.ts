import { Command, Option } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { type ApiKey, createApiKey, listApiKeys, revokeApiKey } from "#engine/auth/api-keys";
import { ROLES, type Role } from "#engine/auth/roles";
import { allPages } from "#cli/all-pages";
import { print, table } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import type { Services } from "#engine/services";

type CreateOptions = {
  name: string;
  operator?: boolean;
  organization?: string;
  role?: Role;
  readOnly?: boolean;
  expiresInDays: string;
  json?: boolean;
};

/** `tenantry key create|list|revoke`: whoever may use the database makes the first operator's key here. */
export function keyCommand(): Command {
  return new Command("key")
    .description("Make, list and revoke API keys.")
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

const PAGE = "how-to/sign-in.md";

function createCommand(): Command {
  const command = new Command("create")
    .description("Make an API key and print it, once. Name either --operator, or --organization and --role.")
    .requiredOption("--name <text>", "What the key is for.")
    .option("--operator", "Make an operator's key, which may do everything.")
    .option("--read-only", "With --operator: the key sees everything and may change nothing.")
    .option("--organization <id>", "Make a key of the organization with this id.")
    .addOption(new Option("--role <role>", "What the key may do in the organization.").choices(ROLES))
    .option("--expires-in-days <n>", "How many days the key is good for, 1 to 365.", "90")
    .option("--json", "Print one JSON object.")
    .action(create);
  return explain(command, { example: 'tenantry key create --operator --name "first"', page: PAGE });
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List API keys without their secrets. Without --organization it lists the operator's.")
    .option("--organization <id>", "List the keys of the organization with this id.")
    .option("--json", "Print one JSON object.")
    .action(list);
  return explain(command, { example: "tenantry key list", page: PAGE });
}

function revokeCommand(): Command {
  const command = new Command("revoke")
    .description("Revoke an API key. It is refused within a second.")
    .argument("<id>", "The id of the key.")
    .action((id: string) => withServices((services) => revoke(services, validId("id", id))));
  return explain(command, { example: "tenantry key revoke 01993c1e-8f1a-7a52-8000-3f2b6c9d1e00", page: PAGE });
}

async function revoke(services: Services, id: string): Promise<void> {
  const { name } = await recordedCommand(services, "revokeApiKey", { subjectKind: "API_KEY", subjectId: id }, () =>
    revokeApiKey(services, OPERATOR, id),
  );
  print(`Revoked: ${name}.`);
}

async function create(options: CreateOptions): Promise<void> {
  const { name, operator = false, organization, role, readOnly = false } = options;
  // An operator's key must be asked for by that word, not by leaving something out.
  if (operator === (organization !== undefined))
    throw invalidInput("organization", "Name either --operator or --organization with --role.");
  await withServices(async (services) => {
    const organizationId = organization === undefined ? null : validId("organization", organization);
    const expiresInDays = Number(options.expiresInDays);
    const { key, secret } = await recordedCommand(
      services,
      "createApiKey",
      { subjectKind: "API_KEY", organizationId },
      () => createApiKey(services, OPERATOR, { name, organizationId, role: role ?? null, readOnly, expiresInDays }),
      (made) => ({ subjectId: made.key.id }),
    );
    if (options.json === true) return print(JSON.stringify({ key, secret }));
    print(secret);
    process.stderr.write(`Key ${key.id} until ${key.expiresAt.toISOString()}. It is not shown again.\n`);
  });
}

async function list({ organization, json }: { organization?: string; json?: boolean }): Promise<void> {
  await withServices(async (services) => {
    const organizationId = organization === undefined ? null : validId("organization", organization);
    const keys = await allPages(
      (page) => listApiKeys(services, OPERATOR, organizationId, page),
      ({ id }) => id,
    );
    if (json === true) return print(JSON.stringify({ keys }));
    const rows = keys.map((key) => [
      key.id,
      stateOf(key),
      key.expiresAt.toISOString(),
      key.role ?? (key.readOnly ? "operator, read-only" : "operator"),
      key.name,
    ]);
    for (const line of table(["ID", "STATE", "ENDS", "ROLE", "NAME"], rows, "No keys.")) print(line);
  });
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return "revoked";
  return expiresAt.getTime() <= Date.now() ? "expired" : "good";
}
