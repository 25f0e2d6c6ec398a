/** Makes what the engine and the API work with, once per process, and takes it apart again. */
import { compareClocks } from "#base/kernel/clock";
import { SecretBox } from "#base/kernel/secret-box";
import type { Tracing } from "#base/kernel/span";
import type { Logger } from "#base/observability/logger";
import { Metrics } from "#base/observability/metrics";
import { parsePoolUrl } from "#base/postgres/connection-url";
import { Listener, Listeners, type ListenerTimes } from "#base/postgres/listener";
import { Pools } from "#base/postgres/pools";
import { RoleCache } from "#engine/auth/role-cache";
import { Border } from "#engine/border/border";
import { BorderLedger } from "#engine/border/ledger/ledger";
import { REFUSAL_CODES } from "#engine/border/ledger/refusals";
import type { EraseSql } from "#engine/erasure/erase-sql";
import { type HomeContext, openHome } from "#engine/home/home";
import { PLACEMENT_CHANNEL } from "#engine/home/placements";
import { keepHomeSchema } from "#engine/migrations/home-schema";
import { homeSchemaOf, type MigrationSet } from "#engine/migrations/migration-set";
import { latestOf, oldestServedOf } from "#engine/migrations/schema-version";
import { DeclaredTables } from "#engine/tables";
import { protectHome } from "#engine/migrations/protect-home";
import { migrate, requireLatest } from "#engine/migrations/runner";
import { requireLink } from "#engine/people/invitation-letter";
import type { InvitationTemplate } from "#engine/people/invitation-template";
import { countMails, logMailer, type Mailer, noMailer, smtpMailer } from "#engine/people/mail";
import { compareDatabases } from "#engine/doctor/find-drift";
import { openReadings } from "#engine/readings/readings";
import { ensureApiRole, loadApiRole } from "#engine/regions/api-role";
import { Ownership } from "#engine/regions/ownership";
import { requirePooler } from "#engine/regions/pooler";
import { REGION_CHANNEL } from "#engine/regions/regions";
import { reportBroken, reportReach } from "#engine/regions/report-reach";
import { announceServers } from "#engine/regions/server-answers";
import { apiRoleName } from "#engine/replication/names";
import { parseCoordinates } from "#engine/regions/coordinates";
import { NudgeDesk } from "#engine/replication/nudge";
import { Router } from "#engine/routing/routing";
import type { Services } from "#engine/services";
import { hidingCollector, type Settings } from "#config";

/** To home, per process, for the API; a part of what base/kernel/limits.ts counts. */
const MAX_API_CONNECTIONS = 16;

/** The settings that services go by. What is left out is the default. */
type ServicesSettings = Partial<
  Pick<
    Settings,
    | "databasePoolUrl"
    | "previousSecretKeys"
    | "exportFolder"
    | "readyDatabases"
    | "homeCoordinates"
    | "mail"
    | "invitationUrl"
    | "connections"
  >
>;

type ServicesOptions = ServicesSettings & {
  databaseUrl: string;
  secretKey: string;
  logger: Logger;
  /** Left out: nobody asks this process for them. */
  metrics?: Metrics | undefined;
  /** Left out: traces are off. */
  tracing?: Tracing | undefined;
  /** Whether mails go to the log where there is no mail server; true when left out. */
  mailsInLog?: boolean;
  /** Whether to bring home to the latest schema; else a home that is not is refused. */
  migrateHome?: boolean;
  /** What tenant databases are migrated to. */
  tenantSchema: MigrationSet;
  /** What erasing somebody does to the app's tables besides. */
  eraseSql?: EraseSql | undefined;
  /** The team's own letter of invitation; left out: the one that ships. */
  invitationTemplate?: InvitationTemplate | undefined;
  /** How often it is proved that home is heard; for tests. */
  listening?: Partial<ListenerTimes> | undefined;
};

/** What makes spans is loaded only where they are wanted. */
export async function openTracing(settings: Settings["traces"], logger: Logger): Promise<Tracing | undefined> {
  if (settings === undefined) return undefined;
  const { startTracing } = await import("#base/observability/otel");
  return startTracing({ ...settings, hidingCollector }, logger);
}

/** Opens home, migrates it and connects the listener. Throws the reason in one sentence when home cannot be used. */
export async function createServices(options: ServicesOptions): Promise<Services> {
  const { logger, tenantSchema, eraseSql, metrics = new Metrics() } = options;
  const { databasePoolUrl, homeCoordinates: place } = options;
  const homeCoordinates = place === undefined ? null : parseCoordinates("TENANTRY_HOME_COORDINATES", place);
  const letters = requireLink({ invitationUrl: options.invitationUrl, template: options.invitationTemplate });
  const homePooler = databasePoolUrl === undefined ? undefined : parsePoolUrl(databasePoolUrl, "DATABASE_POOL_URL");
  const secrets = new SecretBox(options.secretKey, options.previousSecretKeys);
  const pools = new Pools(reportBroken(logger), {}, options.connections);
  try {
    const { homeContext, tables } = await openTables(pools, options);
    const { home, installation } = homeContext;
    const apiRole = await loadApiRole(home, secrets, apiRoleName(installation));
    const ownership = await Ownership.open({
      ...homeContext,
      pools,
      secrets,
      apiRole,
      report: (sentence) => logger.error(sentence),
    });
    const border = await Border.open(home, installation, secrets);
    const router = new Router({
      home,
      pools,
      secrets,
      served: { oldest: oldestServedOf(tenantSchema), latest: latestOf(tenantSchema) },
      signInAsApi: (address, systemIdentifier) => apiRole.on(address, systemIdentifier),
      requireOwned: (regionId) => ownership.requireForContent(regionId),
    });
    const onBroken = (error: unknown) => logger.warn({ err: error }, "a listening connection broke");
    const forgetful = { router, ownership };
    const { listener, roleCache, nudges } = await startListening(home, forgetful, onBroken, options.listening);
    const listeners = new Listeners(onBroken);
    reportReach({ pools, logger });
    announceServers({ home, pools }, (error) => logger.debug({ err: error }, "good news was not announced"));
    const { exportFolder, readyDatabases = 0 } = options;
    const mailer = countMails(createMailer(options), metrics);
    metrics.expectBorderRefusals(REFUSAL_CODES);
    const ledger = new BorderLedger({ home: homeContext.home, logger, metrics });
    const services: Omit<Services, "readings" | "compareDatabases"> = {
      ...homeContext,
      homePooler,
      pools,
      secrets,
      apiRole,
      ownership,
      router,
      roleCache,
      border,
      tenantSchema,
      tables,
      eraseSql,
      listener,
      listeners,
      nudges,
      ledger,
      mailer,
      letters,
      exportFolder,
      readyDatabases,
      homeCoordinates,
      metrics,
      logger,
      tracing: options.tracing,
    };
    return withReadings(services);
  } catch (error) {
    await pools.close();
    throw error;
  }
}

/** What is made of the rest, and is a part of it. */
function withReadings(rest: Omit<Services, "readings" | "compareDatabases">): Services {
  const services = rest as Services;
  services.readings = openReadings(services);
  services.compareDatabases = (rows, timeoutMs) => compareDatabases(services, rows, timeoutMs);
  return services;
}

/** Opens home at the schema of the app's tables, and reads what these are. */
async function openTables(
  pools: Pools,
  options: { databaseUrl: string; tenantSchema: MigrationSet; migrateHome?: boolean },
) {
  const { tenantSchema, migrateHome = true } = options;
  const homeSchema = homeSchemaOf(tenantSchema);
  const homeContext = await openHome(pools, options.databaseUrl, (home) =>
    migrateHome ? migrate(home, homeSchema) : requireLatest(home, homeSchema),
  );
  const tables = await DeclaredTables.read(homeContext.home, tenantSchema);
  if (migrateHome) {
    await protectHome(homeContext.home, tables.served());
    await keepHomeSchema(homeContext.home, homeSchema, apiRoleName(homeContext.installation));
  }
  return { homeContext, tables };
}

/** What this process hears of others through home. */
async function startListening(
  home: HomeContext["home"],
  { router, ownership }: Pick<Services, "router" | "ownership">,
  onBroken: (error: unknown) => void,
  times: Partial<ListenerTimes> = {},
) {
  const listener = new Listener(home, onBroken, { ...times, hearClock: compareClocks });
  listener.onHearing((isHearing) => router.hear(isHearing));
  for (const channel of [PLACEMENT_CHANNEL, REGION_CHANNEL]) await listener.on(channel, () => router.forget());
  await listener.on(REGION_CHANNEL, () => ownership.forgetRefusals());
  const roleCache = new RoleCache(home);
  await roleCache.listen(listener);
  const nudges = new NudgeDesk(home);
  await nudges.listen(listener);
  await listener.start();
  return { listener, roleCache, nudges };
}

function createMailer({ mail, mailsInLog, logger }: ServicesOptions): Mailer {
  if (mail !== undefined) return smtpMailer(mail.smtpUrl, mail.from);
  return mailsInLog === false ? noMailer() : logMailer(logger);
}

/**
 * The same for the API: home is signed in to with the API's own role, through the pooler if there is one. Makes the
 * role's password when it has none yet. CAPABILITY_MISSING when that may not be done, INVALID_INPUT when the pooler
 * will not do.
 */
export async function signInAsApi(services: Services): Promise<Services> {
  const { pools, apiRole, home: server, homeAddress: address, homeSystemIdentifier: systemIdentifier } = services;
  const database = services.homeDatabaseName;
  const at = { server, address, systemIdentifier, database };
  const refusal = await ensureApiRole(pools, apiRole, at);
  if (refusal !== undefined) throw refusal;
  const { homePooler: pooler } = services;
  if (pooler !== undefined) await requirePooler(services, pooler, at, "DATABASE_POOL_URL");
  const home = pools.open("home", apiRole.on(address, systemIdentifier), database, {
    maxConnections: MAX_API_CONNECTIONS,
    pooler,
    forCallers: true,
  });
  return { ...services, home };
}

export async function closeServices(services: Services): Promise<void> {
  services.mailer.close();
  await services.ledger.close();
  await Promise.all([services.listener.close(), services.listeners.close()]);
  await services.pools.close();
}
