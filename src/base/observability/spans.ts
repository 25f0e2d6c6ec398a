/** Spans around work. Without a trace they cost a look at what the work is for. */
import { becauseOf, currentCause } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import type { Span, SpanAttributes, SpanKind, TraceContext } from "#base/kernel/span";

/** Runs `work` as a part of the trace that the running code is in, if there is one. */
export function withSpan<Result>(
  name: string,
  work: () => Promise<Result>,
  { kind = "internal", attributes }: { kind?: SpanKind; attributes?: SpanAttributes } = {},
): Promise<Result> {
  const parent = currentCause()?.span;
  return parent === undefined ? work() : inSpan(parent.child(name, kind, attributes), work);
}

/** Runs `work` in a span that was just begun, and ends it. */
export async function inSpan<Result>(span: Span, work: () => Promise<Result>): Promise<Result> {
  try {
    const result = await becauseOf({ ...currentCause(), span }, work);
    span.end();
    return result;
  } catch (error) {
    span.end(errorTypeOf(error));
    throw error;
  }
}

/** For what goes on elsewhere: undefined where there is no trace. */
export function currentTrace(): TraceContext | undefined {
  return currentCause()?.span?.context;
}

/** The same as headers of a request. */
export function traceHeaders(): Record<string, string> {
  const { traceparent, tracestate } = currentTrace() ?? {};
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}

/** A code of ours, of PostgreSQL or of the system; else of which class it is. Never its message, which may hold anything. */
export function errorTypeOf(error: unknown): string {
  if (error instanceof TenantryError) return error.code;
  if (!(error instanceof Error)) return "unknown";
  const code = "code" in error ? String(error.code) : "";
  return /^\w{1,40}$/.test(code) ? code : error.name.slice(0, 40);
}
