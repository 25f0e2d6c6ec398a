/** The job queue at home: operations run as keyed jobs, one at a time per subject, again after a failure. */
import { Logger as GraphileLogger, type Runner, run, runMigrations, type TaskList } from "graphile-worker";
import { z } from "zod";
import type { Queryable } from "#postgres/database";
import { redactedMessage } from "#kernel/redaction";
import type { Services } from "#operations/services";
import { provisionPlacement } from "#operations/provision-placement";

const CONCURRENT_JOBS = 4;
/** When a notification is missed, a waiting job is found after this long. */
const POLL_INTERVAL_MS = 2_000;

const placementPayload = z.object({ placementId: z.uuid() });

/** Each kind of job by name, with what runs it. */
const HANDLERS = {
  "provision-placement": async (services: Services, payload: unknown) => {
    const { placementId } = placementPayload.parse(payload);
    await provisionPlacement(services, placementId);
  },
} satisfies Record<string, (services: Services, payload: unknown) => Promise<void>>;

/** Makes or updates the queue's tables. Before {@link enqueue} is called. */
export async function prepareJobQueue(services: Services): Promise<void> {
  await runMigrations({ pgPool: services.home.pool, logger: quietLogger(services) });
}

/**
 * Adds a job in the caller's transaction. `subject` is its key and its queue: a waiting job of the same subject is
 * replaced, and two never run at once.
 */
export async function enqueue(
  home: Queryable<"home">,
  job: keyof typeof HANDLERS,
  subject: string,
  payload: object,
): Promise<void> {
  await home.query(
    "jobs.add",
    "select from graphile_worker.add_job($1, payload := $2::json, queue_name := $3, job_key := $3)",
    [job, JSON.stringify(payload), `${job}:${subject}`],
  );
}

/** Starts working on jobs in this process; `stop` lets the running ones finish. */
export async function startJobRunner(services: Services): Promise<Runner> {
  const tasks: TaskList = Object.fromEntries(
    Object.entries(HANDLERS).map(([name, handle]) => [
      name,
      async (payload: unknown) => {
        try {
          await handle(services, payload);
        } catch (error) {
          services.logger.warn({ err: error, job: name }, "a job failed and will be tried again");
          // The queue stores the message: no secret may be in it.
          // oxlint-disable-next-line preserve-caught-error -- a cause would be stored with what it holds
          throw new Error(redactedMessage(error));
        }
      },
    ]),
  );
  return run({
    pgPool: services.home.pool,
    concurrency: CONCURRENT_JOBS,
    pollInterval: POLL_INTERVAL_MS,
    noHandleSignals: true,
    taskList: tasks,
    logger: quietLogger(services),
  });
}

/** The queue's own messages, in our log; its chatter about single jobs only when debugging. */
function quietLogger(services: Services): GraphileLogger {
  return new GraphileLogger(() => (level, message) => {
    if (level === "error") services.logger.error(`job queue: ${message}`);
    else if (level === "warning") services.logger.warn(`job queue: ${message}`);
    else services.logger.debug(`job queue: ${message}`);
  });
}
