/** The HTTP server: GraphQL on /graphql and POST /, the explorer on /, health and metrics. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { SignIn } from "#auth/sign-in";
import { TenantryError } from "#kernel/errors";
import { isLoopback } from "#kernel/loopback";
import { type Explorer, createExplorer } from "#http/explorer";
import { createGraphQLEndpoint, type GraphQLEndpoint } from "#http/graphql-endpoint";
import { countRefusals } from "#http/count-refusals";
import { checkReady } from "#http/health";
import { type Visitors, visitorsOf } from "#http/origin";
import { serveWebSockets } from "#http/web-socket";
import { Metrics } from "#observability/metrics";
import type { Services } from "#operations/services";

/** A request must have arrived whole after this long. */
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 1_000_000;
/** On stopping, open requests may take this long to finish. */
const DRAIN_TIMEOUT_MS = 5_000;

const UNSUPPORTED_TYPE = `${JSON.stringify({
  errors: [{ message: "POST takes application/json.", extensions: { code: "INVALID_INPUT" } }],
})}\n`;

export type HttpServer = { url: string; close: () => Promise<void> };

export type HttpOptions = {
  host: string;
  port: number;
  /** Connection URLs of the embedded regions, for the explorer's examples. Development only. */
  regionUrls?: Record<string, string>;
  /** Proxies in front of this server that tell the client's address in X-Forwarded-For; 0 when left out. */
  trustedProxies?: number | undefined;
};

/** Starts listening. Throws one sentence when the port is taken. */
export async function startHttpServer(services: Services, plain: SignIn, options: HttpOptions): Promise<HttpServer> {
  if (plain.mode === "development" && !isLoopback(options.host))
    throw new TenantryError("INVALID_INPUT", "Without sign-in the API listens on loopback only.", { field: "HOST" });
  const metrics = new Metrics();
  const signIn = countRefusals(plain, metrics);
  const { regionUrls, trustedProxies = 0 } = options;
  const endpoint = createGraphQLEndpoint(services, metrics, signIn, trustedProxies);
  // The URLs hold passwords, and the explorer is shown to whoever asks.
  const explorer = createExplorer({
    mode: signIn.mode,
    ...(signIn.mode === "bearer" || regionUrls === undefined ? {} : { regionUrls }),
  });
  const visitors = visitorsOf(signIn.mode);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    route({ services, signIn, visitors, metrics, endpoint, explorer }, request, response).catch((error: unknown) => {
      services.logger.error({ err: error }, "a request failed");
      if (!response.headersSent) send(response, 500, "text/plain", "Something went wrong on our side.\n");
      else response.destroy();
    });
  });
  const closeWebSockets = serveWebSockets(server, { endpoint, services, signIn, trustedProxies });
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    close: async () => {
      await closeWebSockets();
      await drain(server);
    },
  };
}

type Parts = {
  services: Services;
  signIn: SignIn;
  visitors: Visitors;
  metrics: Metrics;
  endpoint: GraphQLEndpoint;
  explorer: Explorer;
};

async function route(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0];
  const { isAllowedHost, isAllowedOrigin } = parts.visitors;
  if (!isAllowedHost(request.headers.host) || !isAllowedOrigin(request.headers.origin))
    return send(response, 403, "text/plain", "This page or host name may not use Tenantry in development.\n");
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES)
    return send(response, 413, "text/plain", `The request is larger than ${MAX_BODY_BYTES} bytes.\n`);
  if (path === "/health/live") return send(response, 200, "application/json", '{"status":"live"}\n');
  if (path === "/health/ready") return reportReady(parts.services, response);
  if (path === "/metrics") return reportMetrics(parts, request, response);
  if (parts.explorer.handle(request, response)) return;
  // Form bodies pass without a CORS preflight, so a foreign page could send mutations in them.
  if (request.method === "POST" && !/^application\/(graphql\+)?json\b/i.test(request.headers["content-type"] ?? ""))
    return send(response, 415, "application/json", UNSUPPORTED_TYPE);
  if (path === "/") request.url = `/graphql${(request.url ?? "/").slice(1)}`;
  await parts.endpoint(request, response);
}

/** For the operator: figures say how much an organization works, and with which versions. */
async function reportMetrics(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { signIn, metrics } = parts;
  // In development whoever gets here is the operator.
  if (signIn.mode === "bearer") {
    const authorization = request.headers.authorization ?? null;
    const signedIn = await signIn.identify({ authorization, userId: null }).catch((error: unknown) => {
      if (error instanceof TenantryError && error.code === "UNAUTHENTICATED") return undefined;
      throw error;
    });
    if (signedIn === undefined) {
      response.setHeader("www-authenticate", "Bearer");
      return send(response, 401, "text/plain", "Metrics are for the operator: send an operator's API key.\n");
    }
    if (signedIn.actor.kind !== "operator") return send(response, 403, "text/plain", "Metrics are for the operator.\n");
  }
  send(response, 200, metrics.contentType, await metrics.text());
}

async function reportReady(services: Services, response: ServerResponse): Promise<void> {
  const ready = await checkReady(services);
  send(
    response,
    ready ? 200 : 503,
    "application/json",
    `${JSON.stringify({ status: ready ? "ready" : "home cannot be reached" })}\n`,
  );
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

function listen(server: Server, { host, port }: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: `Port ${port} on ${host} is taken: stop what uses it, or set PORT to another one.`,
        EACCES: `Port ${port} on ${host} may not be used by this account: set PORT to one above 1023.`,
        EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST to another one.`,
      };
      reject(
        new TenantryError("CONFLICT", reasons[cause.code ?? ""] ?? `Cannot listen on ${host}:${port}.`, {
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
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
