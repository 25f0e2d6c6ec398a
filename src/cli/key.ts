import { Command, Option } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { type ApiKey, createApiKey, listApiKeys, revokeApiKey } from "#engine/auth/api-keys";
import { ROLES, type Role } from "#engine/auth/roles";
import { print } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import { MAX_PAGE_SIZE } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";

type CreateOptions = {
  name: string;
  operator?: boolean;
  organization?: string;
  role?: Role;
  expiresInDays: string;
  json?: boolean;
};

/** `tenantry key create|list|revoke`: whoever may use the database makes the first operator's key here. */
export function keyCommand(): Command {
  return new Command("key")
    .description("make, list and revoke API keys")
    .addCommand(
      new Command("create")
        .description("make a key and print it; it is not shown again")
        .requiredOption("--name <text>", "what it is for")
        .option("--operator", "an operator's key: it may do everything")
        .option("--organization <id>", "a key of this organization")
        .addOption(new Option("--role <role>", "what it may do in the organization").choices(ROLES))
        .option("--expires-in-days <n>", "1 to 365", "90")
        .option("--json", "print one JSON object")
        .action(create),
    )
    .addCommand(
      new Command("list")
        .description("list the operator's keys, or an organization's")
        .option("--organization <id>", "the keys of this organization")
        .option("--json", "print one JSON object")
        .action(list),
    )
    .addCommand(
      new Command("revoke")
        .description("revoke a key: it is refused within a second")
        .argument("<id>", "the key's id")
        .action((id: string) =>
          withServices(async (services) => {
            const keyId = validId("id", id);
            const { name } = await recordedCommand(
              services,
              "revokeApiKey",
              { subjectKind: "API_KEY", subjectId: keyId },
              () => revokeApiKey(services, OPERATOR, keyId),
            );
            print(`Revoked: ${name}.`);
          }),
        ),
    );
}

async function create(options: CreateOptions): Promise<void> {
  const { name, operator = false, organization, role } = options;
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
      () => createApiKey(services, OPERATOR, { name, organizationId, role: role ?? null, expiresInDays }),
      (made) => ({ subjectId: made.key.id }),
    );
    if (options.json === true) return print(JSON.stringify({ key, secret }));
    print(secret);
    process.stderr.write(`Key ${key.id} until ${key.expiresAt.toISOString()}. It is not shown again.\n`);
  });
}

async function list({ organization, json }: { organization?: string; json?: boolean }): Promise<void> {
  await withServices(async (services) => {
    const keys: ApiKey[] = [];
    let page: Awaited<ReturnType<typeof listApiKeys>> | undefined;
    const organizationId = organization === undefined ? null : validId("organization", organization);
    do {
      const after = keys.at(-1)?.id ?? null;
      page = await listApiKeys(services, OPERATOR, organizationId, { first: MAX_PAGE_SIZE, after });
      keys.push(...page.rows);
    } while (page.hasNextPage);
    if (json === true) return print(JSON.stringify({ keys }));
    if (keys.length === 0) print("No keys.");
    for (const key of keys) print(`${key.id}  ${stateOf(key).padEnd(8)} ${key.role ?? "operator"}  ${key.name}`);
  });
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return "revoked";
  return expiresAt.getTime() <= Date.now() ? "expired" : "good";
}
