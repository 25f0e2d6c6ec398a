/** The composition root: puts the parts together for a role, and takes them apart in order. */
import { app as shipped } from "#app/app";
import type { Gateway } from "#engine/border/gateway";
import { createSignIn, type SignInOptions } from "#engine/auth/create-sign-in";
import type { Application } from "#api/graphql/define-app";
import { ENGINE_MODULES } from "#api/graphql/engine-modules";
import { buildSchema } from "#api/graphql/schema";
import { type HttpServer, startHttpServer } from "#api/http/server";
import { createLogger, type Logger } from "#base/observability/logger";
import type { ListenerTimes } from "#base/postgres/listener";
import { Metrics } from "#base/observability/metrics";
import type { ReplicationRunner } from "#engine/links/carry-replication";
import type { ReplicationOptions } from "#engine/links/replication-options";
import type { GatewaySettings } from "#engine/links/run-gateway";
import type { JobTimes } from "#engine/jobs/job-runner";
import type { MoveTimes } from "#engine/moves/move-placement";
import type { Services } from "#engine/services";
import { exposeInstallation } from "#metrics/installation";
import { startMetricsListener } from "#metrics/listener";
import { exposeProcess } from "#metrics/process";
import type { Settings } from "#config";
import { closeServices, createServices, openTracing, signInAsApi } from "#services";
import { startWork, type Work } from "#work";

/** The settings that were read, and what else a process is started with. */
export type AppOptions = Omit<Settings, "dataDir" | "startedByScript" | "signIn" | "gateway"> & {
  /** Left out: the one that ships. */
  application?: Application | undefined;
  /** Home is known by now, as are the embedded servers. */
  databaseUrl: string;
  secretKey: string;
  // Tests may say more of these two than the environment can.
  signIn: SignInOptions;
  gateway: GatewaySettings;
  /** Connection URLs of the embedded regions, for the explorer's examples. */
  regionUrls?: Record<string, string> | undefined;
  /** Left out: made of the settings. */
  logger?: Logger | undefined;
  /** Where log lines go instead of standard output; for tests. */
  logDestination?: { write: (line: string) => void } | undefined;
  /** Over the defaults; for tests and benchmarks. */
  replication?: Partial<ReplicationOptions> | undefined;
  /** Over the defaults; for tests. */
  jobs?: JobTimes | undefined;
  /** For tests. */
  moves?: MoveTimes | undefined;
  listening?: Partial<ListenerTimes> | undefined;
  /** Over the program's own; for tests. */
  tenantSchema?: Services["tenantSchema"] | undefined;
  /** Over the application's own; for tests. */
  eraseSql?: Services["eraseSql"];
  /** How long a caller may take nothing of its answer, in milliseconds; for tests. */
  stalledMs?: number | undefined;
  /** Throws when what the migrations have declared is not what was expected. Nothing has started then. */
  checkTables?: ((tables: Services["tables"]) => void) | undefined;
};

export type App = {
  /** Where the API is; undefined in the role `worker`. */
  url: string | undefined;
  /** Where metrics are without a key; undefined where no setting says. */
  metricsUrl: string | undefined;
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
  const { logLevel: level, logFormat: format, logDestination: destination } = options;
  const logger = options.logger ?? createLogger({ level, format, destination });
  const application = options.application ?? shipped;
  const { tenantSchema = application.tenantSchema, eraseSql = application.eraseSql } = options;
  const { invitationTemplate } = application;
  await using rollback = new AsyncDisposableStack();
  const metrics = new Metrics();
  metrics.watchProcess();
  const { role } = options;
  const tracing = await openTracing(options.traces, logger);
  if (tracing !== undefined) rollback.defer(tracing.shutdown);
  // In development whoever reads the log is the operator.
  const mailsInLog = options.signIn.mode === "development";
  const services = await createServices({
    ...options,
    tenantSchema,
    eraseSql,
    invitationTemplate,
    logger,
    metrics,
    tracing,
    mailsInLog,
  });
  rollback.defer(() => closeServices(services));
  options.checkTables?.(services.tables);
  exposeInstallation(metrics, services.readings);
  exposeProcess(metrics, services);
  let work: Work | undefined;
  if (role !== "api") {
    work = await startWork(services, options);
    rollback.defer(work.stop);
  }
  let http: HttpServer | undefined;
  if (role !== "worker") {
    if (work === undefined) void services.ownership.lookAround({ says: true });
    const api = await signInAsApi(services);
    const signIn = await createSignIn(api, options.signIn);
    const { modules, journey = [], overview } = application;
    const schema = buildSchema([...ENGINE_MODULES, ...modules]);
    http = await startHttpServer(api, signIn, { ...options, metrics, schema, journey, overview });
    rollback.defer(http.close);
  }
  const { metricsListen } = options;
  const listener =
    metricsListen === undefined ? undefined : await startMetricsListener(metricsListen, { metrics, logger });
  rollback.defer(async () => listener?.close());
  const running = rollback.move();
  const { replication, gateway } = work ?? {};
  return {
    url: http?.url,
    metricsUrl: listener?.url,
    services,
    metrics,
    replication,
    gateway,
    close: () => running.disposeAsync(),
  };
}
