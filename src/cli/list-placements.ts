import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { bytes, type OutputOptions, printJson, print, table } from "#cli/output";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { validId } from "#base/kernel/validation";
import { listPlacements } from "#engine/home/list-placements";
import { totalOf } from "#engine/migrations/schema-version";
import { readDatabaseSizes, sizeKey } from "#engine/placements/database-sizes";
import { getRegion } from "#engine/regions/regions";
import type { Services } from "#engine/services";

type Options = OutputOptions & { organization?: string; region?: string };

/** `tenantry placement`: which organizations are where. */
export function placementCommand(): Command {
  return new Command("placement").description("List placements.").addCommand(listCommand());
}

function listCommand(): Command {
  const command = new Command("list")
    .description(
      "List placements, oldest first: id, organization, region, state, size and schema version. The size is that of the tenant database, which organizations share where the placement is SHARED.",
    )
    .option("--organization <id>", "List only placements of the organization with this id.")
    .option("--region <key>", "List only placements in the region with this key.")
    .option("--json", "Print one JSON object.")
    .action((options: Options) => withServices((services) => list(services, options)));
  return explain(command, { example: "tenantry placement list --region eu", page: "how-to/take-access-away.md" });
}

async function list(services: Services, { organization, region, json }: Options): Promise<void> {
  const organizationId = organization === undefined ? null : validId("organization", organization);
  const regionKey = region === undefined ? null : (await getRegion(services, region)).key;
  const found = await listPlacements(services, OPERATOR, { organizationId, regionKey });
  const sizes = await readDatabaseSizes(services, found);
  const placements = found.map((one) => Object.assign(one, { sizeBytes: sizes.get(sizeKey(one)) ?? null }));
  if (json === true) return printJson({ placements });
  const rows = placements.map((one) => [
    one.id,
    one.organizationName,
    one.regionKey,
    one.state,
    one.isolation,
    bytes(one.sizeBytes),
    one.schemaVersion === null ? null : totalOf(one.schemaVersion),
  ]);
  const headings = ["ID", "ORGANIZATION", "REGION", "STATE", "ISOLATION", "SIZE", "VERSION"];
  for (const line of table(headings, rows, "No placements.")) print(line);
  for (const { id, failure } of placements) if (failure !== null) print(`${id}: ${failure}`);
}
