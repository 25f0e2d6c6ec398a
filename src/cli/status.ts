import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { count, type OutputOptions, plain, print, printJson, table } from "#cli/output";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { readVersion } from "#cli/version";
import { findStuckPlacements } from "#engine/doctor/find-orphans";
import { latestOf, totalOf } from "#engine/migrations/schema-version";
import type { JobsOfKind, PlacementsOfRegion } from "#engine/readings/reading";
import type { Services } from "#engine/services";

/** `tenantry status`: one screen. Everything in detail is `doctor`'s. */
export function statusCommand(): Command {
  const command = new Command("status")
    .description(
      "Say in one screen what runs: versions, servers, regions and who carries them, placements, jobs, and what is wrong.",
    )
    .option("--json", "Print one JSON object.")
    .action((options: OutputOptions) => withServices((services) => status(services, options)));
  return explain(command, {
    example: "tenantry status",
    exitsWith1: "something is wrong",
    page: "how-to/monitor.md",
  });
}

async function status(services: Services, { json }: OutputOptions): Promise<void> {
  const found = await look(services);
  const wrong = whatIsWrong(found);
  if (json === true) printJson({ healthy: wrong.length === 0, ...found, wrong });
  else show(found, wrong);
  if (wrong.length > 0) process.exitCode = 1;
}

async function look(services: Services) {
  await services.ownership.lookAround();
  const { readings } = services;
  const [read, { jobs }, { placements }, stuck] = await Promise.all([
    readings.servers(OPERATOR),
    readings.jobs(OPERATOR),
    readings.placements(OPERATOR),
    findStuckPlacements(services),
  ]);
  const servers = read.map(({ name, regionId, address, version, isCarried, problem }) => {
    const here = countPlacements(placements.filter((one) => one.regionId === regionId));
    // Without a tenant database there is nothing to carry.
    return { name, address, version, placements: here, isCarried: here === 0 ? null : isCarried, problem };
  });
  const inState = (state: JobsOfKind["state"]) =>
    jobs.filter((one) => one.state === state).reduce((sum, one) => sum + one.jobs, 0);
  return {
    version: readVersion(),
    schemaVersion: totalOf(latestOf(services.tenantSchema)),
    servers,
    placements: countPlacements(placements),
    behind: countPlacements(placements.filter(({ schemaVersion, isLatest }) => schemaVersion !== null && !isLatest)),
    jobs: { waiting: inState("WAITING"), running: inState("RUNNING"), failed: inState("FAILED") },
    stuck: stuck.filter(({ isWaiting }) => !isWaiting).map(({ id, state, failure }) => ({ id, state, failure })),
  };
}

type Found = Awaited<ReturnType<typeof look>>;

function countPlacements(of: readonly PlacementsOfRegion[]): number {
  return of.reduce((sum, { placements }) => sum + placements, 0);
}

function whatIsWrong({ servers, stuck }: Found): string[] {
  return [
    ...servers.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`])),
    ...servers
      .filter(({ isCarried }) => isCarried === false)
      .map(
        ({ name }) => `${name}: no worker carries its replication. Start Tenantry, or a process with the role worker.`,
      ),
    ...stuck.map(({ id, state, failure }) => `placement ${id} is ${state}${failure === null ? "" : `: ${failure}`}`),
  ];
}

function show(found: Found, wrong: readonly string[]): void {
  const { version, schemaVersion, servers, placements, behind, jobs } = found;
  print(`Tenantry ${version}, schema version ${schemaVersion} of tenant databases`);
  const rows = servers.map((server) => [
    server.name,
    server.address,
    server.version ?? "away",
    server.placements,
    server.isCarried === null ? null : server.isCarried ? "carried" : "not carried",
  ]);
  for (const line of table(["SERVER", "ADDRESS", "POSTGRESQL", "PLACEMENTS", "REPLICATION"], rows, "")) print(line);
  const late = behind === 0 ? "" : `, ${behind} on another schema version: see tenantry migrate`;
  print(`${count(placements, "placement")}${late}`);
  print(`Jobs: ${jobs.waiting} waiting, ${jobs.running} running, ${jobs.failed} failed`);
  for (const sentence of wrong) print(`${styleText("red", "✗")} ${plain(sentence)}`);
  print(wrong.length === 0 ? "All well. tenantry doctor looks closer." : "tenantry doctor looks closer.");
}
