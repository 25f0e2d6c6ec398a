/** GraphQL over HTTP: Yoga with our context, our errors and our limits. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ExecutionArgs, type ExecutionResult, GraphQLError, type GraphQLSchema } from "graphql";
import { createYoga, type GraphQLParams, type Plugin } from "graphql-yoga";
import { callSourceOf } from "#engine/audit/entry";
import { challengeFor, type Client, type Credentials, type SignIn } from "#engine/auth/sign-in";
import { currentCause } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import { type GraphQLContext, JsonText } from "#api/graphql/context";
import { errorBody, toClientError, toClientErrors } from "#api/graphql/errors";
import { executeOperation, followOperation } from "#api/graphql/execute";
import { createLoaders } from "#api/graphql/loaders";
import { executePlanned } from "#api/graphql/plan/execute";
import type { ApiSettings } from "#api/http/api-options";
import { Budgets } from "#api/http/limits/budgets";
import { clientOf } from "#api/http/guards/client";
import { corsFor } from "#api/http/guards/cors";
import { DocumentCache } from "#api/http/endpoint/document-cache";
import { countOperations } from "#api/http/endpoint/count-operations";
import { limitDocuments } from "#api/http/limits/document-limits";
import { endWithSignIn } from "#api/http/guards/end-with-sign-in";
import { startOf, statusOf, type Term, withinTerm } from "#api/http/limits/deadline";
import { limitError } from "#api/http/limits/limit-error";
import { limitOperations } from "#api/http/limits/operation-limits";
import type { Visitors } from "#api/http/guards/origin";
import type { PersistedOperations } from "#api/http/endpoint/persisted-operations";
import { replyOver } from "#api/http/endpoint/reply";
import { operationOf, RequestNote } from "#api/http/request-log";
import type { SignInGuard } from "#api/http/guards/sign-in-guard";
import type { Tracing } from "#base/kernel/span";
import { withSpan } from "#base/observability/spans";
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";
import type { Services } from "#engine/services";

export type GraphQLEndpoint = ReturnType<typeof createGraphQLEndpoint>;

/** What the endpoint and the web sockets have in common. */
export type EndpointParts = {
  schema: GraphQLSchema;
  services: Services;
  logger: Logger;
  tracing: Tracing | undefined;
  /** Whether the log has a line for each request. */
  logRequests: boolean;
  metrics: Metrics;
  signIn: SignIn;
  guard: SignInGuard;
  visitors: Visitors;
  settings: ApiSettings;
  persisted: PersistedOperations;
};

type NodeContext = { req: IncomingMessage; res: ServerResponse };

export function createGraphQLEndpoint(parts: EndpointParts) {
  const { schema, services, metrics, signIn, visitors, settings } = parts;
  const { limits, introspection } = settings;
  const budgets = new Budgets(limits);
  metrics.watchSubscriptions(() => budgets.openSubscriptions);
  return createYoga<NodeContext, GraphQLContext>({
    schema,
    graphqlEndpoint: "/graphql",
    graphiql: false,
    landingPage: false,
    // Multipart and form bodies pass without a CORS preflight: a foreign page could send mutations.
    multipart: false,
    batching: { limit: limits.maxBatch },
    // Bounded before it comes here: Yoga's own bound does not answer when a body in chunks is too large.
    maxRequestBodySize: false,
    extraParamNames: ["documentId"],
    // Yoga's own have no bound in bytes. Refused texts are not kept: whoever sends one can send another each time.
    parserAndValidationCache: {
      documentCache: new DocumentCache(),
      errorCache: { get: () => undefined, set: () => undefined },
    },
    cors: (request) => corsFor(request, visitors),
    logging: false,
    maskedErrors: {
      maskError: (error) => challenge(toClientError(error, services), error),
    },
    plugins: [
      limitBatches(limits.maxBatch),
      beginOperations(parts),
      limitDocuments(limits, introspection),
      runOperations(),
      limitOperations(limits, budgets),
      requestErrors(services),
      endWithSignIn(signIn),
      refuseMultipart(),
      sayWhatIsAnswered(),
      countOperations(metrics),
      noteOperations(),
      traceOperations(),
    ],
  });
}

/**
 * Finds out who calls and what is to run, before anything is parsed: a stranger's document costs nothing. For each
 * operation of a batch.
 */
function beginOperations(parts: EndpointParts): Plugin<GraphQLContext, NodeContext> {
  return {
    async onParams({ request, params, setParams, context }) {
      const { headers } = request;
      const credentials = { authorization: headers.get("authorization"), userId: headers.get("x-user-id") };
      const client = clientOf(context.req, parts.settings.trustedProxies);
      const reply = replyOver(context.res, parts.settings.limits.maxAnswerBytes);
      const begun = { gone: request.signal, startedAt: startOf(context.req) };
      Object.assign(context, await createContext(parts, credentials, client, begun), { reply });
      const query = parts.persisted.textOf({ ...params, documentId: documentIdOf(request, params) });
      const { operationName: _, ...rest } = params;
      const operationName = operationNameOf(params);
      setParams({
        ...rest,
        ...(operationName === undefined ? {} : { operationName }),
        ...(query === undefined ? {} : { query }),
      });
    },
  };
}

/** The operation's name. GraphQL over HTTP says that an empty name counts as left out. */
export function operationNameOf({ operationName }: { operationName?: string | null | undefined }): string | undefined {
  return operationName === null || operationName === "" ? undefined : operationName;
}

/** Yoga reads it from a body, but not from a URL. */
function documentIdOf(request: Request, params: GraphQLParams): unknown {
  if (request.method !== "GET") return (params as { documentId?: unknown }).documentId;
  return new URL(request.url).searchParams.get("documentId");
}

/**
 * The context of one operation, over HTTP or a web socket. Throws UNAUTHENTICATED, or LIMIT_EXCEEDED, also when it takes
 * longer than an operation may.
 */
export async function createContext(
  { services, guard, metrics, settings }: Pick<EndpointParts, "services" | "guard" | "metrics" | "settings">,
  credentials: Credentials,
  client: Client,
  begun: Omit<Term, "timeoutMs">,
): Promise<GraphQLContext> {
  try {
    const { timeoutMs } = settings.limits;
    const term = { timeoutMs, startedAt: begun.startedAt };
    const signedIn = await withinTerm(term, guard.identify({ ...credentials, client }));
    const { actor } = signedIn;
    const note = currentNote();
    if (note !== undefined) note.actor = actor.kind;
    const callSource = callSourceOf(signedIn, client);
    return {
      actor,
      signedIn,
      callSource,
      services,
      loaders: createLoaders(services, actor),
      lag: [],
      written: new Set(),
      ...begun,
    };
  } catch (error) {
    metrics.operationRefused("sign_in");
    throw error instanceof TenantryError && error.code === "LIMIT_EXCEEDED"
      ? limitError(error, statusOf(error))
      : error;
  }
}

const ANSWERS =
  "Answers are application/json or application/graphql-response+json. A subscription is text/event-stream or comes over a web socket, and never as multipart/mixed.";

/** A caller that takes no events is told so before anything is followed for it. */
function refuseMultipart(): Plugin<GraphQLContext> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { request } = args.contextValue as { request?: Request };
      // An operation over a web socket has no request, and no accept header.
      const accept = request?.headers.get("accept");
      if (accept == null || /(^|[,\s])(text\/(event-stream|\*)|\*\/\*)/i.test(accept)) return;
      const error = new TenantryError("INVALID_INPUT", ANSWERS);
      setResultAndStopExecution({
        errors: [new GraphQLError(ANSWERS, { cause: error, extensions: { http: { status: 406 } } })],
      });
    },
  };
}

/** Yoga's own refusal of what cannot be answered in any type that the caller takes has no body. */
function sayWhatIsAnswered(): Plugin<GraphQLContext> {
  return {
    onResponse(event) {
      const { response } = event;
      if (response.status !== 406 || response.body !== null) return;
      const headers = new Headers(response.headers);
      headers.set("content-type", "application/json");
      headers.delete("content-length");
      event.setResponse(new Response(errorBody(ANSWERS, "INVALID_INPUT"), { status: 406, headers }));
    },
  };
}

/** Each operation of a batch is bounded like one that comes alone; this bounds how many come at once. */
function limitBatches(maxBatch: number): Plugin<GraphQLContext> {
  return {
    onRequestParse: () => ({
      onRequestParseDone({ requestParserResult }) {
        if (!Array.isArray(requestParserResult) || requestParserResult.length <= maxBatch) return;
        const message = `The request has ${requestParserResult.length} operations, and ${maxBatch} is the most.`;
        throw limitError(new TenantryError("LIMIT_EXCEEDED", message, { limit: "batch" }), 413);
      },
    }),
  };
}

/**
 * Answers 401 to a caller that is not signed in. So clients that do not read the body know it too. The header names the error
 * when a token was sent and refused (RFC 6750).
 */
function challenge(error: GraphQLError, thrown: unknown): GraphQLError {
  if (error.extensions["code"] !== "UNAUTHENTICATED") return error;
  const http = { status: 401, headers: { "www-authenticate": challengeFor(thrown) } };
  return new GraphQLError(error.message, { extensions: { ...error.extensions, http } });
}

/** Errors that GraphQL raises before anything runs (syntax, validation) get their code too. */
function requestErrors(services: Services): Plugin<GraphQLContext> {
  return {
    onResultProcess(event) {
      const { result } = event;
      if (Array.isArray(result)) event.setResult(result.map((one) => withCodes(one, services)));
      else event.setResult(withCodes(result, services));
    },
  };
}

function withCodes<Result extends object>(result: Result, services: Services): Result {
  if (!("errors" in result) || !Array.isArray(result.errors)) return result;
  const errors = toClientErrors(result.errors as GraphQLError[], services);
  return { ...result, errors: hasData(result) ? errors : errors.map(unavailable) };
}

/** What is sent of what was thrown, or of a result with errors, as the plugins do it for requests that go the long way. */
export function resultOf(failure: unknown, services: Services): ExecutionResult {
  if (typeof failure === "object" && failure !== null && "errors" in failure && !(failure instanceof Error))
    return withCodes(failure as ExecutionResult, services);
  return { errors: [unavailable(challenge(toClientError(failure, services), failure))] };
}

/** Whether any field of the operation has come to something. */
function hasData(result: object): boolean {
  const data = "data" in result ? result.data : undefined;
  if (typeof data !== "object" || data === null) return false;
  return data instanceof JsonText || Object.values(data).some((value) => value !== null);
}

/** Where home or the identity provider is away and so nothing could be answered, the status says so to balancers, and to clients that try again. */
function unavailable(error: GraphQLError): GraphQLError {
  const { code, retryAfterSeconds } = error.extensions;
  if (code !== "HOME_UNAVAILABLE" && code !== "SIGN_IN_UNAVAILABLE") return error;
  // It may have happened: nobody is to send it again by himself because of the status.
  if (typeof retryAfterSeconds !== "number") return error;
  const http = { status: 503, headers: { "retry-after": String(retryAfterSeconds) } };
  const { message, nodes, source, positions, path, extensions } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions: { ...extensions, http } });
}

/** For the request's line in the log. */
function noteOperations(): Plugin<GraphQLContext> {
  const note = (args: Pick<ExecutionArgs, "document" | "operationName">) => currentNote()?.ran(operationOf(args));
  return { onExecute: ({ args }) => note(args), onSubscribe: ({ args }) => note(args) };
}

/** A span around all that happens to an operation. Of a subscription it is around its beginning. */
function traceOperations(): Plugin<GraphQLContext> {
  const traced = (args: ExecutionArgs, run: (args: ExecutionArgs) => unknown) => {
    if (currentCause()?.span === undefined) return run(args);
    const { kind, name } = operationOf(args);
    const attributes = { "graphql.operation.type": kind, "graphql.operation.name": name };
    return withSpan(name === undefined ? kind : `${kind} ${name}`, async () => run(args), { attributes });
  };
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(((args: ExecutionArgs) => traced(args, executeFn as never)) as never);
    },
    onSubscribe({ subscribeFn, setSubscribeFn }) {
      setSubscribeFn(((args: ExecutionArgs) => traced(args, subscribeFn as never)) as never);
    },
  };
}

function currentNote(): RequestNote | undefined {
  const note = currentCause()?.note;
  return note instanceof RequestNote ? note : undefined;
}

/** Below everything that is put around executing: what is planned is bounded, counted and masked like anything else. */
function runOperations(): Plugin<GraphQLContext> {
  return {
    onExecute({ setExecuteFn, context }) {
      const acceptsJsonText = context.acceptsJsonText === true;
      setExecuteFn(
        (async (args: ExecutionArgs) =>
          (acceptsJsonText ? await executePlanned(args) : undefined) ?? (await executeOperation(args))) as never,
      );
    },
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(followOperation as never);
    },
  };
}
