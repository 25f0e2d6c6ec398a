/** The id of a request: in its log lines, in the answer's header and in its errors. */
import { randomUUID } from "node:crypto";
import type { Span } from "#base/kernel/span";
import { partsOf } from "#base/observability/trace-context";

/** What stands in a log for good must not be long, nor able to hold an e-mail address or to break a line. */
const WELL_FORMED = /^[A-Za-z0-9._:-]{1,128}$/;

/** The one that came in, else that of the trace. Made where there is neither, or none that is well-formed. */
export function requestIdOf(given: unknown, traceparent: unknown, span: Span | undefined): string {
  if (typeof given === "string" && WELL_FORMED.test(given)) return given;
  return (partsOf(traceparent) ?? partsOf(span?.context.traceparent))?.traceId ?? randomUUID();
}
