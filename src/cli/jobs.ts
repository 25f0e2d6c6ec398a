import { styleText } from "node:util";
import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { plain, print, table } from "#cli/output";
import { explain } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";
import { listJobs, listJobSteps, type Job, type JobStep } from "#engine/jobs/list-jobs";
import { JOB_STATES } from "#engine/jobs/job";
import type { Services } from "#engine/services";

type Options = { json?: boolean; state?: string; placement?: string; limit: string };

const MAX_LISTED = 1_000;

/** `tenantry jobs`: what was asked for, how far it is, and what went wrong. */
export function jobsCommand(): Command {
  const command = new Command("jobs")
    .description("List jobs, newest first: who asked, when, state, step, attempts, last error.")
    .option("--state <state>", `List only jobs in this state: ${JOB_STATES.join(", ")}.`)
    .option("--placement <id>", "List only jobs on the placement with this id.")
    .option("--limit <n>", `How many jobs to list, 1 to ${MAX_LISTED}.`, "20")
    .option("--json", "Print one JSON object.")
    .action((options: Options) => withServices((services) => jobs(services, options)));
  return explain(command, { example: "tenantry jobs --state FAILED", page: "how-to/troubleshooting.md" });
}

async function jobs(services: Services, options: Options): Promise<void> {
  const state = JOB_STATES.find((one) => one === options.state?.toUpperCase());
  if (options.state !== undefined && state === undefined)
    throw invalidInput("state", `--state must be one of ${JOB_STATES.join(", ")}.`);
  if (options.placement !== undefined && !isUuid(options.placement))
    throw invalidInput("placement", "--placement must be a placement's id.");
  const first = Number(options.limit);
  if (!Number.isInteger(first) || first < 1 || first > MAX_LISTED)
    throw invalidInput("limit", `--limit must be between 1 and ${MAX_LISTED}.`);
  const { rows } = await listJobs(
    services,
    OPERATOR,
    { state: state ?? null, placementId: options.placement ?? null },
    { first, after: null },
  );
  const steps = await listJobSteps(
    services,
    rows.map(({ id }) => id),
  );
  const stepsOf = Map.groupBy(steps, ({ jobId }) => jobId);
  if (options.json === true) {
    print(JSON.stringify({ jobs: rows.map((row) => Object.assign(row, { steps: stepsOf.get(row.id) ?? [] })) }));
    return;
  }
  const headings = ["STATE", "JOB", "SUBJECT", "STEP", "ATTEMPTS", "ASKED", "BY", "DUE", "ID"];
  const [heading = "", ...lines] = table(headings, rows.map(cellsOf), "No jobs.");
  print(heading);
  for (const [place, job] of rows.entries()) {
    print((lines[place] ?? "").replace(job.state, styleText(COLORS[job.state], job.state)));
    for (const line of below(job, stepsOf.get(job.id) ?? [])) print(`  ${line}`);
  }
}

const COLORS = { WAITING: "yellow", RUNNING: "blue", DONE: "green", FAILED: "red", CANCELLED: "dim" } as const;

function cellsOf({ id, kind, subject, state, requestedBy, requestedAt, attempts, step, dueAt }: Job) {
  const due = state === "WAITING" ? dueAt.toISOString() : null;
  return [state, kind, subject, step, attempts, requestedAt.toISOString(), requestedBy, due, id];
}

/** What went wrong, and the steps; a step that is not done ends with `…`. */
function below({ lastError }: Job, steps: readonly JobStep[]): string[] {
  const names = steps.map(({ name, finishedAt }) => (finishedAt === null ? `${name} …` : name));
  return [
    ...(lastError === null ? [] : [plain(lastError)]),
    ...(names.length === 0 ? [] : [styleText("dim", plain(names.join(", ")))]),
  ];
}
