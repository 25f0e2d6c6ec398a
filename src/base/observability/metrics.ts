/**
 * Prometheus metrics. Counted here is what this process does; what is asked of others when somebody scrapes is filled in by
 * whoever knows it (src/metrics/). Labels never hold ids of organizations or people: their number must stay bounded.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** How an operation ended: without errors, with some, or refused by a limit before anything ran. */
export type OperationOutcome = "ok" | "error" | "refused";

/** Where an operation ended that never ran: at sign-in, among the known operations, as text, or as an operation of the schema. */
export type RefusedStage = "sign_in" | "known_operations" | "parse" | "validate";

/** One metric, as the reference page shows it. */
export type DescribedMetric = { name: string; type: string; help: string; labels: readonly string[] };

type Labels = Record<string, string>;
export type Series = { labels: Labels; value: number };
export type LabelledGauge = { set: (series: readonly Series[]) => void };
/** Values up to each bound, and beyond the last; their sum. */
export type Buckets = { labels: Labels; counts: readonly number[]; sum: number };

/** Names that are not as Prometheus wants them, and say what the metrics of the same name without `_total` add up to. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

export class Metrics {
  readonly #registry = new Registry();
  readonly #fillers: (() => Promise<void> | void)[] = [];
  readonly #operations = new Histogram({
    name: "tenantry_graphql_operation_seconds",
    help: "Time from a GraphQL operation's start to its result, in seconds; of a subscription, to its beginning. Refused ones were kept from running by a limit.",
    labelNames: ["kind", "outcome"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.#registry],
  });

  readonly #refusedOperations = this.#counter(
    "tenantry_graphql_refused_total",
    "GraphQL operations that ended before they ran, by where: at sign-in, among the known operations, in parsing, in validation.",
    "stage",
  );
  readonly #errors = this.#counter("tenantry_graphql_errors_total", "Errors in answers of the API, by code.", "code");
  readonly #limits = this.#counter(
    "tenantry_limit_refusals_total",
    "What a limit has refused or ended, by limit.",
    "limit",
  );
  readonly #refusedSignIns = this.#counter(
    "tenantry_sign_in_refused_total",
    "Requests and operations that showed no valid token or key.",
  );
  readonly #borderRows = this.#counter(
    "tenantry_border_rows_total",
    "Rows that crossed between home and the regions through this process.",
    "direction",
    "way",
  );
  readonly #borderBytes = this.#counter(
    "tenantry_border_bytes_total",
    "Bytes that crossed between home and the regions through this process.",
    "direction",
    "way",
  );
  readonly #borderRefusals = this.#counter(
    "tenantry_border_refusals_total",
    "Attempts that this process refused at the border, by the reason's code.",
    "code",
  );
  readonly #wakes = this.#counter(
    "tenantry_link_wakes_total",
    "Links that this process has woken, by region and direction.",
    "region",
    "direction",
  );
  readonly #reseeds = this.#counter(
    "tenantry_link_reseeds_total",
    "Links whose copy this process has seeded anew to mend them, by region and direction.",
    "region",
    "direction",
  );
  readonly #jobs = this.#counter(
    "tenantry_job_attempts_total",
    "Attempts at jobs that ended in this process, by kind and outcome.",
    "kind",
    "outcome",
  );
  readonly #mails = this.#counter(
    "tenantry_mails_total",
    "Mails that this process has handed over, or could not.",
    "outcome",
  );
  readonly #processFailures = this.#counter(
    "tenantry_process_failures_total",
    "Rejections and exceptions that nobody took, by kind; the log has each. Any one is a fault in the program.",
    "kind",
  );

  readonly #openSubscriptions = this.gauge(
    "tenantry_graphql_subscriptions_open",
    "Subscriptions that are open in this process.",
  );

  constructor() {
    for (const kind of ["rejection", "exception"] as const) this.#processFailures.inc({ kind }, 0);
    for (const outcome of ["sent", "failed"] as const) this.#mails.inc({ outcome }, 0);
    for (const stage of ["sign_in", "known_operations", "parse", "validate"] as const)
      this.#refusedOperations.inc({ stage }, 0);
    this.#errors.inc({ code: "INTERNAL" }, 0);
  }

  /** Adds Node's own figures: memory, garbage collection, the event loop's delay. It watches from now on. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** By labels, of which there are few: looking for the labels' series each time costs more than counting. */
  readonly #series = new Map<string, { observe: (seconds: number) => void }>();

  readonly #borderSeries = new Map<string, Record<"rows" | "bytes", { inc: (by: number) => void }>>();

  /** Counts one operation. `kind` is query, mutation or subscription. */
  operation(kind: string, outcome: OperationOutcome, seconds: number): void {
    const key = `${kind} ${outcome}`;
    const series = this.#series.get(key) ?? this.#operations.labels({ kind, outcome });
    this.#series.set(key, series);
    series.observe(seconds);
  }

  /** Counts an operation that ended before it ran. */
  operationRefused(stage: RefusedStage): void {
    this.#refusedOperations.inc({ stage });
  }

  /** Has `read` say how many subscriptions are open, whenever somebody scrapes. */
  watchSubscriptions(read: () => number): void {
    this.onScrape(() => this.#openSubscriptions.set([{ labels: {}, value: read() }]));
  }

  /** Counts an error that is sent to a caller. */
  errorAnswered(code: string): void {
    this.#errors.inc({ code });
  }

  /** Counts what a limit has refused. */
  limitRefused(limit: string): void {
    this.#limits.inc({ limit });
  }

  /** Counts a caller who was not signed in. */
  signInRefused(): void {
    this.#refusedSignIns.inc();
  }

  /** Counts rows that crossed the border. By direction and way, of which there are six, for the reason above. */
  borderCrossed(direction: string, way: string, rows: number, bytes: number): void {
    const key = `${direction} ${way}`;
    const series = this.#borderSeries.get(key) ?? {
      rows: this.#borderRows.labels({ direction, way }),
      bytes: this.#borderBytes.labels({ direction, way }),
    };
    this.#borderSeries.set(key, series);
    series.rows.inc(rows);
    series.bytes.inc(bytes);
  }

  /** Counts an attempt that was refused at the border. */
  borderRefused(code: string): void {
    this.#borderRefusals.inc({ code });
  }

  /** Has a series for each of these codes from the start: an alert sees a rise, and not the first value of a new series. */
  expectBorderRefusals(codes: readonly string[]): void {
    for (const code of codes) this.#borderRefusals.inc({ code }, 0);
  }

  /** Counts a link that was woken. */
  linkWoken(region: string, direction: string): void {
    this.#wakes.inc({ region, direction });
  }

  /** Counts a link that was seeded anew. */
  linkReseeded(region: string, direction: string): void {
    this.#reseeds.inc({ region, direction });
  }

  /** Counts an attempt at a job. */
  jobAttempted(kind: string, outcome: "done" | "failed"): void {
    this.#jobs.inc({ kind, outcome });
  }

  /** Counts a mail. */
  mailed(outcome: "sent" | "failed"): void {
    this.#mails.inc({ outcome });
  }

  /** Counts what failed without anybody who hears of it. */
  processFailure(kind: "rejection" | "exception"): void {
    this.#processFailures.inc({ kind });
  }

  /** A figure that is filled in when somebody scrapes. Setting it forgets all series that it had. */
  gauge(name: string, help: string, labels: readonly string[] = []): LabelledGauge {
    const gauge = new Gauge({ name, help, labelNames: [...labels], registers: [this.#registry] });
    return {
      set: (series) => {
        gauge.reset();
        for (const { labels: values, value } of series) gauge.set(values, value);
      },
    };
  }

  /** A histogram of what somebody else has counted: `read` gives its series, one count for each bound and one beyond them. */
  histogram(
    name: string,
    help: string,
    labels: readonly string[],
    bounds: readonly number[],
    read: () => Buckets[],
  ): void {
    const get = () =>
      Promise.resolve({
        name,
        help,
        type: "histogram",
        aggregator: "sum",
        values: read().flatMap((one) => valuesOf(name, bounds, one)),
      });
    // Its types know the client's own classes only; what it asks of a metric is this.
    this.#registry.registerMetric({ name, help, type: "histogram", labelNames: labels, get } as never);
  }

  /** Has `fill` run whenever somebody scrapes, before the figures are written. It must not throw. */
  onScrape(fill: () => Promise<void> | void): void {
    this.#fillers.push(fill);
  }

  /** All metrics, by name. */
  describe(): DescribedMetric[] {
    const all = this.#registry.getMetricsAsArray() as unknown as (DescribedMetric & { labelNames?: string[] })[];
    const described = all.map(({ name, type, help, labelNames = [] }) => ({ name, type, help, labels: labelNames }));
    return described.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The metrics in Prometheus' text format. */
  async text(): Promise<string> {
    await Promise.all(this.#fillers.map(async (fill) => fill()));
    return this.#registry.metrics();
  }

  #counter<Name extends string = never>(name: string, help: string, ...labelNames: Name[]): Counter<Name> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}

/** In Prometheus' form: each bound counts what is below it too. */
function valuesOf(name: string, bounds: readonly number[], { labels, counts, sum }: Buckets) {
  let below = 0;
  const buckets = [...bounds.map(String), "+Inf"].map((le, index) => {
    below += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}
