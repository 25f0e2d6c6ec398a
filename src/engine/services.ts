/** Everything that jobs and the API work with, made once per process by the composition root. */
import { type ApiRole, ensureApiRole, loadApiRole } from "#engine/regions/api-role";
import { type HomeContext, openHome } from "#engine/home/home";
import { requirePooler } from "#engine/regions/pooler";
import { BorderLedger } from "#engine/border/ledger/ledger";
import { Seats } from "#engine/auth/seats";
import { DeclaredTables } from "#engine/tables";
import { SecretBox } from "#base/kernel/secret-box";
import { homeSchemaOf, type MigrationSet } from "#engine/migrations/migration-set";
import { protectHome } from "#engine/migrations/protect-home";
import { migrate, requireLatest } from "#engine/migrations/runner";
import { logMailer, type Mailer, noMailer, smtpMailer } from "#engine/people/mail";
import type { Logger } from "#base/observability/logger";
import { Border } from "#engine/border/border";
import type { Metrics } from "#base/observability/metrics";
import { parsePoolUrl, type PoolerAddress } from "#base/postgres/connection-url";
import type { HomeDatabase } from "#base/postgres/database";
import { Listener, Listeners } from "#base/postgres/listener";
import { Pools } from "#base/postgres/pools";
import { apiRoleName } from "#engine/replication/names";
import { NudgeDesk } from "#engine/replication/nudge";
import { Router } from "#engine/routing/routing";

export type Services = HomeContext & {
  /** By which the API reaches home; undefined: it reaches home itself. */
  homePooler: PoolerAddress | undefined;
  pools: Pools;
  secrets: SecretBox;
  /** What the API signs in with, on home's server and the regions'. */
  apiRole: ApiRole;
  router: Router;
  /** Who may do what with content, as it was a moment ago. */
  seats: Seats;
  /** What subscribers are told of the gateway. */
  border: Border;
  /** What tenant databases are migrated to, and what each of its versions lets flow. */
  tenantSchema: MigrationSet;
  /** What the app's migrations say about its tables. */
  tables: DeclaredTables;
  /** Hears what other processes announce at home. */
  listener: Listener;
  /** Hears what tenant databases announce, while somebody follows it. */
  listeners: Listeners;
  /** Tells carriers that something waits, and hears when it has arrived. */
  nudges: NudgeDesk;
  /** Counts what crosses between home and the regions, and what is refused there. */
  ledger: BorderLedger;
  /** Sends letters. */
  mailer: Mailer;
  /** Where exports before a revocation go; undefined: nowhere. */
  exportFolder: string | undefined;
  logger: Logger;
};

/** To home, per process, for the API; a part of what base/kernel/limits.ts counts. */
const MAX_API_CONNECTIONS = 16;

/** Channel on which home announces the id of a region whose address, name or standing changed. */
export const REGION_CHANNEL = "tenantry_region";

/** Channel on which home announces the id of a placement that changed. */
export const PLACEMENT_CHANNEL = "tenantry_placement";

/** Opens home, migrates it and connects the listener. Throws the reason in one sentence when home cannot be used. */
export async function createServices(options: {
  databaseUrl: string;
  databasePoolUrl?: string | undefined;
  secretKey: string;
  previousSecretKeys?: readonly string[] | undefined;
  logger: Logger;
  /** Left out: nobody asks this process for metrics. */
  metrics?: Metrics | undefined;
  exportFolder?: string | undefined;
  /** Left out: letters go to the log, or are refused. */
  mail?: { smtpUrl: string; from: string } | undefined;
  /** Whether letters go to the log where there is no mail server; true when left out. */
  lettersInLog?: boolean;
  /** Whether to bring home to the latest schema; else a home that is not is refused. */
  migrateHome?: boolean;
  /** Of the API to tenant databases; left out: the defaults. */
  connections?: { max: number; maxPerServer: number } | undefined;
  /** What tenant databases are migrated to. */
  tenantSchema: MigrationSet;
}): Promise<Services> {
  const { logger, tenantSchema, databasePoolUrl, exportFolder } = options;
  const homeSchema = homeSchemaOf(tenantSchema);
  const homePooler = databasePoolUrl === undefined ? undefined : parsePoolUrl(databasePoolUrl, "DATABASE_POOL_URL");
  const secrets = new SecretBox(options.secretKey, options.previousSecretKeys);
  const pools = new Pools((error) => logger.warn({ err: error }, "an idle connection broke"), {}, options.connections);
  try {
    const homeContext = await openHome(pools, options.databaseUrl, (home) =>
      options.migrateHome === false ? requireLatest(home, homeSchema) : migrateHome(home, homeSchema),
    );
    const { home, installation } = homeContext;
    const tables = await DeclaredTables.read(home, tenantSchema);
    if (options.migrateHome !== false) await protectHome(home, tables.served());
    const apiRole = await loadApiRole(home, secrets, apiRoleName(installation));
    const border = await Border.open(home, installation, secrets);
    const router = new Router({
      home,
      pools,
      secrets,
      latestVersion: tenantSchema.latestVersion,
      signInAsApi: (address, systemIdentifier) => apiRole.on(address, systemIdentifier),
    });
    const onBroken = (error: unknown) => logger.warn({ err: error }, "a listening connection broke");
    const { listener, seats, nudges } = await startListening(homeContext.home, router, onBroken);
    const listeners = new Listeners(onBroken);
    const mailer = createMailer(options);
    const ledger = new BorderLedger({ home: homeContext.home, logger, metrics: options.metrics });
    return {
      ...homeContext,
      homePooler,
      pools,
      secrets,
      apiRole,
      router,
      seats,
      border,
      tenantSchema,
      tables,
      listener,
      listeners,
      nudges,
      ledger,
      mailer,
      exportFolder,
      logger,
    };
  } catch (error) {
    await pools.close();
    throw error;
  }
}

/** What this process hears of others through home. */
async function startListening(home: HomeContext["home"], router: Router, onBroken: (error: unknown) => void) {
  const listener = new Listener(home, onBroken);
  for (const channel of [PLACEMENT_CHANNEL, REGION_CHANNEL]) await listener.on(channel, () => router.forget());
  const seats = new Seats(home);
  await seats.listen(listener);
  const nudges = new NudgeDesk(home);
  await nudges.listen(listener);
  await listener.start();
  return { listener, seats, nudges };
}

async function migrateHome(home: HomeDatabase, schema: MigrationSet): Promise<void> {
  await migrate(home, schema);
}

function createMailer({
  mail,
  lettersInLog,
  logger,
}: {
  mail?: { smtpUrl: string; from: string } | undefined;
  lettersInLog?: boolean;
  logger: Logger;
}): Mailer {
  if (mail !== undefined) return smtpMailer(mail.smtpUrl, mail.from);
  return lettersInLog === false ? noMailer() : logMailer(logger);
}

/**
 * The same for the API: home is signed in to with the API's own role, through the pooler if there is one. Makes the role's password when it has none yet.
 * CAPABILITY_MISSING when that may not be done, INVALID_INPUT when the pooler will not do.
 */
export async function signInAsApi(services: Services): Promise<Services> {
  const { pools, apiRole, home: server, homeAddress: address, homeSystemIdentifier: systemIdentifier } = services;
  const database = services.homeDatabaseName;
  const at = { server, address, systemIdentifier, database };
  await ensureApiRole(pools, apiRole, at);
  const { homePooler: pooler } = services;
  if (pooler !== undefined) await requirePooler(services, pooler, at, "DATABASE_POOL_URL");
  const home = pools.open("home", apiRole.on(address, systemIdentifier), database, {
    maxConnections: MAX_API_CONNECTIONS,
    pooler,
  });
  return { ...services, home };
}

export async function closeServices(services: Services): Promise<void> {
  services.mailer.close();
  await services.ledger.close();
  await Promise.all([services.listener.close(), services.listeners.close()]);
  await services.pools.close();
}
