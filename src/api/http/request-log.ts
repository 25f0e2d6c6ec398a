/**
 * One line for each request when it is over: how long it took, what came of it, by whom and where. Never what was asked for
 * or answered: no text, no values, no ids of people, and of an address only which of our own it was.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type DocumentNode, getOperationAST } from "graphql";
import type { Cause, CauseNote } from "#base/kernel/call";
import type { Logger } from "#base/observability/logger";
import { startOf } from "#api/http/limits/deadline";
import { requestIdOf } from "#api/http/request-id";

/** Names are as long as their client wants. */
const MAX_NAME_LENGTH = 100;

type Operation = { name: string | undefined; kind: string };

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
  ran(document: DocumentNode, operationName: string | null | undefined): void {
    const operation = getOperationAST(document, operationName);
    if (operation == null) return;
    this.operations.push({ name: operation.name?.value.slice(0, MAX_NAME_LENGTH), kind: operation.operation });
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

/**
 * Begins to note of a request. Its line is written when the answer has been sent, or its caller has gone; what balancers and
 * Prometheus ask again and again is at `debug`.
 */
export function noteRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { logger, logRequests }: { logger: Logger; logRequests: boolean },
): RequestCause {
  const cause: RequestCause = { requestId: requestIdOf(request.headers), note: new RequestNote() };
  response.setHeader("x-request-id", cause.requestId);
  const route = routeOf(request.url ?? "/");
  const level = route === "health" || route === "metrics" ? "debug" : "info";
  if (!logRequests || !logger.isLevelEnabled(level)) return cause;
  const { method } = request;
  response.once("close", () => {
    const { requestId, note } = cause;
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

/** The line of an operation on a web socket that is over. A subscription's has how long it was followed. */
export function logSocketOperation(
  { cause: { requestId, note }, startedAt }: { cause: RequestCause; startedAt: number },
  { logger, logRequests }: { logger: Logger; logRequests: boolean },
): void {
  if (!logRequests || !logger.isLevelEnabled("info")) return;
  const outcome = note.code ?? "OK";
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
