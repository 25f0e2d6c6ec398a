import { resolve } from "node:path";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { print } from "#cli/output";
import { withProgress } from "#cli/progress";
import { onPlacement, recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { TenantryError } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { type Imported, runImport } from "#engine/transfer/import-placement";

type Options = { placement: string; otherOrganization?: boolean; json?: boolean };

/** `tenantry import`: an export back into a placement, ids kept; exit code 1 when not all of it was. */
export function importCommand(): Command {
  const command = new Command("import")
    .description("Bring an export back into a placement. Ids stay the same. Run it again to go on where it stopped.")
    .argument("<folder>", "The folder of a finished export.")
    .requiredOption("--placement <id>", "The id of the placement to import into. It must be ACTIVE.")
    .option("--other-organization", "Import even if the placement belongs to another organization than the export.")
    .option("--json", "Print one JSON object.")
    .action((folder: string, options: Options) => importFrom(folder, options));
  return explain(command, {
    example: "tenantry import ./acme --placement 01993c1e-8f1a-7a52-8000-3f2b6c9d1e00",
    page: "how-to/export-and-import.md",
  });
}

const INTERRUPTED = new TenantryError("CONFLICT", "Interrupted: import again to go on.");

async function importFrom(folder: string, { placement, otherOrganization, json }: Options): Promise<void> {
  const placementId = validId("placement", placement);
  await withServices(async (services) => {
    const imported = await recordedCommand(services, "importPlacement", onPlacement(placementId), () =>
      withProgress(
        (options) => runImport(services, OPERATOR, placementId, resolve(folder), { ...options, otherOrganization }),
        INTERRUPTED,
      ),
    );
    if (json === true) print(JSON.stringify(imported));
    else report(imported);
  });
}

function report({ tables, missingMembers, inCatalog }: Imported): void {
  for (const [table, { rows, added }] of Object.entries(tables)) {
    const there = rows - added;
    const kept = there === 0 ? "" : `; ${there.toLocaleString("en")} were there already and stay as they are`;
    print(`Imported ${added.toLocaleString("en")} rows of ${table}${kept}.`);
  }
  const { count, first } = missingMembers;
  if (count > 0)
    print(
      `${count.toLocaleString("en")} exported members are no members of the organization here; what they wrote is kept, without a name:`,
    );
  for (const { userId, name, isUser } of first) print(`  ${userId} ${name}${isUser ? "" : " (no user here)"}`);
  if (count > first.length) print(`  and ${(count - first.length).toLocaleString("en")} more.`);
  if (!inCatalog)
    print("Not all rows are in the catalog at home yet: they arrive as soon as a worker carries the region.");
}
