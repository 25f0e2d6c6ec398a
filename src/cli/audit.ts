import { Command } from "commander";
import type { AuditEntry } from "#engine/audit/entry";
import { OPERATOR } from "#engine/auth/actor";
import { output, type OutputOptions, table } from "#cli/output";
import { recordedCommand } from "#cli/recorded";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { pruneAuditLog } from "#engine/audit/prune-audit-log";
import { readAuditLog } from "#engine/audit/read-audit-log";
import type { Services } from "#engine/services";

const MAX_LISTED = 1_000;

type ListOptions = OutputOptions & {
  organization?: string;
  limit: string;
  after?: string;
  leaveOutUnavailable?: boolean;
};

/** `tenantry audit`: who did what, when, from where, with the outcome; `audit prune` takes old entries away. */
export function auditCommand(): Command {
  const command = new Command("audit")
    .description(
      "List the audit log, newest first: who did what, when, from where, with which outcome. Without --organization it lists the entries at home.",
    )
    .option("--organization <id>", "List what concerns the organization with this id, also in its regions.")
    .option("--leave-out-unavailable", "Leave out regions that cannot be reached, and name them.")
    .option("--limit <n>", `How many entries to list, 1 to ${MAX_LISTED}.`, "20")
    .option("--after <id>", "Go on after the entry with this id, the last one of the page before.")
    .option("--json", "Print one JSON object.")
    .action((options: ListOptions) => withServices((services) => list(services, options)))
    .helpCommand(true)
    .addCommand(pruneCommand());
  return explain(command, {
    example: "tenantry audit --organization 01993c1e-8f1a-7a52-8000-3f2b6c9d1e00 --limit 100",
    page: "reference/audit-log.md",
  });
}

function pruneCommand(): Command {
  const command = new Command("prune")
    .description("Remove old entries, at home and in the regions. The removal is recorded itself.")
    .requiredOption(
      "--before <moment>",
      "Remove entries from before this moment, such as 2026-01-31T00:00:00Z (RFC 3339), at least 30 days ago.",
    )
    .option("--json", "Print one JSON object.")
    .action((_: object, given: Command) => withServices((services) => prune(services, given.optsWithGlobals())));
  return explain(command, {
    example: "tenantry audit prune --before 2026-01-31T00:00:00Z",
    exitsWith1: "a database could not be pruned",
    page: "reference/audit-log.md",
  });
}

async function list(services: Services, options: ListOptions): Promise<void> {
  const first = Number(options.limit);
  if (!Number.isInteger(first) || first < 1 || first > MAX_LISTED)
    throw invalidInput("limit", `--limit must be between 1 and ${MAX_LISTED}.`);
  const { rows, hasNextPage, missingRegions } = await readAuditLog(
    services,
    OPERATOR,
    {
      organizationId: options.organization === undefined ? null : validId("organization", options.organization),
      leaveOutUnavailable: options.leaveOutUnavailable === true,
    },
    { first, after: options.after === undefined ? null : validId("after", options.after) },
  );
  const missing = missingRegions.map((key) => `The entries in region ${key} are missing: it cannot be reached.`);
  const more = hasNextPage ? [`There are more: --after ${rows.at(-1)?.id}`] : [];
  const headings = ["WHEN", "OUTCOME", "ACTION", "SUBJECT", "REGION", "BY", "FROM", "ID"];
  const lines = table(headings, rows.map(cellsOf), "No entries.");
  output(options, { entries: rows, hasNextPage, missingRegions }, [...lines, ...more, ...missing]);
}

function cellsOf(entry: AuditEntry) {
  const { at, outcome, action, subjectKind, subjectId, who, whoId, via, address, regionKey, id } = entry;
  const subject = subjectKind === null ? null : `${subjectKind} ${subjectId ?? "-"}`;
  const by =
    via === "COMMAND_LINE" ? "operator (command line)" : `${who.toLowerCase()}${whoId === null ? "" : ` ${whoId}`}`;
  return [at.toISOString(), outcome, action, subject, regionKey, by, address, id];
}

async function prune(services: Services, options: OutputOptions & { before: string }): Promise<void> {
  const before = new Date(options.before);
  const what = Number.isNaN(before.getTime()) ? null : before.toISOString();
  const pruning = await recordedCommand(
    services,
    "pruneAuditLog",
    { subjectKind: "ENTRIES_BEFORE", subjectId: what },
    () => pruneAuditLog(services, before),
  );
  output(options, pruning, [
    ...pruning.pruned.map(({ database, entries }) => `${database}: ${entries} entries removed`),
    ...pruning.failed.map(({ database, reason }) => `${database}: not pruned: ${reason}`),
  ]);
  if (pruning.failed.length > 0) process.exitCode = 1;
}
