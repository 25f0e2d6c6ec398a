/**
 * Counts in memory what crossed the border and what was refused, and writes it to home every few seconds: one statement,
 * however many links there are. Several processes add to the same sums.
 */
import { type Crossing, type CrossingSum, CrossingSums } from "#engine/border/ledger/crossings";
import { type Refusal, RefusalBook, type RefusalEntry, toRow } from "#engine/border/ledger/refusals";
import { delay } from "#base/kernel/wait";
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";
import type { HomeDatabase } from "#base/postgres/database";

const FLUSH_INTERVAL_MS = 5_000;
/** At the end of the process home has this long to take the last sums. */
const CLOSE_TIMEOUT_MS = 5_000;

type Taken = { sums: CrossingSum[]; refusals: RefusalEntry[] };

export type BorderLedgerOptions = {
  home: HomeDatabase;
  logger: Pick<Logger, "info" | "warn" | "error">;
  /** Left out: nobody asks this process for metrics. */
  metrics?: Pick<Metrics, "borderCrossed" | "borderRefused"> | undefined;
  flushIntervalMs?: number;
  closeTimeoutMs?: number;
};

export class BorderLedger {
  readonly #options: BorderLedgerOptions;
  readonly #sums = new CrossingSums();
  readonly #refusals = new RefusalBook();
  readonly #timer: NodeJS.Timeout;
  /** Ends with the flush under way; never rejects. */
  #flushing: Promise<unknown> = Promise.resolve();
  #isBusy = false;
  #isFailing = false;
  #isFull = false;

  constructor(options: BorderLedgerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#flushWhenDue(), options.flushIntervalMs ?? FLUSH_INTERVAL_MS).unref();
  }

  /** Counts rows that crossed, and their bytes. Costs no statement and no wait. RangeError on a count or a link that cannot be. */
  crossed(crossing: Crossing, rows: number, bytes: number): void {
    const isCounted = this.#sums.add(crossing, rows, bytes, Date.now());
    this.#options.metrics?.borderCrossed(crossing.direction, crossing.way, rows, bytes);
    if (!isCounted && !this.#isFull)
      this.#options.logger.error(
        {},
        "the border's ledger is full as home takes no sums: what crosses now is not in it",
      );
    this.#isFull = !isCounted;
  }

  /** Counts an attempt that was refused. The first of its kind from its address is in the log too. */
  refused(refusal: Refusal): void {
    const first = this.#refusals.add(refusal, Date.now());
    this.#options.metrics?.borderRefused(refusal.code);
    if (first === undefined) return;
    const { sentence, address, databaseId, direction, user, code } = first;
    this.#options.logger.warn({ address, databaseId, direction, user, code }, `refused at the border: ${sentence}`);
  }

  /**
   * Writes what was counted before the call. Throws the driver's errors; what could not be written is kept, and written
   * later. When the connection breaks between the commit and its answer, that flush is counted twice: the ledger may say too
   * much, never too little.
   */
  flush(): Promise<void> {
    return this.#flush(false);
  }

  /** Writes the rest, and stops writing. What home does not take in time is said in the log, and lost. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const stop = new AbortController();
    const { logger, closeTimeoutMs = CLOSE_TIMEOUT_MS } = this.#options;
    const late = delay(closeTimeoutMs, stop.signal).then(() => {
      throw new Error("home did not answer in time");
    });
    try {
      await Promise.race([this.#flush(true), late]);
    } catch (error) {
      logger.error({ err: error }, "the last sums of the border's ledger could not be written, and are lost");
    } finally {
      stop.abort();
    }
  }

  #flushWhenDue(): void {
    if (this.#isBusy || (this.#sums.isEmpty && !this.#refusals.hasDue(Date.now()))) return;
    const { logger } = this.#options;
    this.#flush(false).then(
      () => {
        if (this.#isFailing) logger.info({}, "the border's ledger is written again");
        this.#isFailing = false;
      },
      (error: unknown) => {
        if (!this.#isFailing) logger.warn({ err: error }, "the border's ledger cannot be written; it is tried again");
        this.#isFailing = true;
      },
    );
  }

  /** One at a time: what is taken while another one is written goes with the next. */
  #flush(all: boolean): Promise<void> {
    const flush = this.#flushing.then(() => this.#write(all));
    this.#flushing = flush.catch(() => undefined);
    return flush;
  }

  async #write(all: boolean): Promise<void> {
    const taken = { sums: this.#sums.take(), refusals: this.#refusals.take(Date.now(), all) };
    if (taken.sums.length + taken.refusals.length === 0) return;
    this.#isBusy = true;
    try {
      await writeLedger(this.#options.home, taken);
    } catch (error) {
      this.#sums.giveBack(taken.sums);
      this.#refusals.giveBack(taken.refusals);
      throw error;
    } finally {
      this.#isBusy = false;
    }
  }
}

/** Adds the sums to those of the day. Sorted, so that two processes that add at the same time cannot wait for each other. */
async function writeLedger(home: HomeDatabase, { sums, refusals }: Taken): Promise<void> {
  await home.query(
    "border.flush",
    `with crossed as (
       insert into tenantry.border_days as d
         (day, database_id, direction, table_name, way, region_id, region_key, to_region_id, to_region_key,
          rows, bytes, first_at, last_at)
       select date '1970-01-01' + s.day, s."databaseId", s.direction, s."table", s.way, s."regionId", s."regionKey",
              s."toRegionId", s."toRegionKey",
              s.rows, s.bytes, to_timestamp(s."firstAt" / 1000), to_timestamp(s."lastAt" / 1000)
       from json_to_recordset($1::json) as s (day int, "databaseId" int, direction text, "table" text, way text,
         "regionId" uuid, "regionKey" text, "toRegionId" uuid, "toRegionKey" text, rows bigint, bytes bigint, "firstAt" float8, "lastAt" float8)
       order by s.day, s."databaseId", s.direction, s."table", s.way, s."toRegionKey"
       on conflict (day, database_id, direction, table_name, way, to_region_key) do update
       set rows = d.rows + excluded.rows, bytes = d.bytes + excluded.bytes,
           first_at = least(d.first_at, excluded.first_at), last_at = greatest(d.last_at, excluded.last_at)
     )
     insert into tenantry.border_refusals
       (id, first_at, last_at, attempts, address, database_id, direction, user_name, code, sentence)
     select r.id, to_timestamp(r."firstAt" / 1000), to_timestamp(r."lastAt" / 1000), r.attempts, r.address::inet,
            r."databaseId", r.direction, r."user", r.code, r.sentence
     from json_to_recordset($2::json) as r (id uuid, "firstAt" float8, "lastAt" float8, attempts int, address text,
       "databaseId" int, direction text, "user" text, code text, sentence text)`,
    [JSON.stringify(sums.map(toSumRow)), JSON.stringify(refusals.map(toRow))],
  );
}

function toSumRow({ to, ...sum }: CrossingSum): object {
  return { ...sum, toRegionId: to?.id ?? null, toRegionKey: to?.key ?? "" };
}
