/**
 * The short way for what nearly every program sends: one operation as JSON, answered by one JSON object. It leaves out the
 * server's adapter to the Fetch API, which costs more than everything else that happens to an operation. What is
 * executed is the same pipeline with the same plugins; the limits on requests, CSRF and origins are in front of both ways
 * (server.ts). Anything unusual, and whatever cannot be read, goes the long way, so that there is one place for its errors.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  type GraphQLError,
  type GraphQLSchema,
} from "graphql";
import { processRegularResult } from "graphql-yoga";
import type { Actor } from "#engine/auth/actor";
import { JsonText, type Reply } from "#api/graphql/context";
import { answerTooLarge } from "#base/kernel/answer-size";
import { clientOf } from "#api/http/guards/client";
import { corsHeadersFor } from "#api/http/guards/cors";
import { DocumentCache } from "#api/http/endpoint/document-cache";
import {
  createContext,
  type EndpointParts,
  type GraphQLEndpoint,
  operationNameOf,
  resultOf,
} from "#api/http/endpoint/graphql-endpoint";
import { startOf } from "#api/http/limits/deadline";
import { limitError } from "#api/http/limits/limit-error";
import { replyOver } from "#api/http/endpoint/reply";
import { whenClosed } from "#api/http/when-closed";

type Params = {
  query?: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
  extensions?: Record<string, unknown> | null;
  documentId?: unknown;
};
const PARAMETERS = new Set(["query", "variables", "operationName", "extensions", "documentId"]);

/** What Yoga gives of its pipeline: the functions with our plugins around them. */
type Pipeline = {
  schema: GraphQLSchema;
  parse: (text: string) => DocumentNode;
  validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  contextFactory: () => unknown;
  execute: (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;
};

/** All that plugins look at of it. */
const REQUEST = { method: "POST" };

/** Answers the request and returns true; false: nothing was done, as it has to go the long way. */
export async function answerOperation(
  parts: EndpointParts & { endpoint: GraphQLEndpoint },
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<boolean> {
  const mediaType = mediaTypeOf(request.headers.accept);
  if (mediaType === undefined || request.headers["content-encoding"] !== undefined) return false;
  const params = readParams(body);
  if (params === undefined) return false;
  const { maxAnswerBytes } = parts.settings.limits;
  const writtenOf = (result: ExecutionResult) => writeWithin(maxAnswerBytes, result, mediaType, parts);
  let written: ReturnType<typeof writeWithin>;
  try {
    const executed = await execute(parts, request, params, replyOver(response, maxAnswerBytes));
    if (executed === undefined) return false;
    // A value that cannot become JSON throws here. It is answered as other errors are.
    written = writtenOf(executed);
  } catch (error) {
    written = writtenOf(resultOf(error, parts.services));
  }
  const { text, bytes, status, headers } = written;
  const { origin } = request.headers;
  response.writeHead(status, {
    ...headers,
    ...(origin === undefined ? {} : corsHeadersFor(origin, parts.visitors)),
    "content-length": bytes,
  });
  response.end(text);
  return true;
}

/** undefined: it is followed, or its text is missing; nothing has been executed. */
async function execute(
  parts: EndpointParts & { endpoint: GraphQLEndpoint },
  request: IncomingMessage,
  params: Params,
  reply: Reply,
): Promise<ExecutionResult | undefined> {
  const { settings, persisted, endpoint } = parts;
  const { authorization = null, "x-user-id": userId } = request.headers;
  const credentials = { authorization, userId: typeof userId === "string" ? userId : null };
  const client = clientOf(request, settings.trustedProxies);
  const gone = whenClosed(request.socket, request.socket.destroyed);
  const context = await createContext(parts, credentials, client, { gone, startedAt: startOf(request) });
  const operationName = operationNameOf(params);
  const query = persisted.textOf(params) ?? params.query;
  if (query === undefined) return undefined;
  const pipeline = endpoint.getEnveloped({
    ...context,
    reply,
    acceptsJsonText: true,
    request: REQUEST,
    params: { ...params, operationName },
  } as never) as unknown as Pipeline;
  const { document, errors } = read(pipeline, query, knownTo(endpoint, context.actor));
  const operation = getOperationAST(document, operationName);
  if (operation?.operation === "subscription") return undefined;
  // The pipeline has its own words for that.
  if (operation == null) pipeline.parse(query);
  const result =
    errors.length > 0
      ? { errors }
      : await pipeline.execute({
          schema: pipeline.schema,
          document,
          contextValue: await pipeline.contextFactory(),
          variableValues: params.variables ?? undefined,
          operationName,
        });
  return result.errors === undefined ? result : resultOf(result, parts.services);
}

/** Documents that have passed, by their text. Who may ask for the schema and who may not have their own. */
const known = new WeakMap<GraphQLEndpoint, { operator: DocumentCache; others: DocumentCache }>();

function knownTo(endpoint: GraphQLEndpoint, actor: Actor): DocumentCache {
  const found = known.get(endpoint) ?? { operator: new DocumentCache(), others: new DocumentCache() };
  known.set(endpoint, found);
  return actor.kind === "operator" ? found.operator : found.others;
}

function read(
  pipeline: Pipeline,
  query: string,
  documents: DocumentCache,
): { document: DocumentNode; errors: readonly GraphQLError[] } {
  const found = documents.get(query);
  if (found !== undefined) return { document: found, errors: [] };
  const document = pipeline.parse(query);
  const errors = pipeline.validate(pipeline.schema, document);
  if (errors.length === 0) documents.set(query, document);
  return { document, errors };
}

type Written = { text: string; status: number; headers: Record<string, string> };

/** While an answer is made its bytes are counted roughly; here it is as it will be sent. */
function writeWithin(
  maxBytes: number,
  result: ExecutionResult,
  mediaType: string,
  { services }: Pick<EndpointParts, "services">,
): Written & { bytes: number } {
  const written = write(result, mediaType);
  const bytes = Buffer.byteLength(written.text);
  if (bytes <= maxBytes) return { ...written, bytes };
  const refused = write(resultOf({ errors: [limitError(answerTooLarge(maxBytes))] }, services), mediaType);
  return { ...refused, bytes: Buffer.byteLength(refused.text) };
}

function write(result: ExecutionResult, mediaType: string): Written {
  const { errors, data } = result as { errors?: unknown; data?: unknown };
  if (errors === undefined)
    return { text: textOf(result), status: 200, headers: { "content-type": `${mediaType}; charset=utf-8` } };
  // Which status errors have is a long story, which Yoga knows.
  const whole = data instanceof JsonText ? { ...result, data: JSON.parse(data.text) as object } : result;
  const { body, init } = processRegularResult(whole, { Response: Captured } as never, mediaType) as unknown as Captured;
  const headers = Object.fromEntries(Object.entries(init.headers).map(([name, value]) => [name.toLowerCase(), value]));
  return { text: body, status: init.status, headers };
}

function textOf({ data, extensions }: { data?: unknown; extensions?: unknown }): string {
  const text = data instanceof JsonText ? data.text : JSON.stringify(data);
  return extensions === undefined ? `{"data":${text}}` : `{"data":${text},"extensions":${JSON.stringify(extensions)}}`;
}

/** In place of the Fetch API's: keeps what it is made of. */
class Captured {
  readonly body: string;
  readonly init: { status: number; headers: Record<string, string> };

  constructor(body: string, init: { status: number; headers: Record<string, string> }) {
    this.body = body;
    this.init = init;
  }
}

/** The first type that the client takes of those that are one JSON object, as Yoga chooses it; undefined: none. */
function mediaTypeOf(accept = "*/*"): string | undefined {
  if (accept.includes("charset")) return undefined;
  for (const one of accept.split(",")) {
    const type = one.split(";", 1)[0]?.trim().toLowerCase();
    if (type === "application/graphql-response+json") return type;
    if (type === "application/json" || type === "*/*" || type === "application/*") return "application/json";
  }
  return undefined;
}

function readParams(body: Buffer): Params | undefined {
  let params: unknown;
  try {
    params = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  if (!isObject(params)) return undefined;
  for (const name in params) if (!PARAMETERS.has(name)) return undefined;
  const { query, variables, operationName, extensions } = params;
  const fits =
    (query === undefined || typeof query === "string") &&
    (variables == null || isObject(variables)) &&
    (operationName == null || typeof operationName === "string") &&
    (extensions == null || isObject(extensions));
  return fits ? params : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
