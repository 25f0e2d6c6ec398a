/** The composition root: puts the parts together for a role, and takes them apart in order. */
import { TENANT_SCHEMA } from "#app/schema";
import type { Gateway } from "#engine/border/gateway";
import { createSignIn, type SignInOptions } from "#engine/auth/create-sign-in";
import type { ApiOptions } from "#api/http/api-options";
import { type HttpServer, startHttpServer } from "#api/http/server";
import { createLogger, type LogLevel } from "#base/observability/logger";
import { Metrics } from "#base/observability/metrics";
import type { ReplicationOptions, ReplicationRunner } from "#engine/links/carry-replication";
import type { GatewaySettings } from "#engine/links/run-gateway";
import type { Services } from "#engine/services";
import { closeServices, createServices, signInAsApi } from "#services";
import { startWork, type Work } from "#work";

export type AppOptions = {
  databaseUrl: string;
  /** The pooler by which the API reaches home; left out: it reaches home itself. */
  databasePoolUrl?: string | undefined;
  secretKey: string;
  /** Keys that stored secrets may still be encrypted with, while the key is being changed. */
  previousSecretKeys?: readonly string[] | undefined;
  /** Left out: development. */
  signIn?: SignInOptions | undefined;
  role: "all" | "api" | "worker";
  host: string;
  port: number;
  logLevel: LogLevel;
  prettyLogs: boolean;
  /** The mail server for invitations; left out: they go to the log. */
  mail?: { smtpUrl: string; from: string } | undefined;
  /** Of the API to tenant databases; left out: the defaults. */
  connections?: { max: number; maxPerServer: number } | undefined;
  /** Whether other processes may listen on the port too. */
  sharePort?: boolean;
  /** What bounds the API; left out: the defaults. */
  api?: ApiOptions | undefined;
  /** Where log lines go instead of standard output; for tests. */
  logDestination?: { write: (line: string) => void } | undefined;
  /** Where exports before a revocation go; left out: there are none. */
  exportFolder?: string | undefined;
  /** The gateway of this process, unless its role is `api`; left out: on loopback, at a port that is free. */
  gateway?: GatewaySettings | undefined;
  /** Over the defaults; for tests and benchmarks. */
  replication?: Partial<ReplicationOptions>;
  tenantSchema?: Services["tenantSchema"] | undefined;
  /** Connection URLs of the embedded regions, for the explorer's examples. */
  regionUrls?: Record<string, string>;
};

export type App = {
  /** Where the API is; undefined in the role `worker`. */
  url: string | undefined;
  services: Services;
  metrics: Metrics;
  /** What carries replication in this process; undefined in the role `api`. */
  replication: ReplicationRunner | undefined;
  /** The gateway of this process; undefined in the role `api`. */
  gateway: Gateway | undefined;
  /** Stops taking requests, finishes what runs, closes every connection. */
  close: () => Promise<void>;
};

/** Starts one process's share of Tenantry. On failure nothing of it is left running. */
export async function startApp(options: AppOptions): Promise<App> {
  const logger = createLogger({
    level: options.logLevel,
    pretty: options.prettyLogs,
    destination: options.logDestination,
  });
  const { databaseUrl, databasePoolUrl, secretKey, previousSecretKeys, role } = options;
  const tenantSchema = options.tenantSchema ?? TENANT_SCHEMA;
  await using rollback = new AsyncDisposableStack();
  const { exportFolder, mail } = options;
  const metrics = new Metrics();
  const services = await createServices({
    databaseUrl,
    databasePoolUrl,
    secretKey,
    previousSecretKeys,
    logger,
    metrics,
    tenantSchema,
    exportFolder,
    mail,
    connections: options.connections,
    // In development whoever reads the log is the operator.
    lettersInLog: (options.signIn?.mode ?? "development") === "development",
  });
  rollback.defer(() => closeServices(services));
  let work: Work | undefined;
  if (role !== "api") {
    work = await startWork(services, options);
    rollback.defer(work.stop);
  }
  let http: HttpServer | undefined;
  if (role !== "worker") {
    const api = await signInAsApi(services);
    const signIn = await createSignIn(api, options.signIn ?? { mode: "development" });
    http = await startHttpServer(api, signIn, { ...options, metrics });
    rollback.defer(http.close);
  }
  const running = rollback.move();
  const { replication, gateway } = work ?? {};
  return { url: http?.url, services, metrics, replication, gateway, close: () => running.disposeAsync() };
}
