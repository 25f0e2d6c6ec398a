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
import { runExport } from "#engine/transfer/export-placement";

/** `tenantry export`: one placement's data as files that any program can read; exit code 1 when it is not whole. */
export function exportCommand(): Command {
  const command = new Command("export")
    .description("Write a placement's resources, comments and directory into a folder, as they are at one moment.")
    .argument("<placement>", "The id of the placement.")
    .requiredOption(
      "--to <folder>",
      "A new or empty folder. A folder with an unfinished export of the placement starts over.",
    )
    .option("--json", "Print the manifest as one JSON object.")
    .action((id: string, options: { to: string; json?: boolean }) => exportTo(validId("placement", id), options));
  return explain(command, {
    example: "tenantry export 01993c1e-8f1a-7a52-8000-3f2b6c9d1e00 --to ./acme",
    page: "how-to/export-and-import.md",
  });
}

const INTERRUPTED = new TenantryError("CONFLICT", "Interrupted: export again into the same folder, or remove it.");

async function exportTo(placementId: string, { to, json }: { to: string; json?: boolean }): Promise<void> {
  const folder = resolve(to);
  const started = performance.now();
  await withServices(async (services) => {
    const manifest = await recordedCommand(services, "exportPlacement", onPlacement(placementId), () =>
      withProgress((options) => runExport(services, OPERATOR, placementId, folder, options), INTERRUPTED),
    );
    if (json === true) return print(JSON.stringify(manifest));
    const { organization, region, files, exportedAt } = manifest;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const seconds = (performance.now() - started) / 1_000;
    print(`Exported ${organization.name} in region ${region.key}, as it was at ${exportedAt}, to ${folder}:`);
    for (const file of files) print(`  ${file.file.padEnd(22)} ${file.rows.toLocaleString("en")} rows`);
    print(`${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s. Every file's checksum is in manifest.json.`);
  });
}
