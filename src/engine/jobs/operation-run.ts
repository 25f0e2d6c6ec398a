/** One run of an operation: names its steps, records them, passes the failpoints, and notes how it ended. */
import { failpoint } from "#base/kernel/failpoints";
import { redactedMessage } from "#base/kernel/redaction";
import type { Logger } from "#base/observability/logger";
import type { HomeDatabase } from "#base/postgres/database";
import { classifyFailure } from "#engine/jobs/failure";
import type { OperationKind, StepOf } from "#engine/jobs/operation";

/** An operation as its handler sees it. */
export type ClaimedOperation<Kind extends OperationKind = OperationKind> = {
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
};

/** Pause before an operation that failed runs again; doubles up to the maximum. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 5 * 60_000;

export class OperationRun<Kind extends OperationKind = OperationKind> {
  readonly operation: ClaimedOperation<Kind>;
  readonly signal: AbortSignal;
  readonly #home: HomeDatabase;
  readonly #logger: Logger;
  #records: Promise<unknown> = Promise.resolve();

  constructor(
    context: { home: HomeDatabase; logger: Logger },
    operation: ClaimedOperation<Kind>,
    /** Aborted when this process no longer holds the operation: nothing more may be done for it. */
    signal: AbortSignal,
  ) {
    this.#home = context.home;
    this.#logger = context.logger;
    this.operation = operation;
    this.signal = signal;
  }

  /**
   * Runs a step. It must be able to run again after a crash in the middle of it. Its record is written beside it: a
   * crash can lose the record, never the work.
   */
  async step<Result>(name: StepOf<Kind>, work: () => Promise<Result>): Promise<Result> {
    this.signal.throwIfAborted();
    this.#record(
      "operations.step_start",
      `with step as (
         insert into tenantry.operation_steps as s (operation_id, name, attempts, started_at) values ($1, $2, 1, now())
         on conflict (operation_id, name) do update set attempts = s.attempts + 1, started_at = now(), finished_at = null
       )
       update tenantry.operations set step = $2 where id = $1`,
      name,
    );
    await failpoint(`${this.operation.kind}/${name}/before`);
    const result = await work();
    await failpoint(`${this.operation.kind}/${name}/after`);
    this.#record(
      "operations.step_end",
      "update tenantry.operation_steps set finished_at = now() where operation_id = $1 and name = $2",
      name,
    );
    return result;
  }

  /** Adds to the operation's result, before a step that would make it impossible to find out again. */
  async save(part: object): Promise<void> {
    this.operation.result = { ...this.operation.result, ...part };
    await this.#home.query(
      "operations.save",
      "update tenantry.operations set result = coalesce(result, '{}') || $2::jsonb where id = $1",
      [this.operation.id, JSON.stringify(part)],
    );
  }

  /** Notes that it is done; one that was asked for again meanwhile runs once more, as it may have looked too early. */
  async finish(): Promise<void> {
    await this.#records;
    await failpoint(`${this.operation.kind}/finish`);
    await this.#home.query(
      "operations.finish",
      `update tenantry.operations set step = null, last_error = null,
         state = case when due_at > $2 then 'WAITING' else 'DONE' end,
         finished_at = case when due_at > $2 then null else now() end
       where id = $1 and state = 'RUNNING'`,
      [this.operation.id, this.operation.claimedAt],
    );
  }

  /** Notes why it failed, and when it is tried again if that can help. */
  async fail(error: unknown, { retries }: { retries: boolean }): Promise<void> {
    await this.#records;
    const { sentence, retry } = classifyFailure(error);
    const pauseMs = Math.min(RETRY_MS * 2 ** Math.min(this.operation.attempts - 1, 20), MAX_RETRY_MS);
    await this.#home.query(
      "operations.fail",
      `update tenantry.operations set last_error = $2,
         state = case when $3 or due_at > $5 then 'WAITING' else 'FAILED' end,
         due_at = least(case when due_at > $5 then due_at end, now() + $4 * interval '1 millisecond'),
         finished_at = case when $3 or due_at > $5 then null else now() end
       where id = $1 and state = 'RUNNING'`,
      [this.operation.id, sentence, retries && retry, pauseMs, this.operation.claimedAt],
    );
  }

  /** In order, beside the work: nobody waits for them but the end. */
  #record(name: string, text: string, step: string): void {
    this.#records = this.#records.then(() =>
      this.#home.query(name, text, [this.operation.id, step]).catch((error: unknown) => {
        this.#logger.debug(`the record of a step could not be written: ${redactedMessage(error)}`);
      }),
    );
  }
}
