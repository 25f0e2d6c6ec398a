/** The composition root: puts the parts together for a role, and takes them apart in order. */
import { JOURNEY } from "#app/journey";
import { TENANT_SCHEMA } from "#app/schema";
import type { Gateway } from "#engine/border/gateway";
import { createSignIn, type SignInOptions } from "#engine/auth/create-sign-in";
import type { Application } from "#api/graphql/define-app";
import { schema } from "#api/graphql/schema";
import { withoutApp } from "#api/graphql/without-app";
import type { ApiOptions } from "#api/http/api-options";
import { type HttpServer, startHttpServer } from "#api/http/server";
import { createLogger, type LogLevel } from "#base/observability/logger";
import { Metrics } from "#base/observability/metrics";
import {
  REPLICATION_DEFAULTS,
  type ReplicationOptions,
  type ReplicationRunner,
  startReplication,
} from "#engine/links/carry-replication";
import { noticeHomeHistory } from "#engine/home/notice-home-history";
import { startJobRunner } from "#engine/jobs/job-runner";
import { type GatewaySettings, startGateway } from "#engine/links/run-gateway";
import type { Services } from "#engine/services";
import { JOB_HANDLERS } from "#job-handlers";
import { closeServices, createServices, signInAsApi } from "#services";

export type AppOptions = {
  /** What the API has besides the engine's own types; left out: the app that ships. */
  application?: Application | undefined;
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
  /** What tenant databases are brought to; left out: the tables of the app that ships. */
  tenantSchema?: Services["tenantSchema"] | undefined;
  /** Throws when what the migrations have declared is not what was expected. Nothing has started then. */
  checkTables?: ((tables: Services["tables"]) => void) | undefined;
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
  options.checkTables?.(services.tables);
  let replication: ReplicationRunner | undefined;
  let gateway: Gateway | undefined;
  if (role !== "api") {
    await noticeHomeHistory(services.home);
    gateway = await startGateway(services, options.gateway ?? { host: "127.0.0.1", port: 0 });
    rollback.defer(() => gateway?.close());
    const runner = await startJobRunner(services, JOB_HANDLERS);
    rollback.defer(() => runner.stop());
    replication = await startReplication(services, { ...REPLICATION_DEFAULTS, ...options.replication });
    rollback.defer(replication.stop);
  }
  let http: HttpServer | undefined;
  if (role !== "worker") {
    const api = await signInAsApi(services);
    const signIn = await createSignIn(api, options.signIn ?? { mode: "development" });
    http = await startHttpServer(api, signIn, { ...options, metrics, ...apiOf(options.application) });
    rollback.defer(http.close);
  }
  const running = rollback.move();
  return { url: http?.url, services, metrics, replication, gateway, close: () => running.disposeAsync() };
}

/** The one place that chooses between the app that ships and a team's own. */
function apiOf(application: Application | undefined) {
  if (application === undefined) return { schema, journey: JOURNEY };
  return { schema: withoutApp(schema), journey: application.journey ?? [] };
}
