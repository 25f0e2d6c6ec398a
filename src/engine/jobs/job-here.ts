/** Jobs that a command runs itself, such as a fleet migration: recorded like the others, run by whoever asked. */
import { newId } from "#base/kernel/ids";
import { TenantryError } from "#base/kernel/errors";
import { type CallerKind, type JobRequest, REQUEST_COLUMNS, requestValues } from "#engine/jobs/job";
import { LOCK_CLASS, tryLock, unlock } from "#base/postgres/session-lock";
import { whileHeld } from "#base/postgres/held-session";
import { JobRun } from "#engine/jobs/job-run";
import type { Services } from "#engine/services";

/**
 * Runs a job in this process and returns what `work` returns. CONFLICT when one on the same subject runs. When the
 * process ends in the middle, the record says so; running the command again goes on.
 */
export async function runHere<Kind extends CallerKind, Result>(
  services: Pick<Services, "home" | "logger">,
  requestedBy: string,
  request: JobRequest & { kind: Kind },
  work: (run: JobRun<Kind>) => Promise<Result>,
): Promise<Result> {
  return whileHeld(services.home, async (session, { signal }) => {
    if (!(await tryLock(session, LOCK_CLASS.jobSubject, request.subject)))
      throw new TenantryError("CONFLICT", `Another job on ${request.subject} is running: see tenantry jobs.`);
    const id = newId();
    await session.query(
      "jobs.interrupted",
      `update tenantry.jobs set state = 'FAILED', finished_at = now(),
         last_error = 'The process that ran it ended before it was done.'
       where kind = $1 and subject = $2 and state in ('WAITING', 'RUNNING')`,
      [request.kind, request.subject],
    );
    const [started] = await session.query<{ at: string }>(
      "jobs.start_here",
      `insert into tenantry.jobs (${REQUEST_COLUMNS}, state, attempts, started_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'RUNNING', 1, now())
       returning now()::text as at`,
      requestValues(id, requestedBy, request),
    );
    const run = new JobRun<Kind>(
      services,
      {
        id,
        kind: request.kind,
        subject: request.subject,
        placementId: request.placementId ?? null,
        regionId: request.regionId ?? null,
        input: { ...request.input },
        result: null,
        attempts: 1,
        traceparent: null,
        tracestate: null,
        claimedAt: started?.at ?? "infinity",
      },
      signal,
    );
    try {
      const result = await work(run);
      await run.finish();
      return result;
    } catch (error) {
      await run.fail(error, { retries: false });
      throw error;
    } finally {
      await unlock(session, LOCK_CLASS.jobSubject, request.subject);
    }
  });
}
