import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { bytes, count, plain, print, printJson } from "#cli/output";
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
import { type ErasureDifference, findErasureDifferences } from "#engine/erasure/review-erasures";
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
      "Look at every server and tenant database, and name what is wrong. It signs in as the API and has the servers that subscribe connect to the gateway. It finds replication that does not run, things on servers that nobody knows, placements that nobody works on, schemas that were changed, and erasures that a restore has undone.",
    )
    .option(
      "--repair",
      "Remove half-made things that hold nothing, set placements going that nobody works on, and do erasures again that a restore has undone.",
    )
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
  await services.ownership.lookAround();
  // At the same time: each asks servers that may be far away.
  const [servers, databases, unknown, placements, drift, credentials, erasures, obstacles] = await Promise.all([
    readServersHealth(services, OPERATOR),
    readAll(services),
    findOrphans(services),
    findStuckPlacements(services),
    findDrift(services),
    findStrangeCredentials(services),
    findErasureDifferences(services),
    tryAllServers(services, OPERATOR),
  ]);
  const orphans = unknown.map(({ server, kind, name, rows }) => ({ server, kind, name, rows }));
  const wrong =
    servers.filter(({ problem }) => problem !== null).length +
    databases.filter(({ flows }) => flows.some(({ healthy }) => !healthy)).length +
    orphans.length +
    placements.length +
    drift.length +
    credentials.length +
    erasures.length +
    obstacles.length;
  const found = { servers, databases, orphans, placements, drift, credentials, erasures, obstacles };
  if (json) printJson({ healthy: wrong === 0, ...found, repairs });
  else {
    reportRepairs(repairs);
    report(servers, databases);
    reportRest(orphans, placements);
    reportDrift(drift);
    reportCredentials(credentials);
    reportErasures(erasures);
    reportObstacles(obstacles);
    const things = `${count(servers.length, "server")}, ${count(databases.length, "tenant database")}`;
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

function reportErasures(erasures: readonly ErasureDifference[]): void {
  if (erasures.length > 0) print(styleText("bold", "Erasures that home and a database do not both know"));
  const say = (database: string, erased: number, what: string) => {
    if (erased > 0) line("erasures", `${database}: ${erased} ${what}`);
  };
  for (const { database, forgottenAtHome, forgottenThere, forged } of erasures) {
    say(database, forgottenAtHome.length, "that home has forgotten, as it was restored; --repair does them again");
    say(
      database,
      forgottenThere.length,
      "that the database has forgotten, as it was restored; --repair does them again",
    );
    say(database, forged, "that home has never made: somebody else has written into tenantry.erasures there");
  }
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

function seconds(value: number | null): string {
  return value === null ? "" : `${value.toFixed(1)} s`;
}
