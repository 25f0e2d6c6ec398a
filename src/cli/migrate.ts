import { styleText } from "node:util";
import { Command, InvalidArgumentError } from "commander";
import { print } from "#cli/output";
import { ProgressBar } from "#cli/progress-bar";
import { recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { FLEET_LIMIT_DEFAULTS, FLEET_PLAN_DEFAULTS } from "#engine/fleet/fleet-plan";
import {
  type FleetMigrationOptions,
  type FleetPlan,
  type FleetReport,
  MAX_FAILURE_SHARE,
  migrateFleet,
  planFleetMigration,
  STATEMENT_LIMIT_DEFAULTS,
  type SchemaVersion,
  totalOf,
} from "#engine/fleet/migrate-databases";
import type { Services } from "#engine/services";

type Options = {
  plan?: boolean;
  verify?: boolean;
  canaries: number;
  concurrency: number;
  perServer: number;
  maxFailures: number;
  lockTimeout: number;
  statementTimeout: number;
  json?: boolean;
};

const { canariesPerRegion } = FLEET_PLAN_DEFAULTS;
const { total, perServer } = FLEET_LIMIT_DEFAULTS;
const { lockTimeoutMs, statementTimeoutMs } = STATEMENT_LIMIT_DEFAULTS;

/** `tenantry migrate`: brings every tenant database to this program's schema; exit code 1 when something failed. */
export function migrateCommand(): Command {
  const command = new Command("migrate")
    .description(
      "Bring every tenant database to this program's schema: canaries first, then waves. Run it again to go on where it stopped.",
    )
    .option("--plan", "Print what would be done, in order, and change nothing.")
    .option("--verify", "Look into databases that are up to date too, and name where their schema differs.")
    .option(
      "--canaries <n>",
      "How many databases of each region go first, alone. When one fails, nothing else begins.",
      atLeast(0),
      canariesPerRegion,
    )
    .option("--concurrency <n>", "How many databases are migrated at once.", atLeast(1), total)
    .option("--per-server <n>", "How many of them may be on one server.", atLeast(1), perServer)
    .option(
      "--max-failures <percent>",
      "When more than this share of the databases, in percent, has failed, nothing more begins.",
      atLeast(0, 100),
      MAX_FAILURE_SHARE * 100,
    )
    .option(
      "--lock-timeout <ms>",
      "How many milliseconds a statement waits for a lock. The tenant's own work waits behind it.",
      atLeast(1),
      lockTimeoutMs,
    )
    .option(
      "--statement-timeout <ms>",
      "How many milliseconds a statement may run. The tenant's own work waits behind it.",
      atLeast(1),
      statementTimeoutMs,
    )
    .option("--json", "Print one JSON object.")
    .action((options: Options) => withServices((services) => run(services, options)));
  return explain(command, {
    example: "tenantry migrate --plan",
    exitsWith1: "a database failed, is newer than the program, cannot be reached, or has another schema than it should",
    page: "how-to/upgrade-and-migrate.md",
  });
}

function atLeast(least: number, most = 1_000_000) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

async function run(services: Services, options: Options): Promise<void> {
  const wanted = toMigrationOptions(options);
  if (options.plan === true) {
    const { target, canaries, waves, skipped } = await planFleetMigration(services, wanted);
    const plan = { target, canaries, waves, skipped };
    if (options.json === true) print(JSON.stringify(plan));
    else for (const line of describePlan(plan)) print(line);
    return;
  }
  const report = await recordedCommand(services, "migrateDatabases", {}, () =>
    migrate(services, wanted, options.json === true),
  );
  if (options.json === true) print(JSON.stringify(report));
  else for (const line of describeReport(report)) print(line);
  if (!isWell(report)) process.exitCode = 1;
}

function toMigrationOptions(options: Options): FleetMigrationOptions {
  return {
    // What nobody has chosen is left out: to look into databases alone, there are other defaults.
    ...(options.canaries !== canariesPerRegion && { canariesPerRegion: options.canaries }),
    maxFailureShare: options.maxFailures / 100,
    verify: options.verify === true,
    limits: {
      ...(options.concurrency !== total && { total: options.concurrency }),
      ...(options.perServer !== perServer && { perServer: options.perServer }),
    },
    statements: { lockTimeoutMs: options.lockTimeout, statementTimeoutMs: options.statementTimeout },
  };
}

/** Shows how it goes, on a terminal as a bar; interrupted, it begins nothing more and finishes what runs. */
async function migrate(services: Services, wanted: FleetMigrationOptions, quiet: boolean): Promise<FleetReport> {
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const bar = quiet ? undefined : new ProgressBar(process.stdout);
  try {
    return await migrateFleet(services, "operator", {
      ...wanted,
      signal: interrupt.signal,
      onEvent: ({ database, attempt, ms }, progress) => {
        const what =
          attempt.kind === "done"
            ? `${shown(database.version)} → ${shown(attempt.result.version)} (${Math.round(ms)} ms)`
            : `${attempt.kind === "failed" ? "failed" : "put off"}: ${attempt.reason}`;
        bar?.show(progress, `${database.regionKey} ${database.name}: ${what}`, attempt.kind !== "done");
      },
    });
  } finally {
    bar?.end();
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

const SKIPPED_BECAUSE = {
  "up-to-date": "up to date",
  newer: "newer than this program: start the newer program",
  "being-made": "being made",
  moving: "in a move",
  unreachable: "their server cannot be reached",
} as const;

function shown(version: SchemaVersion | null): number | string {
  return version === null ? "none" : totalOf(version);
}

/** The plan for people. */
export function describePlan({ target, canaries, waves, skipped }: FleetPlan): string[] {
  const names = (databases: FleetPlan["canaries"]) =>
    databases.map(({ regionKey, name, version }) => `    ${regionKey} ${name}: ${shown(version)} → ${shown(target)}`);
  const counts = Object.entries(SKIPPED_BECAUSE).flatMap(([reason, words]) => {
    const count = skipped.filter((one) => one.reason === reason).length;
    return count === 0 ? [] : [`  left out, ${words}: ${count}`];
  });
  const due = canaries.length + waves.flat().length;
  return [
    styleText("bold", `Schema version ${shown(target)}: ${due} tenant databases to migrate`),
    ...(canaries.length === 0 ? [] : [`  canaries: ${canaries.length}`, ...names(canaries)]),
    ...waves.flatMap((wave, index) => [`  wave ${index + 1}: ${wave.length}`, ...names(wave)]),
    ...counts,
  ];
}

function isWell({ failed, refused, drifted, stopped }: FleetReport): boolean {
  return failed.length + refused.length + drifted.length === 0 && stopped === null;
}

/** The outcome for people. */
export function describeReport(report: FleetReport): string[] {
  const { target, migrated, verified, upToDate, failed, refused, drifted, left, stopped, seconds } = report;
  const mark = isWell(report) ? styleText("green", "✓") : styleText("red", "✗");
  const parts = [
    `${migrated} migrated`,
    ...(verified > 0 ? [`${verified} looked into`] : []),
    ...(upToDate > 0 ? [`${upToDate} up to date`] : []),
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
    ...(refused.length > 0 ? [`${refused.length} refused`] : []),
    ...(left > 0 ? [`${left} not begun`] : []),
  ];
  return [
    ...[...failed, ...refused].map(({ region, database, reason }) => `  ${region} ${database}: ${reason}`),
    ...drifted.flatMap(({ region, database, differences }) =>
      differences.map((difference) => `  ${region} ${database}: ${difference}`),
    ),
    ...(stopped === null ? [] : [stopped]),
    `${mark} Schema version ${target}: ${parts.join(", ")}; ${seconds.toFixed(1)} s`,
    ...(left + failed.length > 0 ? ["Run tenantry migrate again to go on."] : []),
  ];
}
