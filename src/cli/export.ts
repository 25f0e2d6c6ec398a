import { Command } from "commander";
import { OPERATOR } from "#auth/actor";
import { progressLine } from "#cli/progress";
import { withServices } from "#cli/services";
import { getPlacement } from "#directory/placements";
import { validId } from "#kernel/validation";
import { exportPlacement } from "#operations/export-placement";
import { importPlacement } from "#operations/import-placement";
import { placementSubject, requesterOf } from "#operations/operation";
import { runHere } from "#operations/operation-here";

/** `tenantry export`: one placement's data as files that any program can read. */
export function exportCommand(): Command {
  return new Command("export")
    .description("write one placement's resources, comments and directory into a folder")
    .argument("<placement>", "the placement's id")
    .requiredOption("--to <folder>", "a new or empty folder")
    .option("--json", "print one JSON object")
    .action((id: string, options: { to: string; json?: boolean }) =>
      withServices(async (services) => {
        const placement = await getPlacement(services, OPERATOR, validId("placement", id));
        const progress = progressLine("exported");
        const manifest = await runHere(
          services,
          requesterOf(OPERATOR),
          {
            kind: "export-placement",
            subject: placementSubject(placement.id),
            placementId: placement.id,
            organizationId: placement.organizationId,
            regionId: placement.regionId,
          },
          (run) =>
            run.step("export", () => exportPlacement(services, placement, options.to, { onProgress: progress.show })),
        );
        progress.end();
        const files = manifest.files.map(({ file, rows, bytes }) => `  ${file}  ${rows} rows, ${bytes} bytes`);
        print(options.json === true ? JSON.stringify(manifest) : ["Exported:", ...files].join("\n"));
      }),
    );
}

/** `tenantry import`: an export back into a placement, ids kept. */
export function importCommand(): Command {
  return new Command("import")
    .description("bring an export back into a placement, ids kept; running it again goes on")
    .argument("<folder>", "a finished export")
    .requiredOption("--placement <id>", "an ACTIVE placement: the one it came from, or a new one without rows")
    .option("--json", "print one JSON object")
    .action((folder: string, options: { placement: string; json?: boolean }) =>
      withServices(async (services) => {
        const placement = await getPlacement(services, OPERATOR, validId("placement", options.placement));
        const progress = progressLine("imported");
        const imported = await runHere(
          services,
          requesterOf(OPERATOR),
          {
            kind: "import-placement",
            subject: placementSubject(placement.id),
            placementId: placement.id,
            organizationId: placement.organizationId,
            regionId: placement.regionId,
          },
          (run) =>
            run.step("import", () => importPlacement(services, placement, folder, { onProgress: progress.show })),
        );
        progress.end();
        if (options.json === true) return print(JSON.stringify(imported));
        const { written, unknownPeople, inCatalog } = imported;
        print(`Imported ${written.resources} resources and ${written.comments} comments that were not there.`);
        if (unknownPeople > 0)
          print(
            `${unknownPeople} of their authors are not members of the organization here: add them, and their names show.`,
          );
        if (!inCatalog) print("The catalog at home has not caught up yet; it will.");
      }),
    );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
