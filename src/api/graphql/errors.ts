/** What clients see of an error: our own errors as they are, the rest masked as INTERNAL. */
import { GraphQLError, type GraphQLErrorExtensions } from "graphql";
import { BoundedMap } from "#base/kernel/bounded-map";
import { currentCause } from "#base/kernel/call";
import { type ErrorCode, isErrorCode, TenantryError } from "#base/kernel/errors";
import { explainToCaller } from "#engine/failures/explain";
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";

/** Who hears of errors: the log of what is hidden, the metrics of every code and every limit. */
type Hearers = { logger: Logger; metrics: Pick<Metrics, "errorAnswered" | "limitRefused"> };

const MASKED_MESSAGE = "Something went wrong on our side.";
/** What an error repeats of what was sent may be as long as that. The reason stands at its end. */
const MAX_MESSAGE_LENGTH = 1_000;
/** More errors of one answer are counted only. */
const MAX_ERRORS = 100;

/** Makes the errors of one answer as they are sent: each has its code, and neither they nor their number are unbounded. */
export function toClientErrors(errors: readonly GraphQLError[], hearers: Hearers): GraphQLError[] {
  const shown = errors
    .slice(0, MAX_ERRORS)
    .map((error) => (isErrorCode(error.extensions?.["code"]) ? withRequest(error) : toClientError(error, hearers)));
  if (errors.length === shown.length) return shown;
  const message = `The answer has ${errors.length} errors, of which the first ${MAX_ERRORS} are shown.`;
  return [...shown, withRequest(new GraphQLError(message, { extensions: { code: "LIMIT_EXCEEDED" } }))];
}

/** With the id of the request, by which its log lines are found; the request notes what came of it. */
function withRequest(error: GraphQLError): GraphQLError {
  const { requestId, note } = currentCause() ?? {};
  const { code } = error.extensions;
  if (note !== undefined && typeof code === "string") note.code ??= code;
  if (requestId === undefined || "requestId" in error.extensions) return error;
  const { message, nodes, source, positions, path, cause } = error;
  const extensions = { ...error.extensions, requestId };
  return new GraphQLError(message, { nodes, source, positions, path, cause, extensions });
}

/** Makes the error that is sent; logs what is hidden. What a server refused is said by the table of refusals. */
export function toClientError(error: unknown, hearers: Hearers): GraphQLError {
  const made = explained(error, hearers);
  const { code } = made.extensions;
  if (typeof code === "string") hearers.metrics.errorAnswered(code);
  return withRequest(made);
}

function explained(error: unknown, { logger, metrics }: Hearers): GraphQLError {
  const { original: thrown, located } = unwrap(error);
  const original = thrown instanceof TenantryError ? thrown : (explainToCaller(thrown) ?? thrown);
  const options =
    located === undefined
      ? {}
      : { nodes: located.nodes, source: located.source, positions: located.positions, path: located.path };
  if (original instanceof TenantryError && original.code !== "INTERNAL") {
    const { code, field, retryAfterSeconds, limit } = original;
    if (code === "LIMIT_EXCEEDED") metrics.limitRefused(limit ?? "other");
    if (original.forOperator !== undefined) logSometimes(logger, original);
    return new GraphQLError(shorten(original.message), {
      ...options,
      extensions: {
        code,
        ...(field === undefined ? {} : { field }),
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
        ...httpOf(located),
      },
    });
  }
  // Made here before.
  if (original === undefined && located !== undefined && isErrorCode(located.extensions["code"])) return located;
  // Raised by GraphQL itself about the request: a syntax error, an unknown field, a variable of the wrong type.
  if (original === undefined && located !== undefined)
    return new GraphQLError(shorten(located.message), {
      ...options,
      // Others are of the libraries in between, such as what the parser of JSON has said.
      extensions: { ...httpOf(located), code: "INVALID_INPUT" },
    });
  logger.error({ err: original ?? error }, "an unexpected error was masked");
  return new GraphQLError(MASKED_MESSAGE, { ...options, extensions: { code: "INTERNAL" } });
}

/** The same refusal comes with every call while a server is away: it is logged once in this time. */
const LOG_PAUSE_MS = 60_000;
const MAX_LOGGED = 1_000;
const logged = new WeakMap<Logger, BoundedMap<string, number>>();

function logSometimes(logger: Logger, { message, cause, forOperator }: TenantryError): void {
  const known = logged.get(logger) ?? new BoundedMap<string, number>(MAX_LOGGED);
  logged.set(logger, known);
  const now = performance.now();
  if (now - (known.get(message) ?? -LOG_PAUSE_MS) < LOG_PAUSE_MS) return;
  known.set(message, now);
  logger.warn({ err: cause, server: forOperator }, message);
}

/** Which status the answer has, and more headers. The server takes it out before the error is sent. */
function httpOf(located: GraphQLError | undefined): Pick<GraphQLErrorExtensions, "http"> {
  const http = located?.extensions.http;
  if (http === undefined) return {};
  // An error with another error behind it, such as a body that is not JSON, keeps its status in every media type.
  return { http: located?.extensions["originalError"] === undefined ? http : { ...http, spec: false } };
}

function shorten(message: string): string {
  if (message.length <= MAX_MESSAGE_LENGTH) return message;
  const half = MAX_MESSAGE_LENGTH / 2;
  return `${message.slice(0, half)} … ${message.slice(-half)}`.toWellFormed();
}

/** Finds what a resolver threw inside the layers that GraphQL and the server put around it. */
function unwrap(error: unknown): { original: unknown; located: GraphQLError | undefined } {
  if (!isGraphQLError(error)) return { original: error, located: undefined };
  let original: unknown = error.cause;
  while (isGraphQLError(original)) original = original.cause;
  return { original, located: error };
}

// By name: a second copy of the library (another module format, a bundler) makes errors of another class.
function isGraphQLError(error: unknown): error is GraphQLError {
  return error instanceof Error && error.name === "GraphQLError";
}

/** The body of an answer that has one error and nothing else. */
export function errorBody(message: string, code: ErrorCode): string {
  const { requestId, note } = currentCause() ?? {};
  if (note !== undefined) note.code ??= code;
  return `${JSON.stringify({ errors: [{ message, extensions: { code, requestId } }] })}\n`;
}
