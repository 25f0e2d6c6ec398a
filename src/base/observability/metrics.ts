/** Prometheus metrics of this process. Labels never hold ids: their number must stay bounded. */
import { collectDefaultMetrics, Counter, Histogram, Registry } from "prom-client";

export class Metrics {
  readonly #registry = new Registry();
  readonly #operations = new Histogram({
    name: "tenantry_graphql_operation_seconds",
    help: "Time from a GraphQL operation's arrival to its result, in seconds.",
    labelNames: ["kind", "outcome"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.#registry],
  });

  readonly #refusedSignIns = new Counter({
    name: "tenantry_sign_in_refused_total",
    help: "Requests and operations that showed no valid token or key.",
    registers: [this.#registry],
  });

  readonly #borderRows = new Counter({
    name: "tenantry_border_rows_total",
    help: "Rows that crossed between home and the regions through this process.",
    labelNames: ["direction", "way"] as const,
    registers: [this.#registry],
  });

  readonly #borderBytes = new Counter({
    name: "tenantry_border_bytes_total",
    help: "Bytes that crossed between home and the regions through this process.",
    labelNames: ["direction", "way"] as const,
    registers: [this.#registry],
  });

  readonly #borderRefusals = new Counter({
    name: "tenantry_border_refusals_total",
    help: "Attempts that this process refused at the border, by the reason's code.",
    labelNames: ["code"] as const,
    registers: [this.#registry],
  });

  readonly #processFailures = new Counter({
    name: "tenantry_process_failures_total",
    help: "Rejections and exceptions that nobody took, by kind; the log has each. Any one is a fault in the program.",
    labelNames: ["kind"] as const,
    registers: [this.#registry],
  });

  constructor() {
    for (const kind of ["rejection", "exception"] as const) this.#processFailures.inc({ kind }, 0);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** By kind and outcome, of which there are six: looking for the labels' series each time costs more than counting. */
  readonly #series = new Map<string, { observe: (seconds: number) => void }>();

  readonly #borderSeries = new Map<string, Record<"rows" | "bytes", { inc: (by: number) => void }>>();

  /** Counts one operation. `kind` is query, mutation or subscription. */
  operation(kind: string, outcome: "ok" | "error", seconds: number): void {
    const key = `${kind} ${outcome}`;
    const series = this.#series.get(key) ?? this.#operations.labels({ kind, outcome });
    this.#series.set(key, series);
    series.observe(seconds);
  }

  /** Counts a caller who was not signed in. */
  signInRefused(): void {
    this.#refusedSignIns.inc();
  }

  /** Counts rows that crossed the border. By direction and way, of which there are four, for the reason above. */
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

  /** Counts what failed without anybody who hears of it. */
  processFailure(kind: "rejection" | "exception"): void {
    this.#processFailures.inc({ kind });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
