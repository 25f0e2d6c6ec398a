/**
 * A stage for attacks: a home and two regions, each a server of its own. Whoever attacks is the superuser of `eu`, and may also
 * stand between `eu` and everybody who connects to it. `us` and home belong to others.
 */
import type { GatewaySettings } from "../../src/engine/links/run-gateway.ts";
import type { ReplicationOptions } from "../../src/engine/links/replication-options.ts";
import { packageWithAivenExtras } from "./aiven-extras.ts";
import { majorVersionOf, serverUrl, sql, startApp, type TestApp } from "./app.ts";
import { HOME_VERSION } from "./global-setup.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "./journey.ts";
import { startRewriter, type Rewriter } from "./rewriter.ts";
import { type OwnServer, startServer } from "./servers.ts";
import { createApiKey } from "./signed-in.ts";

/** How home makes its subscriptions. */
export type Method = "SUPERUSER" | "PG_CREATE_SUBSCRIPTION" | "AIVEN_EXTRAS";

const RIGHTS: Record<Method, string> = {
  SUPERUSER: "superuser",
  PG_CREATE_SUBSCRIPTION: "createdb createrole replication in role pg_create_subscription",
  AIVEN_EXTRAS: "createdb createrole replication",
};

export type StageServers = AsyncDisposable & { home: OwnServer; eu: OwnServer; us: OwnServer; euByProxy: Rewriter };

const ROOM = { max_replication_slots: "60", max_wal_senders: "40", max_worker_processes: "40" };
/** The attacker's server logs all that it is told. */
const TELLTALE = {
  logging_collector: "on",
  log_directory: "log",
  log_statement: "all",
  log_replication_commands: "on",
  log_min_error_statement: "error",
};

export async function startStageServers(): Promise<StageServers> {
  const aivenExtras = await packageWithAivenExtras(HOME_VERSION);
  const major = await majorVersionOf(`${serverUrl("eu")}/postgres`);
  const settings = {
    ...ROOM,
    ...(major >= 18 ? { max_active_replication_origins: "60" } : {}),
    max_logical_replication_workers: "20",
    wal_retrieve_retry_interval: "200ms",
  };
  const [home, eu, us] = await Promise.all([
    startServer({ binariesPackage: aivenExtras, settings }),
    startServer({ settings: { ...settings, ...TELLTALE, max_prepared_transactions: "5" } }),
    startServer({ settings }),
  ]);
  const euByProxy = await startRewriter(eu.url());
  return {
    home,
    eu,
    us,
    euByProxy,
    [Symbol.asyncDispose]: async () => {
      await euByProxy[Symbol.asyncDispose]();
      await Promise.all([home, eu, us].map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

/** The methods that the version of home's server has. */
export async function methodsOf({ home }: Pick<StageServers, "home">): Promise<Method[]> {
  const major = await majorVersionOf(home.url("postgres"));
  return major >= 16 ? ["SUPERUSER", "PG_CREATE_SUBSCRIPTION", "AIVEN_EXTRAS"] : ["SUPERUSER", "AIVEN_EXTRAS"];
}

export type Tenant = {
  organization: string;
  /** Stands in every text of theirs, and nowhere else. */
  mark: string;
  member: string;
  resource: string;
  database: string;
  databaseId: number;
  number: number;
};

export type Stage = {
  servers: StageServers;
  app: TestApp;
  method: Method;
  /** Home's database, as its server's superuser. */
  home: <Row extends object = any>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** A database of the attacker's server, that of `mine` where none is named, as its superuser. */
  eu: <Row extends object = any>(text: string, values?: unknown[], database?: string) => Promise<Row[]>;
  us: <Row extends object = any>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** Tenants of the attacked region: one in a database of its own, two in the region's shared one. */
  mine: Tenant;
  sharers: readonly [Tenant, Tenant];
  /** A tenant of the other region. */
  other: Tenant;
  /** What nobody in the region may ever read. */
  secrets: readonly string[];
  /** Writes for the other region's tenant, and returns the new row's id when home has it. */
  writeElsewhere: () => Promise<string>;
  stop: () => Promise<void>;
};

let count = 0;

export async function startStage(
  servers: StageServers,
  {
    method,
    lenient = false,
    gateway = {},
    replication = {},
  }: {
    method: Method;
    lenient?: boolean;
    gateway?: Partial<GatewaySettings>;
    replication?: Partial<ReplicationOptions>;
  },
): Promise<Stage> {
  count += 1;
  const { home, eu, us, euByProxy } = servers;
  const password = `home-password-${count}-${crypto.randomUUID()}`;
  const [role, database] = [`operator_${count}`, `home_${count}`];
  await sql(home.url("postgres"), `create role ${role} login password '${password}' ${RIGHTS[method]}`);
  await sql(home.url("postgres"), `create database ${database} owner ${role}`);
  const homeUrl = new URL(home.url(database));
  homeUrl.username = role;
  homeUrl.password = password;
  const app = await startApp({
    databaseUrl: homeUrl.href,
    gateway: { host: "127.0.0.1", port: 0, lenient, ...gateway },
    replication: {
      sweepIntervalMs: 3_600_000,
      carrier: { idleMs: 10_000, stallMs: 1_500, retryMs: 50, maxRetryMs: 500 },
      ...replication,
    },
  });
  await registerRegion(app, "eu", euByProxy.url);
  await registerRegion(app, "us", us.url());
  const atHome = <Row extends object>(text: string, values: unknown[] = []) =>
    sql<Row>(home.url(database), text, values);
  const place = (regionKey: string, isolation: "DEDICATED" | "SHARED") =>
    placeTenant(app, atHome, regionKey, isolation);
  const mine = await place("eu", "DEDICATED");
  const sharers = [await place("eu", "SHARED"), await place("eu", "SHARED")] as const;
  const other = await place("us", "DEDICATED");
  const key = await createApiKey(app);
  await createResource(app, { name: `Of home, HOME-MARK-${count}` });
  const stage: Stage = {
    servers,
    app,
    method,
    home: atHome,
    eu: (text, values, at = mine.database) => sql(eu.url(at), text, values),
    us: (text, values) => sql(us.url(other.database), text, values),
    mine,
    sharers,
    other,
    secrets: [password, key.secret, app.secretKey, other.mark, `HOME-MARK-${count}`, new URL(us.url()).password],
    writeElsewhere: async () => {
      const id = await createResource(stage.app, {
        name: `Elsewhere ${other.mark}`,
        organizationId: other.organization,
      });
      await arrived(atHome, id);
      return id;
    },
    stop: () => stage.app.stop(),
  };
  for (const { resource } of [mine, ...sharers, other]) await arrived(atHome, resource);
  return stage;
}

async function placeTenant(
  app: TestApp,
  home: Stage["home"],
  regionKey: string,
  isolation: "DEDICATED" | "SHARED",
): Promise<Tenant> {
  const mark = `MARK-${crypto.randomUUID()}`;
  const organization = await createOrganization(app, `Organization ${mark}`);
  const member = await createUser(app, `Member-${mark}`);
  await addMember(app, organization, member);
  const placement = await grant(app, organization, regionKey, isolation);
  await until("the placement is active", async () => {
    const rows = await home("select from tenantry.placements where id = $1 and state = 'ACTIVE'", [placement.id]);
    return rows.length > 0;
  });
  const resource = await createResource(app, { name: `Resource ${mark}`, organizationId: organization });
  await comment(app, resource, member, `Comment ${mark}`);
  const [row] = await home<{ databaseId: number; number: number }>(
    'select database_id as "databaseId", number from tenantry.placements where id = $1',
    [placement.id],
  );
  if (row === undefined) throw new Error("the placement is not at home");
  return { organization, mark, member, resource, database: placement.database, ...row };
}

/** Waits until home's catalog has the row. */
async function arrived(home: Stage["home"], id: string): Promise<void> {
  await until("the row is at home", async () => {
    return (await home("select from catalog.resources where id = $1", [id])).length > 0;
  });
}

/** Waits until something is so. */
export async function until(what: string, look: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  if (!(await eventually(look, timeoutMs))) throw new Error(`it never came to this: ${what}`);
}
