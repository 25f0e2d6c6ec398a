import { explain } from "#cli/reference";
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { styleText } from "node:util";
import { Command } from "commander";
import { output } from "#cli/output";
import { startScratchServers } from "#embedded/scratch";
import { type Check, checkProject, requireProject } from "#project/check-project";
import { findProject, type Project } from "#project/load-project";
import { formatManifest, type Manifest, manifestFile } from "#project/manifest";

type Options = { ci?: boolean; server?: string; json?: boolean };

/** `tenantry check`: tries the team's migrations and writes down what they say; exit code 1 when something would hurt. */
export function checkCommand(): Command {
  const command = new Command("check")
    .description("Try the migrations of tenantry.config.ts on a scratch server, and write their manifest.")
    .option("--ci", "Write nothing, and fail when the manifest is not what the migrations say.")
    .option("--server <url>", "Make the two scratch databases on this server. Left out, an embedded server has them.")
    .option("--json", "Print one JSON object.")
    .action(check);
  return explain(command, {
    example: "tenantry check --ci",
    exitsWith1: "a migration is refused, or with --ci the manifest is another one",
    page: "tutorial/your-own-tables.md",
  });
}

async function check(options: Options): Promise<void> {
  const project = requireProject(await findProject(process.cwd()));
  const found = await onServer(options.server, (url) => checkProject(project, url));
  const { refusals, changes, manifest } = found;
  const file = manifestFile(project.migrationsFolder);
  // The first one is a difference too: a check that nobody has committed says nothing to the next.
  const isCurrent = changes.length === 0 && project.manifest !== undefined;
  const writes = options.ci !== true && refusals.length === 0 && manifest !== undefined && !isCurrent;
  if (writes) writeFileSync(file, formatManifest(manifest));
  const isWell = refusals.length === 0 && (isCurrent || writes);
  output(options, { ok: isWell, written: writes, ...found }, describe(project, found, { isCurrent, writes }));
  if (!isWell) process.exitCode = 1;
}

async function onServer<Result>(given: string | undefined, work: (url: string) => Promise<Result>): Promise<Result> {
  if (given !== undefined) return work(given);
  const scratch = await startScratchServers(["scratch"]);
  try {
    return await work(scratch.url("scratch"));
  } finally {
    await scratch.stop();
  }
}

function describe(
  { folder, migrationsFolder, manifest: before }: Project,
  { refusals, manifest, changes }: Check,
  { isCurrent, writes }: { isCurrent: boolean; writes: boolean },
): string[] {
  const name = relative(folder, manifestFile(migrationsFolder));
  if (refusals.length > 0 || manifest === undefined)
    return refusals.map((refusal) => `${styleText("red", "✗")} ${refusal}`);
  return [
    ...describeTables(manifest),
    ...(changes.length === 0 || before === undefined
      ? []
      : ["Changed since the last manifest:", ...changes.map((line) => `  ${line}`)]),
    isCurrent
      ? `${styleText("green", "✓")} ${name} is what the migrations say.`
      : writes
        ? `${styleText("green", "✓")} ${name} was written: commit it.`
        : `${styleText("red", "✗")} ${name} is not what the migrations say: run tenantry check, and commit what it writes.`,
  ];
}

/** What the latest version says. */
function describeTables({ versions, home }: Manifest): string[] {
  const tables = Object.entries(versions.at(-1)?.tables ?? {});
  const flowing = tables.filter(([, { flows }]) => flows.length > 0);
  const staying = tables.filter(([, { flows }]) => flows.length === 0).map(([name]) => name);
  const personal = tables.flatMap(([name, table]) =>
    Object.entries(table.personal).map(([column, holds]) => `${name}.${column} (${holds})`),
  );
  return [
    flowing.length === 0 ? "Nothing flows to home." : "To home flow, with the keys of each row:",
    ...flowing.map(([name, { flows }]) => `  ${name}: ${flows.join(", ")}`),
    ...(staying.length === 0 ? [] : [`Never leave their database: ${staying.join(", ")}`]),
    ...(home === undefined
      ? []
      : [`At home only, in schema home: ${home.map(({ migration }) => migration).join(", ")}`]),
    ...(personal.length === 0 ? [] : [`About people: ${personal.join(", ")}`]),
  ];
}
