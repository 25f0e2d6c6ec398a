/**
 * A port of its own for metrics, where nobody has to show a key: whoever reaches it may read them. Nothing else is served
 * there.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { TenantryError } from "#base/kernel/errors";
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";

export type MetricsListener = { url: string; close: () => Promise<void> };
export type MetricsAddress = { host: string; port: number };

const REQUEST_TIMEOUT_MS = 10_000;
/** A few scrapers, each with a connection that it keeps. */
const MAX_CONNECTIONS = 32;

/** Starts listening. Throws one sentence when the port cannot be had. */
export async function startMetricsListener(
  { host, port }: MetricsAddress,
  { metrics, logger }: { metrics: Metrics; logger: Logger },
): Promise<MetricsListener> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (request, response) => {
    answer(metrics, request, response).catch((error: unknown) => {
      logger.error({ err: error }, "metrics could not be given");
      if (response.headersSent) response.destroy();
      else send(response, 500, "Something went wrong on our side.\n");
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is taken" : "cannot be listened on";
      const sentence = `Port ${port} on ${host} ${why}: set TENANTRY_METRICS_LISTEN to another address.`;
      reject(new TenantryError("CONFLICT", sentence, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${taken}/metrics`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(metrics: Metrics, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, "Ask with GET.\n");
  if ((request.url ?? "/").split("?", 1)[0] !== "/metrics")
    return send(response, 404, "There is nothing here but /metrics.\n");
  // A page that a person visits may not read them in that person's browser, whatever name it gives this address.
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "none") return send(response, 403, "A web page may not ask here.\n");
  const text = await metrics.text();
  response.writeHead(200, { "content-type": metrics.contentType });
  response.end(text);
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}
