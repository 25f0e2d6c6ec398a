import { z } from "zod";
import { API_HOME_CONNECTIONS } from "#base/kernel/limits";
import { bound, choice, flag, list, refused, type ValuesOf, variable } from "#config/variable";

/** Home's own, and one for a tenant database. */
const LEAST_CONNECTIONS = API_HOME_CONNECTIONS + 1;

export const API = {
  title: "The API",
  about: "",
  fields: {
    port: variable("PORT", z.coerce.number().int().min(0).max(65_535).default(4000), {
      meaning: "The TCP port of the API. 0 takes any port that is free.",
    }),
    host: variable("HOST", z.string().min(1).default("127.0.0.1"), {
      meaning:
        "The address to listen on. In development it must be a loopback address, unless `TENANTRY_EVERYBODY_IS_OPERATOR` is `true`.",
      example: "0.0.0.0",
    }),
    /** Whether the API may listen beyond loopback in development. */
    everybodyIsOperator: variable("TENANTRY_EVERYBODY_IS_OPERATOR", flag(), {
      meaning:
        "With `true` `HOST` may be any address in development too: whoever reaches the port is the operator, and may read and change everything. It is meant for a container whose port is published on 127.0.0.1 only. It counts without `TENANTRY_AUTH=bearer`.",
    }),
    /** Whether other processes may listen on the port too. */
    sharePort: variable("TENANTRY_SHARE_PORT", flag(), {
      meaning:
        "With `true` several API processes [share the port](../how-to/several-processes.md). It works on Linux and FreeBSD.",
    }),
    corsOrigins: variable("TENANTRY_CORS_ORIGINS", list(10_000), {
      meaning:
        "The origins of the web pages that may call, separated by commas. `*` allows all pages, where callers sign in. In development local pages and Apollo Sandbox may call without it.",
      example: "https://app.example.com,https://admin.example.com",
    }),
    corsHeaders: variable("TENANTRY_CORS_HEADERS", list(10_000), {
      meaning:
        "More request headers that those pages may send, separated by commas. Those of sign-in, of Apollo's clients (`apollo-*`, `x-apollo-*`, `apollographql-*`), of requests' ids (`x-request-id`) and of traces (`traceparent`, `tracestate`, `baggage`, `sentry-trace`) may be sent without it. A name that ends with `-*` stands for all that begin so.",
      example: "x-client-build",
    }),
    trustedProxies: variable("TENANTRY_TRUSTED_PROXIES", bound(0, 0, 10), {
      unit: "proxies",
      meaning:
        "How many proxies stand in front. Each adds the address that it sees to `X-Forwarded-For`. The [audit log](audit-log.md) and the bound on failed sign-ins go by that address.",
    }),
    keepAliveSeconds: variable("TENANTRY_KEEP_ALIVE_S", bound(75, 1, 3_600), {
      unit: "seconds",
      meaning:
        "How long a connection stays open on which nothing is asked. It must be longer than the [balancer](../how-to/deploy.md#behind-a-balancer) in front keeps one: else the balancer sends a request on a connection that is being closed, and answers 502. Most keep one for 60 s.",
    }),
    drainSeconds: variable("TENANTRY_DRAIN_S", bound(0, 0, 600), {
      unit: "seconds",
      meaning:
        "How long a process that was told to stop goes on answering, while `/health/ready` is 503. It must be longer than what is in front takes to [send requests elsewhere](../how-to/several-processes.md#stopping).",
    }),
    /** Undefined: in development only. */
    introspection: variable("TENANTRY_INTROSPECTION", choice(), {
      meaning: "Whether everybody may ask for the schema. The operator always may.",
      otherwise: "`true` in development, else `false`",
    }),
    /** Undefined: yes. */
    explorer: variable("TENANTRY_EXPLORER", choice(), {
      meaning: "Whether the explorer's pages are served. With `false` they are not found.",
      otherwise: "`true`",
    }),
    /** Undefined: yes. */
    console: variable("TENANTRY_CONSOLE", choice(), {
      meaning:
        "Whether [the console](../how-to/console.md) is served, the operator's page at `/console`. With `false` it is not found.",
      otherwise: "`true`",
    }),
    persistedOperationsFile: variable("TENANTRY_PERSISTED_OPERATIONS", z.string().min(1).optional(), {
      meaning: "A file of [known operations](limits-and-points.md#known-operations).",
      example: "/etc/tenantry/operations.json",
    }),
    persistedOperationsOnly: variable("TENANTRY_PERSISTED_OPERATIONS_ONLY", flag(), {
      meaning: "With `true` only the operations of the file above run.",
    }),
    maxConnections: variable("TENANTRY_MAX_CONNECTIONS", bound(60, LEAST_CONNECTIONS, 10_000), {
      unit: "connections",
      meaning: `How many connections to PostgreSQL the API of one process opens: ${API_HOME_CONNECTIONS} to home, and the others to tenant databases, however many there are. A caller that waits 5 s for one gets \`LIMIT_EXCEEDED\`. A tenant database that a subscription follows takes one connection more. Jobs and replication have connections of their own.`,
    }),
    maxConnectionsPerServer: variable("TENANTRY_MAX_CONNECTIONS_PER_SERVER", bound(24, 1, 10_000), {
      unit: "connections",
      meaning: "How many of them may go to one server.",
    }),
  },
};

/** The settings of the HTTP server, of the API, and of its connections to tenant databases. */
export function apiSettings(values: ValuesOf<typeof API>) {
  const { port, host, sharePort, everybodyIsOperator, maxConnections, maxConnectionsPerServer, ...rest } = values;
  const { persistedOperationsFile: file, persistedOperationsOnly: only, ...api } = rest;
  if (only && file === undefined)
    throw refused("TENANTRY_PERSISTED_OPERATIONS_ONLY needs TENANTRY_PERSISTED_OPERATIONS: nothing could run.");
  for (const origin of api.corsOrigins)
    if (origin !== "*" && (!URL.canParse(origin) || new URL(origin).origin !== origin))
      throw refused(
        "TENANTRY_CORS_ORIGINS must be origins as browsers send them, such as https://app.example.com, or * for all.",
      );
  if (api.corsHeaders.some((name) => !/^[a-z0-9-]+(-\*)?$/i.test(name)))
    throw refused(
      "TENANTRY_CORS_HEADERS must be names of headers, such as x-client-build, or beginnings of such names, such as x-acme-*.",
    );
  return {
    port,
    host,
    sharePort,
    everybodyIsOperator,
    /** Of the API to tenant databases: in total, and to each server. */
    connections: { max: maxConnections - API_HOME_CONNECTIONS, maxPerServer: maxConnectionsPerServer },
    api: { ...api, persistedOperations: file === undefined ? undefined : { file, only } },
  };
}
