/** The HTTP server: GraphQL on /graphql and POST /, the explorer on /, the console on /console, health and metrics. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { GraphQLSchema } from "graphql";
import { challengeFor, type SignIn } from "#engine/auth/sign-in";
import { explainToCaller } from "#engine/failures/explain";
import type { JourneyStep, Overview } from "#api/graphql/define-app";
import { errorBody } from "#api/graphql/errors";
import { type ErrorCode, TenantryError } from "#base/kernel/errors";
import { becauseOf } from "#base/kernel/call";
import { isLoopback } from "#base/kernel/loopback";
import type { Settings } from "#config";
import { settingsOf } from "#api/http/api-options";
import { Closing } from "#api/http/closing";
import { clientOf } from "#api/http/guards/client";
import { countRefusals } from "#api/http/limits/count-refusals";
import { type ConsolePages, createConsole } from "#api/http/console/console";
import { type Explorer, createExplorer } from "#api/http/explorer/explorer";
import { countRefused } from "#api/http/endpoint/count-operations";
import { createGraphQLEndpoint, type EndpointParts, type GraphQLEndpoint } from "#api/http/endpoint/graphql-endpoint";
import { findHomeFailure } from "#api/http/health";
import { isFromElsewhere, visitorsOf } from "#api/http/guards/origin";
import { NO_PERSISTED_OPERATIONS, readPersistedOperations } from "#api/http/endpoint/persisted-operations";
import { answerOperation } from "#api/http/endpoint/post-operation";
import { leaveBody, readBody } from "#api/http/endpoint/request-body";
import { faultOfBody, faultOfHeaders, faultOfUrl } from "#api/http/guards/request-text";
import { setSecurityHeaders } from "#api/http/guards/security-headers";
import { SignInGuard } from "#api/http/guards/sign-in-guard";
import { noteStart, startOf, withinTerm } from "#api/http/limits/deadline";
import { noteRequest } from "#api/http/request-log";
import { endStalled } from "#api/http/limits/stalled-sockets";
import { serveWebSockets } from "#api/http/endpoint/web-socket";
import type { Metrics } from "#base/observability/metrics";
import type { Services } from "#engine/services";

/** A request must have arrived whole after this long. */
const REQUEST_TIMEOUT_MS = 30_000;
/** A connection that takes nothing of what waits for it is ended after this long. */
const STALLED_MS = 30_000;
/** On stopping, open requests may take this long to finish. */
const DRAIN_TIMEOUT_MS = 5_000;

export type HttpServer = { url: string; close: () => Promise<void> };

export type HttpOptions = Pick<
  Settings,
  "host" | "port" | "sharePort" | "everybodyIsOperator" | "logRequests" | "api"
> & {
  metrics: Metrics;
  /** What the API answers with. */
  schema: GraphQLSchema;
  /** What the explorer shows. */
  journey: readonly JourneyStep[];
  /** What the explorer counts; left out: nothing. */
  overview?: Overview | undefined;
  /** Connection URLs of the embedded regions, for the explorer's examples. Development only. */
  regionUrls?: Record<string, string> | undefined;
  /** How long a connection may take nothing of what waits for it, in milliseconds; left out: 30 s. For tests. */
  stalledMs?: number | undefined;
};

/** Starts listening. Throws one sentence when the port is taken. */
export async function startHttpServer(services: Services, plain: SignIn, options: HttpOptions): Promise<HttpServer> {
  if (plain.mode === "development" && !isLoopback(options.host) && !options.everybodyIsOperator)
    throw new TenantryError("INVALID_INPUT", "Without sign-in the API listens on loopback only.", { field: "HOST" });
  const { metrics, schema } = options;
  const signIn = countRefusals(plain, metrics);
  const settings = settingsOf(options.api, signIn.mode);
  const { persistedOperations } = settings;
  const shared: EndpointParts = {
    schema,
    services,
    logger: services.logger,
    tracing: services.tracing,
    logRequests: options.logRequests ?? true,
    signIn,
    metrics,
    settings,
    guard: new SignInGuard(signIn, settings.limits.signInFailuresPerMinute),
    visitors: visitorsOf(signIn.mode, settings),
    persisted: countRefused(
      persistedOperations === undefined
        ? NO_PERSISTED_OPERATIONS
        : readPersistedOperations(persistedOperations, schema),
      metrics,
    ),
  };
  const endpoint = createGraphQLEndpoint(shared);
  const explorer = explorerFor(shared, options);
  const consolePages = createConsole({ isServed: settings.console });
  const timeouts = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Of one request, not of the rest between two. Node takes none that is longer than that of the whole request.
    headersTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: settings.keepAliveSeconds * 1_000,
  };
  const closing = new Closing();
  const server = createServer(timeouts, (request, response) => {
    closing.note(response);
    noteStart(request);
    const cause = noteRequest(request, response, shared);
    becauseOf(cause, () => route({ ...shared, endpoint, explorer, consolePages, closing }, request, response)).catch(
      (error: unknown) => {
        services.logger.error({ err: error }, "a request failed");
        if (!response.headersSent) send(response, 500, "text/plain", "Something went wrong on our side.\n");
        else response.destroy();
      },
    );
  });
  const stopLooking = endStalled(server, options.stalledMs ?? STALLED_MS);
  const closeWebSockets = serveWebSockets(server, { ...shared, endpoint });
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    close: async () => {
      await closing.drain(settings.drainSeconds * 1_000);
      closing.endStreams();
      await closeWebSockets();
      await drain(server);
      stopLooking();
    },
  };
}

function explorerFor({ signIn, settings, services }: EndpointParts, options: HttpOptions): Explorer {
  const { regionUrls, journey, overview } = options;
  return createExplorer({
    mode: signIn.mode,
    isServed: settings.explorer,
    journey,
    overview,
    installation: services.installation,
    // They hold passwords, and the explorer is shown to whoever asks.
    ...(signIn.mode === "bearer" || regionUrls === undefined ? {} : { regionUrls }),
  });
}

type Parts = EndpointParts & {
  endpoint: GraphQLEndpoint;
  explorer: Explorer;
  consolePages: ConsolePages;
  closing: Closing;
};

async function route(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Node leaves the body of the answer out.
  if (request.method === "HEAD") request.method = "GET";
  const path = (request.url ?? "/").split("?", 1)[0];
  const { signIn, settings, visitors } = parts;
  setSecurityHeaders(request, response, { mode: signIn.mode, trustedProxies: settings.trustedProxies });
  if (!visitors.isWelcome(request))
    return send(
      response,
      403,
      "text/plain",
      `This page ${signIn.mode === "bearer" ? "" : "or host name "}may not call here.\n`,
    );
  if (path === "/health/live") return send(response, 200, "application/json", '{"status":"live"}\n');
  if (path === "/health/ready") return reportReady(parts, response);
  if (path === "/metrics") return reportMetrics(parts, request, response);
  if (parts.explorer.handle(request, response) || parts.consolePages.handle(request, response)) return;
  if (path !== "/" && path !== "/graphql")
    return refuse(response, 404, "NOT_FOUND", "There is nothing here: GraphQL is at /graphql.");
  const fault = faultOfHeaders(request) ?? faultOfUrl(request.url ?? "/");
  if (fault?.status === 415) response.setHeader("accept-encoding", "identity");
  if (fault !== undefined) return refuse(response, fault.status, "INVALID_INPUT", fault.message);
  if (isFromElsewhere(request)) return refuse(response, 403, "FORBIDDEN", "Another site's page may not ask this way.");
  const isOperation = request.method === "POST" && (path === "/" || path === "/graphql");
  const { maxBodyBytes } = settings.limits;
  const body = await readBody(request, maxBodyBytes);
  if (body === "gone") return undefined;
  if (body === "too large") {
    // The rest of it is not read.
    response.setHeader("connection", "close");
    parts.metrics.limitRefused("body_bytes");
    return refuse(response, 413, "LIMIT_EXCEEDED", `The request is larger than ${maxBodyBytes} bytes.`);
  }
  const bodyFault = faultOfBody(body);
  if (bodyFault !== undefined) return refuse(response, bodyFault.status, "INVALID_INPUT", bodyFault.message);
  if (isOperation && (await answerOperation(parts, request, response, body))) return undefined;
  if (request.method === "POST") leaveBody(request, body);
  if (path === "/") request.url = `/graphql${(request.url ?? "/").slice(1)}`;
  await parts.endpoint(request, response);
}

/** For the operator: figures say how much an organization works, and with which versions. */
async function reportMetrics(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { signIn, metrics, guard, settings } = parts;
  // In development whoever gets here is the operator.
  if (signIn.mode === "bearer") {
    const authorization = request.headers.authorization ?? null;
    const client = clientOf(request, settings.trustedProxies);
    const term = { timeoutMs: settings.limits.timeoutMs, startedAt: startOf(request) };
    const identified = withinTerm(term, guard.identify({ authorization, userId: null, client }));
    const signedIn = await identified.catch((error: unknown) => {
      const refused = error instanceof TenantryError ? error : explainToCaller(error);
      if (refused === undefined) throw error;
      return refused;
    });
    if (signedIn instanceof TenantryError) return refuseMetrics(response, signedIn);
    if (signedIn.actor.kind !== "operator") return send(response, 403, "text/plain", "Metrics are for the operator.\n");
  }
  send(response, 200, metrics.contentType, await metrics.text());
}

function refuseMetrics(response: ServerResponse, refused: TenantryError): void {
  const { code, message, retryAfterSeconds } = refused;
  if (code === "UNAUTHENTICATED") {
    response.setHeader("www-authenticate", challengeFor(refused));
    return send(response, 401, "text/plain", "Metrics are for the operator: send an operator's API key.\n");
  }
  if (retryAfterSeconds !== undefined) response.setHeader("retry-after", String(retryAfterSeconds));
  const isTooMuch = code === "LIMIT_EXCEEDED" && retryAfterSeconds !== undefined;
  send(response, isTooMuch ? 429 : 503, "text/plain", `${message}\n`);
}

async function reportReady({ services, closing }: Parts, response: ServerResponse): Promise<void> {
  const stopping = { code: "STOPPING", message: "This process is about to stop.", retryAfterSeconds: undefined };
  const refused = closing.isBegun ? stopping : await findHomeFailure(services);
  if (refused === undefined) return send(response, 200, "application/json", '{"status":"ready"}\n');
  const { code, message, retryAfterSeconds } = refused;
  if (retryAfterSeconds !== undefined) response.setHeader("retry-after", String(retryAfterSeconds));
  send(response, 503, "application/json", `${JSON.stringify({ status: "not ready", code, message })}\n`);
}

/** In the form of an answer of GraphQL. */
function refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  send(response, status, "application/json", errorBody(message, code));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type });
  response.end(body);
}

function listen(server: Server, { host, port, sharePort }: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: `Port ${port} on ${host} is taken: stop what uses it, or set PORT to another one.`,
        EACCES: `Port ${port} on ${host} may not be used by this account: set PORT to one above 1023.`,
        ENOTSUP:
          "This system has no ports that processes share: leave TENANTRY_SHARE_PORT out and give each a port of its own.",
        EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST to another one.`,
      };
      reject(
        new TenantryError("CONFLICT", reasons[cause.code ?? ""] ?? `Cannot listen on ${host}:${port}.`, {
          cause,
        }),
      );
    });
    server.listen({ port, host, reusePort: sharePort }, resolve);
  });
}

async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_TIMEOUT_MS);
  await closed;
  clearTimeout(timer);
}
