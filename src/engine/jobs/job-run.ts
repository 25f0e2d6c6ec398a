/** One run of a job: names its steps, records them, passes the failpoints, and notes how it ended. */
import { failpoint } from "#base/kernel/failpoints";
import { redactedMessage } from "#base/kernel/redaction";
import { withSpan } from "#base/observability/spans";
import type { Logger } from "#base/observability/logger";
import type { HomeDatabase } from "#base/postgres/database";
import { classifyFailure } from "#engine/jobs/failure";
import type { JobKind, StepOf } from "#engine/jobs/job";

/** A job as its handler sees it. */
export type ClaimedJob<Kind extends JobKind = JobKind> = {
  id: string;
  kind: Kind;
  subject: string;
  placementId: string | null;
  regionId: string | null;
  input: Record<string, unknown>;
  /** What earlier attempts have saved. */
  result: Record<string, unknown> | null;
  attempts: number;
  /** When this run took it, by home's clock, as text: what is asked for later needs another run. */
  claimedAt: string;
  /** The trace of what has asked for it. */
  traceparent: string | null;
  tracestate: string | null;
};

/** Pause before a job that failed runs again; doubles up to the maximum. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 5 * 60_000;

export class JobRun<Kind extends JobKind = JobKind> {
  readonly job: ClaimedJob<Kind>;
  readonly signal: AbortSignal;
  readonly #home: HomeDatabase;
  readonly #logger: Logger;
  #records: Promise<unknown> = Promise.resolve();

  constructor(
    context: { home: HomeDatabase; logger: Logger },
    job: ClaimedJob<Kind>,
    /** Aborted when this process no longer holds the job: nothing more may be done for it. */
    signal: AbortSignal,
  ) {
    this.#home = context.home;
    this.#logger = context.logger;
    this.job = job;
    this.signal = signal;
  }

  /**
   * Runs a step. It must be able to run again after a crash in the middle of it. Its record is written beside it: a
   * crash can lose the record, never the work.
   */
  async step<Result>(name: StepOf<Kind>, work: () => Promise<Result>): Promise<Result> {
    this.signal.throwIfAborted();
    this.#record(
      "jobs.step_start",
      `with step as (
         insert into tenantry.job_steps as s (job_id, name, attempts, started_at) values ($1, $2, 1, now())
         on conflict (job_id, name) do update set attempts = s.attempts + 1, started_at = now(), finished_at = null
       )
       update tenantry.jobs set step = $2 where id = $1`,
      name,
    );
    await failpoint(`${this.job.kind}/${name}/before`);
    const result = await withSpan(`step ${name}`, work);
    await failpoint(`${this.job.kind}/${name}/after`);
    this.#record(
      "jobs.step_end",
      "update tenantry.job_steps set finished_at = now() where job_id = $1 and name = $2",
      name,
    );
    return result;
  }

  /** Adds to the job's result, before a step that would make it impossible to find out again. */
  async save(part: object): Promise<void> {
    this.job.result = { ...this.job.result, ...part };
    await this.#home.query(
      "jobs.save",
      "update tenantry.jobs set result = coalesce(result, '{}') || $2::jsonb where id = $1",
      [this.job.id, JSON.stringify(part)],
    );
  }

  /** Notes that it is done; one that was asked for again meanwhile runs once more, as it may have looked too early. */
  async finish(): Promise<void> {
    await this.#records;
    await failpoint(`${this.job.kind}/finish`);
    await this.#home.query(
      "jobs.finish",
      `update tenantry.jobs set step = null, last_error = null,
         state = case when due_at > $2 then 'WAITING' else 'DONE' end,
         finished_at = case when due_at > $2 then null else now() end
       where id = $1 and state = 'RUNNING'`,
      [this.job.id, this.job.claimedAt],
    );
  }

  /** Notes why it failed, and when it is tried again if that can help. */
  async fail(error: unknown, { retries }: { retries: boolean }): Promise<void> {
    await this.#records;
    const { sentence, retry } = classifyFailure(error);
    const pauseMs = Math.min(RETRY_MS * 2 ** Math.min(this.job.attempts - 1, 20), MAX_RETRY_MS);
    await this.#home.query(
      "jobs.fail",
      `update tenantry.jobs set last_error = $2,
         state = case when $3 or due_at > $5 then 'WAITING' else 'FAILED' end,
         due_at = least(case when due_at > $5 then due_at end, now() + $4 * interval '1 millisecond'),
         finished_at = case when $3 or due_at > $5 then null else now() end
       where id = $1 and state = 'RUNNING'`,
      [this.job.id, sentence, retries && retry, pauseMs, this.job.claimedAt],
    );
  }

  /** In order, beside the work: nobody waits for them but the end. */
  #record(name: string, text: string, step: string): void {
    this.#records = this.#records.then(() =>
      this.#home.query(name, text, [this.job.id, step]).catch((error: unknown) => {
        this.#logger.debug(`the record of a step could not be written: ${redactedMessage(error)}`);
      }),
    );
  }
}
