/**
 * One line for each request when it is over: how long it took, what came of it, by whom and where. Never what was asked for
 * or answered: no text, no values, no ids of people, and of an address only which of our own it was.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type DocumentNode, getOperationAST } from "graphql";
import type { Cause, CauseNote } from "#base/kernel/call";
import type { Span, Tracing } from "#base/kernel/span";
import type { Logger } from "#base/observability/logger";
import { startOf } from "#api/http/limits/deadline";
import { requestIdOf } from "#api/http/request-id";

/** Names are as long as their client wants. */
const MAX_NAME_LENGTH = 100;

type Operation = { name: string | undefined; kind: string };

/** What may be told of an operation. A name has letters, digits and `_` only. */
export function operationOf({
  document,
  operationName,
}: {
  document: DocumentNode;
  operationName?: string | null | undefined;
}): Operation {
  const operation = getOperationAST(document, operationName);
  return { name: operation?.name?.value.slice(0, MAX_NAME_LENGTH), kind: operation?.operation ?? "query" };
}

/** What is noted of a request, or of an operation on a web socket, until its line is written. */
export class RequestNote implements CauseNote {
  readonly regions = new Set<string>();
  readonly operations: Operation[] = [];
  code: string | undefined;
  /** Of which kind the caller is; undefined: nobody has signed in. */
  actor: string | undefined;
  /** Events of what was followed. */
  events = 0;

  /** Notes an operation that is about to run. */
  ran(operation: Operation): void {
    this.operations.push(operation);
  }

  /** The part of a line that says what was done and by whom. */
  get fields(): object {
    const { operations, actor, regions, events } = this;
    const [first, ...more] = operations;
    const names = operations.flatMap(({ name }) => name ?? []);
    return {
      ...(names.length > 0 && { operation: names.join(", ") }),
      ...(first !== undefined && { kind: first.kind }),
      ...(more.length > 0 && { operations: operations.length }),
      ...(actor !== undefined && { actor }),
      ...(regions.size > 0 && { regions: [...regions].toSorted() }),
      ...(events > 0 && { events }),
    };
  }
}

/** What a request is for, with what is noted of it. */
export type RequestCause = Cause & { readonly requestId: string; readonly note: RequestNote };

type Watching = { logger: Logger; logRequests: boolean; tracing: Tracing | undefined };

/**
 * Begins to note of a request. Its line is written, and its span ends, when the answer has been sent or its caller has gone. What
 * balancers and Prometheus ask again and again has its line at `debug`, and no span.
 */
export function noteRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { logger, logRequests, tracing }: Watching,
): RequestCause {
  const { method = "GET", headers } = request;
  const { traceparent, tracestate } = headers;
  const route = routeOf(request.url ?? "/");
  const isWatched = route === "health" || route === "metrics";
  const span = isWatched ? undefined : beginRequest(`${method} ${route}`, { traceparent, tracestate }, tracing);
  const requestId = requestIdOf(headers["x-request-id"], traceparent, span);
  const cause: RequestCause = { requestId, note: new RequestNote(), span };
  response.setHeader("x-request-id", requestId);
  const level = isWatched ? "debug" : "info";
  const isLogged = logRequests && logger.isLevelEnabled(level);
  if (!isLogged && span === undefined) return cause;
  response.once("close", () => {
    const { note } = cause;
    span?.set({ "http.request.method": method, "http.response.status_code": response.statusCode });
    endRequest(cause, outcomeOf(response, note));
    if (!isLogged) return;
    logger[level](
      {
        requestId,
        method,
        route,
        status: response.statusCode,
        outcome: outcomeOf(response, note),
        ms: since(startOf(request)),
        ...note.fields,
      },
      "request",
    );
  });
  return cause;
}

/** Begins to note of an operation on a web socket. `extensions` may have `requestId`, `traceparent` and `tracestate`. */
export function noteSocketOperation(
  extensions: Readonly<Record<string, unknown>> | null | undefined,
  { tracing }: Watching,
): RequestCause {
  const { requestId, traceparent, tracestate } = extensions ?? {};
  const span = beginRequest("socket", { traceparent, tracestate }, tracing);
  return { requestId: requestIdOf(requestId, traceparent, span), note: new RequestNote(), span };
}

function beginRequest(
  name: string,
  { traceparent, tracestate }: { traceparent: unknown; tracestate: unknown },
  tracing: Tracing | undefined,
): Span | undefined {
  return tracing?.begin(name, "server", { parent: tracing.read(traceparent, tracestate) });
}

function endRequest({ requestId, note, span }: RequestCause, outcome: string): void {
  span?.set({
    "tenantry.request_id": requestId,
    "tenantry.actor": note.actor,
    "tenantry.outcome": outcome,
    "tenantry.regions": note.regions.size > 0 ? [...note.regions].toSorted() : undefined,
  });
  span?.end(outcome === "OK" ? undefined : outcome);
}

/** An operation on a web socket is over. A subscription's line has how long it was followed. */
export function endSocketOperation(
  { cause, startedAt }: { cause: RequestCause; startedAt: number },
  { logger, logRequests }: Watching,
): void {
  const { requestId, note } = cause;
  const outcome = note.code ?? "OK";
  endRequest(cause, outcome);
  if (!logRequests || !logger.isLevelEnabled("info")) return;
  logger.info({ requestId, route: "socket", outcome, ms: since(startedAt), ...note.fields }, "request");
}

/** Which of our own addresses it was. What else a caller writes there could be anything, a secret too. */
function routeOf(url: string): string {
  const [path = ""] = url.split("?", 1);
  if (path === "/graphql" || path === "/") return "graphql";
  if (path.startsWith("/health/")) return "health";
  if (path === "/metrics") return "metrics";
  return path.startsWith("/explorer/") ? "explorer" : "other";
}

/** `OK`, the code of the first error, `GONE` where the caller did not wait for the answer, or `REFUSED`. */
function outcomeOf(response: ServerResponse, { code, operations }: RequestNote): string {
  if (code !== undefined) return code;
  // Whoever follows something ends it by going.
  if (!response.writableFinished && operations[0]?.kind !== "subscription") return "GONE";
  return response.statusCode >= 400 ? "REFUSED" : "OK";
}

function since(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 10) / 10;
}
