/** The id of a request: in its log lines, in the answer's header and in its errors. */
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** What stands in a log for good must not be long, nor able to hold an e-mail address or to break a line. */
const WELL_FORMED = /^[A-Za-z0-9._:-]{1,128}$/;
/** https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

/** The one that came in: of `x-request-id`, else that of the trace. Made where neither is well-formed. */
export function requestIdOf({ "x-request-id": id, traceparent }: IncomingHttpHeaders): string {
  return chosenOf(id, traceparent);
}

/** The same of an operation on a web socket, whose `extensions` may have `requestId` or `traceparent`. */
export function socketRequestIdOf(extensions: Readonly<Record<string, unknown>> | null | undefined): string {
  return chosenOf(extensions?.["requestId"], extensions?.["traceparent"]);
}

function chosenOf(given: unknown, traceparent: unknown): string {
  if (typeof given === "string" && WELL_FORMED.test(given)) return given;
  const trace = typeof traceparent === "string" ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
  return trace ?? randomUUID();
}
