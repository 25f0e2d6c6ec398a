/** Traces as all layers see them. What makes them is base/observability/otel.ts, which nobody loads while they are off. */

export type SpanKind = "server" | "client" | "consumer" | "internal";

/** Names and numbers. Never what a person wrote, nor the text or the values of a statement. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | string[] | undefined>>;

/** A place in a trace as W3C writes it: https://www.w3.org/TR/trace-context/ */
export type TraceContext = { readonly traceparent: string; readonly tracestate?: string | undefined };

/** A part of a trace, from when it begins until it ends. */
export type Span = {
  /** Where it is, for what goes on elsewhere. */
  readonly context: TraceContext;
  /** Begins a part of it. */
  child: (name: string, kind: SpanKind, attributes?: SpanAttributes) => Span;
  set: (attributes: SpanAttributes) => void;
  /** `error`: the code of what went wrong. */
  end: (error?: string) => void;
};

/** Begins traces, and goes on with those that came in. */
export type Tracing = {
  begin: (
    name: string,
    kind: SpanKind,
    options: {
      /** Of which it is a part; undefined: a trace begins with it. */
      parent?: TraceContext | undefined;
      /** Other traces that it works for. */
      links?: readonly TraceContext[];
      attributes?: SpanAttributes;
    },
  ) => Span;
  /** What a caller sent, where that is well-formed and is to be taken up. */
  read: (traceparent: unknown, tracestate: unknown) => TraceContext | undefined;
  /** Sends what is left, within a bound. */
  shutdown: () => Promise<void>;
};
