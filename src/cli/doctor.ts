import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#auth/actor";
import { withServices } from "#cli/services";
import {
  type DatabaseHealth,
  readDatabasesHealth,
  readServersHealth,
  type ServerHealth,
} from "#operations/replication-health";
import type { Services } from "#operations/services";

const PAGE_SIZE = 100;

/** `tenantry doctor`: looks at every server and tenant database; exit code 1 when something is wrong. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("look at every server and tenant database; exit code 1 when something is wrong")
    .option("--json", "print one JSON object")
    .action((options: { json?: boolean }) => withServices((services) => doctor(services, options.json === true)));
}

async function doctor(services: Services, json: boolean): Promise<void> {
  const servers = await readServersHealth(services, OPERATOR);
  const databases = await readAll(services);
  const wrong =
    servers.filter(({ problem }) => problem !== null).length +
    databases.filter(({ flows }) => flows.some(({ healthy }) => !healthy)).length;
  if (json) print(JSON.stringify({ healthy: wrong === 0, servers, databases }));
  else report(servers, databases, wrong);
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

function report(servers: readonly ServerHealth[], databases: readonly DatabaseHealth[], wrong: number): void {
  print(styleText("bold", "Servers"));
  for (const { name, problem, headroom } of servers) {
    print(`  ${mark(problem)} ${name}${problem === null ? "" : `: ${problem}`}`);
    for (const { setting, limit, used } of headroom) print(styleText("dim", `      ${setting} ${used} of ${limit}`));
  }
  print(styleText("bold", "Tenant databases"));
  for (const { database, flows } of databases)
    for (const flow of flows) {
      const state = flow.parked ? "parked" : "awake";
      const numbers = `${state}, lag ${bytes(flow.lagBytes)} ${seconds(flow.lagSeconds)}, retained ${bytes(flow.retainedBytes)}`;
      print(`  ${mark(flow.problem)} ${database} ${flow.direction}: ${flow.problem ?? numbers}`);
    }
  const things = `${servers.length} servers, ${databases.length} tenant databases`;
  print(wrong === 0 ? `All well: ${things}.` : `${wrong} with a problem, of ${things}.`);
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

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
