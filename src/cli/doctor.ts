import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { plain, print, printJson } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { TenantryError } from "#base/kernel/errors";
import {
  type DatabaseHealth,
  readDatabasesHealth,
  readServersHealth,
  type ServerHealth,
} from "#engine/links/replication-health";
import { type Drift, findDrift } from "#engine/doctor/find-drift";
import { findOrphans, findStuckPlacements, type Orphan, type StuckPlacement } from "#engine/doctor/find-orphans";
import { findStrangeCredentials, type StrangeCredential } from "#engine/doctor/find-strange-credentials";
import { repair, type Repair } from "#engine/doctor/repair";
import { tryAllServers } from "#engine/regions/try-server";
import type { Services } from "#engine/services";

const PAGE_SIZE = 100;

/** `tenantry doctor`: looks at every server and tenant database; exit code 1 when something is wrong. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Look at every server and tenant database, and name what is wrong. It signs in as the API and has the servers that subscribe connect to the gateway. It finds replication that does not run, things on servers that nobody knows, placements that nobody works on, and schemas that were changed.",
    )
    .option("--repair", "Remove half-made things that hold nothing, and set placements going that nobody works on.")
    .option("--drop <database...>", "With --repair: drop these databases too, whatever they hold.")
    .option("--json", "Print one JSON object.")
    .action((options: Options) => withServices((services) => doctor(services, options)));
  return explain(command, {
    example: "tenantry doctor",
    exitsWith1: "something is wrong",
    page: "how-to/monitor.md",
  });
}

type Options = { json?: boolean; repair?: boolean; drop?: string[] };

async function doctor(services: Services, options: Options): Promise<void> {
  if (options.drop !== undefined && options.repair !== true)
    throw new TenantryError("INVALID_INPUT", "--drop needs --repair.");
  const json = options.json === true;
  const repairs =
    options.repair === true
      ? await recordedCommand(services, "repair", {}, () => repair(services, OPERATOR, options.drop ?? []))
      : [];
  const servers = await readServersHealth(services, OPERATOR);
  const databases = await readAll(services);
  const orphans = (await findOrphans(services)).map(({ server, kind, name, rows }) => ({ server, kind, name, rows }));
  const placements = await findStuckPlacements(services);
  const drift = await findDrift(services);
  const credentials = await findStrangeCredentials(services);
  const obstacles = await tryAllServers(services, OPERATOR);
  const wrong =
    servers.filter(({ problem }) => problem !== null).length +
    databases.filter(({ flows }) => flows.some(({ healthy }) => !healthy)).length +
    orphans.length +
    placements.length +
    drift.length +
    credentials.length +
    obstacles.length;
  if (json)
    printJson({
      healthy: wrong === 0,
      servers,
      databases,
      orphans,
      placements,
      drift,
      credentials,
      obstacles,
      repairs,
    });
  else {
    reportRepairs(repairs);
    report(servers, databases);
    reportRest(orphans, placements);
    reportDrift(drift);
    reportCredentials(credentials);
    reportObstacles(obstacles);
    const things = `${servers.length} servers, ${databases.length} tenant databases`;
    print(wrong === 0 ? `All well: ${things}.` : `${wrong} with a problem, of ${things}.`);
  }
  if (wrong > 0) process.exitCode = 1;
}

async function readAll(services: Services): Promise<DatabaseHealth[]> {
  const all: DatabaseHealth[] = [];
  for (;;) {
    const page = await readDatabasesHealth(services, OPERATOR, {
      after: all.at(-1)?.databaseId ?? 0,
      limit: PAGE_SIZE,
    });
    all.push(...page);
    if (page.length < PAGE_SIZE) return all;
  }
}

function reportRepairs(repairs: readonly Repair[]): void {
  if (repairs.length > 0) print(styleText("bold", "Repairs"));
  for (const { server, what, done, outcome } of repairs) line(done ? null : outcome, `${server}: ${what} ${outcome}`);
}

function reportRest(
  orphans: readonly Pick<Orphan, "server" | "kind" | "name" | "rows">[],
  placements: readonly StuckPlacement[],
): void {
  if (orphans.length > 0) print(styleText("bold", "Not known at home"));
  for (const { server, kind, name, rows } of orphans)
    line(
      "orphan",
      `${server}: ${kind} ${name}${rows === null ? "" : `, ${rows} rows`}; --repair removes what holds no rows`,
    );
  if (placements.length > 0) print(styleText("bold", "Placements"));
  for (const { id, state, failure, isWaiting } of placements)
    line(
      state,
      `${id}: ${state}${failure === null ? "" : `: ${failure}`} ${isWaiting ? "It is tried again by itself." : "Nobody works on it: --repair sets it going."}`,
    );
}

function reportDrift(drift: readonly Drift[]): void {
  if (drift.length > 0) print(styleText("bold", "Schemas that are not as their version should be"));
  for (const { database, version, differences } of drift) {
    line("drift", `${database}, version ${version}`);
    for (const difference of differences) print(`      ${plain(difference)}`);
  }
}

function reportCredentials(credentials: readonly StrangeCredential[]): void {
  if (credentials.length > 0) print(styleText("bold", "Credentials that do not belong there"));
  for (const { server, sentence } of credentials) line("credential", `${server}: ${sentence}`);
}

function reportObstacles(obstacles: Awaited<ReturnType<typeof tryAllServers>>): void {
  if (obstacles.length > 0) print(styleText("bold", "Tried, and does not work"));
  for (const { server, sentence } of obstacles) line("obstacle", `${server}: ${sentence}`);
}

function report(servers: readonly ServerHealth[], databases: readonly DatabaseHealth[]): void {
  print(styleText("bold", "Servers"));
  for (const { name, problem, headroom, advice } of servers) {
    line(problem, `${name}${problem === null ? "" : `: ${problem}`}`);
    for (const sentence of advice) print(`      ${plain(sentence)}`);
    for (const { setting, limit, used } of headroom)
      print(styleText("dim", plain(`      ${setting} ${used} of ${limit}`)));
  }
  print(styleText("bold", "Tenant databases"));
  for (const { database, flows } of databases)
    for (const flow of flows) {
      const state = flow.parked ? "parked" : "awake";
      const numbers = `${state}, lag ${bytes(flow.lagBytes)} ${seconds(flow.lagSeconds)}, retained ${bytes(flow.retainedBytes)}`;
      line(flow.problem, `${database} ${flow.direction}: ${flow.problem ?? numbers}`);
    }
}

/** What is said of one thing. Regions' servers make some of it. */
function line(problem: string | null, text: string): void {
  print(`  ${mark(problem)} ${plain(text)}`);
}

function mark(problem: string | null): string {
  return problem === null ? styleText("green", "✓") : styleText("red", "✗");
}

function bytes(value: number | null): string {
  if (value === null) return "unknown";
  return value < 1024 * 1024 ? `${Math.ceil(value / 1024)} kB` : `${(value / 1024 / 1024).toFixed(1)} MB`;
}

function seconds(value: number | null): string {
  return value === null ? "" : `${value.toFixed(1)} s`;
}
