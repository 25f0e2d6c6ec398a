/**
 * Traces by OpenTelemetry. Nobody loads this file while traces are off: the packages take 26 MB of memory, and some tenths of a
 * second to load.
 *
 * Each region may have a collector of its own, which alone gets the spans about statements on the region's servers. What is known
 * of an organization's content there is how much of it was read when, and such knowledge stays where the content is.
 */
import * as api from "@opentelemetry/api";
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Span, SpanAttributes, SpanKind, TraceContext, Tracing } from "#base/kernel/span";
import { endsWithin } from "#base/kernel/wait";
import type { Logger } from "#base/observability/logger";
import { partsOf, readTraceContext, traceparentOf } from "#base/observability/trace-context";

/** What stands in spans of statements: the key of the region on whose server it ran. */
const REGION_ATTRIBUTE = "tenantry.region";

/** When the process stops, what is left has this long to be sent. */
const SHUTDOWN_MS = 5_000;
const MAX_ATTRIBUTE_LENGTH = 300;

export type TracingSettings = {
  protocol: "http/protobuf" | "http/json";
  /** Whether spans go to the collector that the OTEL_EXPORTER_OTLP_* variables name; else only those of regions with their own are kept. */
  home: boolean;
  /** By the region's key. */
  regions: ReadonlyMap<string, { url: string; headers: Readonly<Record<string, string>> }>;
  /** As OTEL_TRACES_SAMPLER has it. */
  sampler: string;
  /** The part of the traces that is kept, from 0 to 1. */
  ratio: number;
  /** Whether what callers send of their trace is taken up. */
  propagates: boolean;
  /** How long an attempt to send may take, with all that is tried again, in milliseconds. */
  timeoutMs: number;
  /** How long spans wait to be sent together, in milliseconds. */
  delayMs: number;
  /** Spans that wait for a collector at most. */
  maxQueueSize: number;
  /** Runs `work` while the variables of the home's collector are hidden from the exporter, as they hold its credentials. */
  hidingCollector: <Result>(work: () => Result) => Result;
};

/** Starts making spans and sending them. */
export async function startTracing(settings: TracingSettings, logger: Logger): Promise<Tracing> {
  const { protocol, home, regions, timeoutMs: timeoutMillis, delayMs, maxQueueSize, hidingCollector } = settings;
  const { OTLPTraceExporter: Exporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  const processorOf = (exporter: SpanExporter, collector: string) =>
    new BatchSpanProcessor({
      exporter: reporting(exporter, collector, logger),
      scheduledDelayMillis: delayMs,
      maxQueueSize,
      maxExportBatchSize: Math.min(512, maxQueueSize),
    });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "tenantry" })
      .merge(detectResources({ detectors: [serviceInstanceIdDetector] }))
      .merge(detectResources({ detectors: [resourceAttributesEnvDetector] }))
      // What names the service counts for more than what says anything of it.
      .merge(detectResources({ detectors: [serviceNameEnvDetector] })),
    sampler: samplerOf(settings),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
    spanProcessors: [
      new ByRegion(
        home ? processorOf(new Exporter({ timeoutMillis }), "home") : undefined,
        new Map(
          [...regions].map(([key, { url, headers }]) => [
            key,
            processorOf(
              hidingCollector(
                () => new Exporter({ url: `${url.replace(/\/$/, "")}/v1/traces`, headers, timeoutMillis }),
              ),
              key,
            ),
          ]),
        ),
      ),
    ],
  });
  const tracer = provider.getTracer("tenantry");
  return {
    begin: (name, kind, { parent, links = [], attributes = {} }) => {
      const context =
        parent === undefined ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, spanContextOf(parent));
      return spanOf(
        tracer.startSpan(
          name,
          { kind: KINDS[kind], links: links.map((link) => ({ context: spanContextOf(link) })), attributes },
          context,
        ),
        tracer,
      );
    },
    read: (traceparent, tracestate) => (settings.propagates ? readTraceContext(traceparent, tracestate) : undefined),
    shutdown: async () => {
      const isSent = await endsWithin(provider.shutdown(), SHUTDOWN_MS);
      if (!isSent) logger.warn("some spans were not sent before the process stopped");
    },
  };
}

const KINDS = {
  server: api.SpanKind.SERVER,
  client: api.SpanKind.CLIENT,
  consumer: api.SpanKind.CONSUMER,
  internal: api.SpanKind.INTERNAL,
} as const satisfies Record<SpanKind, api.SpanKind>;

function spanContextOf({ traceparent, tracestate }: TraceContext): api.SpanContext {
  const parts = partsOf(traceparent);
  if (parts === undefined) return api.INVALID_SPAN_CONTEXT;
  const { traceId, spanId, flags } = parts;
  const context = { traceId, spanId, traceFlags: flags, isRemote: true };
  return tracestate === undefined ? context : { ...context, traceState: new PassedOn(tracestate) };
}

/** Another program's, of which nothing is read: it is passed on as it came. */
class PassedOn implements api.TraceState {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get(): undefined {
    return undefined;
  }

  set(): this {
    return this;
  }

  unset(): this {
    return this;
  }

  serialize(): string {
    return this.#text;
  }
}

function contextOf(span: api.Span): TraceContext {
  const { traceId, spanId, traceFlags: flags, traceState } = span.spanContext();
  const tracestate = traceState?.serialize();
  return {
    traceparent: traceparentOf({ traceId, spanId, flags }),
    ...(tracestate !== undefined && tracestate !== "" && { tracestate }),
  };
}

function spanOf(span: api.Span, tracer: api.Tracer): Span {
  return span.isRecording() ? new Recorded(span, tracer) : new Unsampled(contextOf(span));
}

class Recorded implements Span {
  readonly #span: api.Span;
  readonly #tracer: api.Tracer;

  constructor(span: api.Span, tracer: api.Tracer) {
    this.#span = span;
    this.#tracer = tracer;
  }

  get context(): TraceContext {
    return contextOf(this.#span);
  }

  child(name: string, kind: SpanKind, attributes: SpanAttributes = {}): Span {
    const context = api.trace.setSpan(api.ROOT_CONTEXT, this.#span);
    return new Recorded(this.#tracer.startSpan(name, { kind: KINDS[kind], attributes }, context), this.#tracer);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  end(error?: string): void {
    if (error !== undefined) {
      this.#span.setAttribute("error.type", error);
      this.#span.setStatus({ code: api.SpanStatusCode.ERROR });
    }
    this.#span.end();
  }
}

/** Of a trace that is not kept: only says so to what goes on elsewhere. */
class Unsampled implements Span {
  readonly context: TraceContext;

  constructor(context: TraceContext) {
    this.context = context;
  }

  child(): Span {
    return this;
  }

  set(): void {}

  end(): void {}
}

function samplerOf({ sampler, ratio }: Pick<TracingSettings, "sampler" | "ratio">): Sampler {
  const name = sampler.replace(/^parentbased_/, "");
  const root =
    name === "always_off"
      ? new AlwaysOffSampler()
      : name === "traceidratio"
        ? new TraceIdRatioBasedSampler(ratio)
        : new AlwaysOnSampler();
  return name === sampler ? root : new ParentBasedSampler({ root });
}

/** Sends spans about statements on a region's servers to the region's collector, where it has one, and all others to home's. */
class ByRegion implements SpanProcessor {
  readonly #home: SpanProcessor | undefined;
  readonly #regions: ReadonlyMap<string, SpanProcessor>;

  constructor(home: SpanProcessor | undefined, regions: ReadonlyMap<string, SpanProcessor>) {
    this.#home = home;
    this.#regions = regions;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    const region = span.attributes[REGION_ATTRIBUTE];
    const isStatement = span.kind === api.SpanKind.CLIENT && typeof region === "string";
    const own = isStatement ? this.#regions.get(region) : undefined;
    (own ?? this.#home)?.onEnd(span);
  }

  async forceFlush(): Promise<void> {
    await Promise.allSettled(this.#all.map((one) => one.forceFlush()));
  }

  async shutdown(): Promise<void> {
    await Promise.allSettled(this.#all.map((one) => one.shutdown()));
  }

  get #all(): SpanProcessor[] {
    return [...(this.#home === undefined ? [] : [this.#home]), ...this.#regions.values()];
  }
}

/** Says once that a collector takes nothing, and once that it does again. */
function reporting(exporter: SpanExporter, collector: string, logger: Logger): SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const isSent = result.error === undefined;
        if (!isSent && !isFailing)
          logger.warn({ err: result.error, collector }, "a collector of traces does not take spans; they are dropped");
        if (isSent && isFailing) logger.info({ collector }, "a collector of traces takes spans again");
        isFailing = !isSent;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
