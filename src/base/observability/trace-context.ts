/** Reads what callers send of a trace: https://www.w3.org/TR/trace-context/ */
import type { TraceContext } from "#base/kernel/span";

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** What each program has to pass on at least. */
const MAX_TRACESTATE_LENGTH = 512;
const MAX_TRACEPARENT_LENGTH = 200;

export type TraceParts = { traceId: string; spanId: string; flags: number };

/** Undefined for what is not well-formed. */
export function partsOf(traceparent: unknown): TraceParts | undefined {
  if (typeof traceparent !== "string" || traceparent.length > MAX_TRACEPARENT_LENGTH) return undefined;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** In the form of version 00. */
export function traceparentOf({ traceId, spanId, flags }: TraceParts): string {
  return `00-${traceId}-${spanId}-${(flags & 1).toString().padStart(2, "0")}`;
}

/** Undefined where it is not well-formed; a `tracestate` that is not is left out. */
export function readTraceContext(traceparent: unknown, tracestate: unknown): TraceContext | undefined {
  const parts = partsOf(traceparent);
  if (parts === undefined) return undefined;
  const isState =
    typeof tracestate === "string" && tracestate.length <= MAX_TRACESTATE_LENGTH && /^[ -~]+$/.test(tracestate);
  return { traceparent: traceparentOf(parts), ...(isState && { tracestate }) };
}
