import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { count, type OutputOptions, plain, print, printJson, table } from "#cli/output";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { readVersion } from "#cli/version";
import { findStuckPlacements } from "#engine/doctor/find-orphans";
import { listPlacements } from "#engine/home/list-placements";
import { listJobs } from "#engine/jobs/list-jobs";
import type { JobState } from "#engine/jobs/job";
import { readCarriedRegions } from "#engine/links/read-carried";
import { readServersHealth } from "#engine/links/replication-health";
import { isSameVersion, latestOf, totalOf } from "#engine/migrations/schema-version";
import { listRegions } from "#engine/regions/regions";
import type { Services } from "#engine/services";

/** Jobs of one state that are counted; above it the line says so. */
const MAX_COUNTED = 1_000;

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
  const [health, regions, carried, placements, stuck] = await Promise.all([
    readServersHealth(services, OPERATOR),
    listRegions(services),
    readCarriedRegions(services),
    listPlacements(services, OPERATOR, { organizationId: null, regionKey: null }),
    findStuckPlacements(services),
  ]);
  const [waiting = 0, running = 0, failed = 0] = await Promise.all(
    (["WAITING", "RUNNING", "FAILED"] as const).map((state) => countJobs(services, state)),
  );
  const latest = latestOf(services.tenantSchema);
  const servers = health.map(({ name, version, problem }) => {
    const region = regions.find(({ key }) => key === name);
    const { host, port } = region ?? services.homeAddress;
    const here = placements.filter(({ regionKey }) => regionKey === name).length;
    // Without a tenant database there is nothing to carry.
    const isCarried = region === undefined || here === 0 ? null : carried.has(region.id);
    return { name, address: `${host}:${port}`, version, placements: here, isCarried, problem };
  });
  const behind = placements.filter(
    ({ schemaVersion }) => schemaVersion !== null && !isSameVersion(schemaVersion, latest),
  ).length;
  return {
    version: readVersion(),
    schemaVersion: totalOf(latest),
    servers,
    placements: placements.length,
    behind,
    jobs: { waiting, running, failed },
    stuck: stuck.filter(({ isWaiting }) => !isWaiting).map(({ id, state, failure }) => ({ id, state, failure })),
  };
}

type Found = Awaited<ReturnType<typeof look>>;

async function countJobs(services: Services, state: JobState): Promise<number> {
  const { rows } = await listJobs(services, OPERATOR, { state }, { first: MAX_COUNTED, after: null });
  return rows.length;
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
