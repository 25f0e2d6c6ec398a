import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { output, type OutputOptions } from "#cli/output";
import { onRegion, recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import {
  type BorderFlow,
  type MayCross,
  type NamedCrossing,
  type NamedRefusal,
  pruneBorderLedger,
  readCrossed,
  readMayCross,
  readRefused,
} from "#engine/border/read-border";
import { rotateLinkPasswords } from "#engine/links/rotate-link-passwords";
import type { Services } from "#engine/services";

const MAX_LISTED = 1_000;

type ShowOptions = OutputOptions & { days: string; region?: string; limit: string };

/**
 * `tenantry border`: what may cross, what crossed, what was refused. `border prune` takes old rows away, `border rotate` gives
 * links other passwords.
 */
export function borderCommand(): Command {
  const command = new Command("border")
    .description("Show what may cross between home and the regions, what crossed, and what was refused.")
    .option("--days <n>", "How many days to show, today included (UTC).", "7")
    .option("--region <key>", "Show only what crossed to and from the region with this key.")
    .option("--limit <n>", `How many crossings and how many refusals to show, newest first, 1 to ${MAX_LISTED}.`, "50")
    .option("--json", "Print one JSON object.")
    .action((options: ShowOptions) => withServices((services) => show(services, options)))
    .addCommand(pruneCommand())
    .addCommand(rotateCommand());
  return explain(command, { example: "tenantry border --region eu --days 1", page: "reference/border-ledger.md" });
}

function pruneCommand(): Command {
  const command = new Command("prune")
    .description("Remove old rows from the ledger of the border. The audit log records it.")
    .requiredOption(
      "--before <moment>",
      "Remove what is from before this moment, such as 2026-01-31T00:00:00Z (RFC 3339), at least 30 days ago.",
    )
    .option("--json", "Print one JSON object.")
    .action((_: object, given: Command) => withServices((services) => prune(services, given.optsWithGlobals())));
  return explain(command, {
    example: "tenantry border prune --before 2026-01-31T00:00:00Z",
    page: "reference/border-ledger.md",
  });
}

function rotateCommand(): Command {
  const command = new Command("rotate")
    .description("Give links other passwords for the gateway. The audit log records it.")
    .option("--region <key>", "Change only links to and from the region with this key.")
    .option("--json", "Print one JSON object.")
    .action((_: object, given: Command) => withServices((services) => rotate(services, given.optsWithGlobals())));
  return explain(command, { example: "tenantry border rotate --region eu", page: "how-to/rotate-keys.md" });
}

async function show(services: Services, options: ShowOptions): Promise<void> {
  const page = { first: readNumber("limit", options.limit), after: null };
  const days = readNumber("days", options.days);
  const { region } = options;
  const allowed = await readMayCross(services, OPERATOR);
  const crossed = await readCrossed(
    services,
    OPERATOR,
    { days, ...(region !== undefined && { regionKey: region }) },
    page,
  );
  const refused = await readRefused(services, OPERATOR, { days }, page);
  const value = {
    mayCross: allowed.flows,
    newerDatabases: allowed.newerDatabases,
    crossed: crossed.rows,
    moreCrossed: crossed.hasNextPage,
    refused: refused.rows,
    moreRefused: refused.hasNextPage,
  };
  const heading = (text: string) => styleText("bold", text);
  const rest = (hasMore: boolean) => (hasMore ? ["  There are more: raise --limit."] : []);
  const span = days === 1 ? "today" : `in ${days} days`;
  output(options, value, [
    heading("What may cross"),
    ...describeAllowed(allowed),
    heading(`What crossed ${span}`),
    ...(crossed.rows.length === 0 ? ["  Nothing."] : crossed.rows.map(describeCrossing)),
    ...rest(crossed.hasNextPage),
    heading(`What was refused ${span}`),
    ...(refused.rows.length === 0 ? ["  Nothing."] : refused.rows.map(describeRefusal)),
    ...rest(refused.hasNextPage),
  ]);
}

function readNumber(option: "limit" | "days", text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MAX_LISTED)
    throw invalidInput(option, `--${option} must be between 1 and ${MAX_LISTED}.`);
  return value;
}

function describeAllowed({ flows, newerDatabases }: MayCross): string[] {
  const changes = [...new Set(flows.flatMap((flow) => flow.changes))];
  const newer =
    newerDatabases === 0
      ? []
      : [`  ${newerDatabases} tenant databases are newer than this program: what may cross of them is not known here.`];
  return [
    ...flows.flatMap(describeFlow),
    `  Only ${changes.join(", ")} cross; TRUNCATE and all else never do.`,
    ...newer,
  ];
}

function describeFlow({ direction, from, into, columns, filter, schemaVersions, databases }: BorderFlow): string[] {
  const path = direction === "directory" ? "home to region" : "region to home";
  const versions = `version${schemaVersions.length === 1 ? "" : "s"} ${schemaVersions.join(", ")}`;
  return [
    `  ${direction}, ${path}: ${from} → ${into}`,
    `      columns ${columns.join(", ")}`,
    `      where ${filter}`,
    styleText("dim", `      ${databases} tenant databases, of schema ${versions}`),
  ];
}

function describeCrossing(crossing: NamedCrossing): string {
  const { day, regionKey, toRegionKey, database, direction, table, way, rows, bytes, firstAt, lastAt } = crossing;
  const when = `${timeOf(firstAt)} to ${timeOf(lastAt)}`;
  const region = toRegionKey === null ? regionKey : `${regionKey} to ${toRegionKey}`;
  return `  ${day}  ${region}  ${database} ${direction}  ${table} (${way}): ${rows} rows, ${bytes} bytes, ${when}`;
}

/** In UTC, as the days are. */
function timeOf(moment: Date): string {
  return moment.toISOString().slice(11, 19);
}

function describeRefusal(refusal: NamedRefusal): string {
  const { lastAt, code, attempts, address, user, database, direction, sentence } = refusal;
  const times = attempts === 1 ? "" : ` (${attempts} times)`;
  const from = address === null ? "" : ` from ${address}`;
  const by = user === null ? "" : ` as ${user}`;
  const about = database === null ? "" : ` about ${database}${direction === null ? "" : ` ${direction}`}`;
  return `  ${lastAt.toISOString()}  ${code.padEnd(20)}${times}${from}${by}${about}: ${sentence}`;
}

async function prune(services: Services, options: OutputOptions & { before: string }): Promise<void> {
  const before = new Date(options.before);
  const what = Number.isNaN(before.getTime()) ? null : before.toISOString();
  const pruned = await recordedCommand(
    services,
    "pruneBorderLedger",
    { subjectKind: "ENTRIES_BEFORE", subjectId: what },
    () => pruneBorderLedger(services, before),
  );
  output(options, pruned, [`home: ${pruned.days} daily sums and ${pruned.refusals} refusals removed`]);
}

async function rotate(services: Services, options: OutputOptions & { region?: string }): Promise<void> {
  const { region } = options;
  const rotated = await recordedCommand(
    services,
    "rotateLinkPasswords",
    region === undefined ? {} : onRegion(region),
    () => rotateLinkPasswords(services, OPERATOR, region),
  );
  const { databases, regions } = rotated;
  output(options, rotated, [
    databases === 0
      ? "There are no tenant databases, so nothing was changed."
      : `The links of ${databases} tenant databases in ${regions} regions have other passwords. Gateways refuse those before.`,
  ]);
}
