/** What a server must be and have to serve as a region. Pure: the probe goes in, the first obstacle comes out. */
import { quoteIdentifier } from "#base/postgres/identifiers";
import { type Provider, type ServerProbe, startsWorkersSlowly, SUPPORTED_MAJORS } from "#base/postgres/probe";

/** One sentence that says what is wrong and what to do; undefined when the server will do. */
export function whyUnfit(probe: ServerProbe): string | undefined {
  return serverObstacle(probe) ?? rightsObstacle(probe) ?? headroomObstacle(probe);
}

/** The same for home, of which the database is there already and was asked. */
export function whyHomeUnfit(probe: ServerProbe, database: string): string | undefined {
  return (
    serverObstacle(probe) ??
    encodingObstacle(probe, database) ??
    rightsObstacle(probe, database) ??
    headroomObstacle(probe)
  );
}

function serverObstacle(probe: ServerProbe): string | undefined {
  const major = majorOf(probe);
  if (major < SUPPORTED_MAJORS.min || major > SUPPORTED_MAJORS.max)
    return `The server runs PostgreSQL ${probe.version}; versions ${SUPPORTED_MAJORS.min} to ${SUPPORTED_MAJORS.max} are supported.`;
  if (probe.inRecovery) return "The server is a read-only standby: register its primary.";
  if (probe.walLevel !== "logical")
    return (
      `The server has wal_level = ${probe.walLevel}, and replication needs logical. ` +
      "Run ALTER SYSTEM SET wal_level = logical; and restart the server (on a managed server, set it in its configuration)."
    );
  if (probe.isReplica)
    return (
      "The server has session_replication_role set to something else than origin, so no trigger and no foreign key holds, " +
      `and the role ${probe.role} may not set it back for its sessions. As a superuser reset it where it is set: for the server, the database or the role.`
    );
  return undefined;
}

function encodingObstacle({ encoding }: ServerProbe, database: string): string | undefined {
  if (encoding === "UTF8") return undefined;
  const name = nameInSql(database);
  return `The database ${database} has the encoding ${encoding}, and Tenantry needs UTF8. Make another one: CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8';`;
}

/** All that is missing, so that nobody has to come back for the next one. `home`: the database that schemas are made in. */
function rightsObstacle(probe: ServerProbe, home?: string): string | undefined {
  const role = nameInSql(probe.role);
  const attributes = [
    { has: probe.canCreateDatabases, what: "create databases", attribute: "CREATEDB" },
    { has: probe.canReplicate, what: "replicate", attribute: "REPLICATION" },
    { has: probe.canCreateRoles, what: "create roles", attribute: "CREATEROLE" },
  ].filter(({ has }) => !has);
  const mayMakeSchemas = home === undefined || probe.canCreateSchemas;
  const cannot = [
    ...attributes.map(({ what }) => what),
    ...(mayMakeSchemas ? [] : [`create schemas in the database ${home}`]),
    ...(probe.subscriptionMethod === null ? ["create subscriptions"] : []),
  ];
  if (cannot.length === 0) return undefined;
  const statements = [
    ...(attributes.length === 0
      ? []
      : [`ALTER ROLE ${role} ${attributes.map(({ attribute }) => attribute).join(" ")};`]),
    ...(mayMakeSchemas ? [] : [`GRANT CREATE ON DATABASE ${nameInSql(home)} TO ${role};`]),
  ];
  const subscribing = probe.subscriptionMethod === null ? howToSubscribe(probe) : undefined;
  // One statement more where it is one; else it is a sentence of its own.
  if (subscribing?.startsWith(AS_SUPERUSER) === true) statements.push(subscribing.slice(AS_SUPERUSER.length));
  return [
    `The role ${probe.role} may not ${listOf(cannot)}.`,
    ...(statements.length === 0 ? [] : [`${AS_SUPERUSER}${statements.join(" ")}`]),
    ...(subscribing === undefined || subscribing.startsWith(AS_SUPERUSER) ? [] : [subscribing]),
  ].join(" ");
}

const AS_SUPERUSER = "As a superuser run: ";

function listOf(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** As it can be given to psql. */
function nameInSql(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdentifier(name);
}

function majorOf({ versionNumber }: ServerProbe): number {
  return Math.floor(versionNumber / 10_000);
}

/** What a provider lets be granted, since nobody is a superuser there. One sentence each. */
const GRANTS: Record<Provider, (role: string) => string> = {
  AMAZON: (role) => `On Amazon RDS or Aurora run as the master user: GRANT rds_superuser TO ${role};`,
  GOOGLE: (role) => `On Cloud SQL run as the user postgres: GRANT cloudsqlsuperuser TO ${role};`,
  AZURE: (role) => `On Azure run as the server's administrator: GRANT azure_pg_admin TO ${role};`,
  AIVEN: () => "On Aiven sign in as avnadmin, who may install the extension aiven_extras.",
  DIGITALOCEAN: () => "On DigitalOcean sign in as doadmin, who may install the extension aiven_extras.",
  UPCLOUD: () => "On UpCloud sign in as upadmin, who may install the extension aiven_extras.",
};

/** What lets the role make subscriptions, in one sentence. From 16 on a right of PostgreSQL's own comes before an extension. */
export function howToSubscribe(probe: ServerProbe): string {
  const role = nameInSql(probe.role);
  if (probe.provider !== null) return GRANTS[probe.provider](role);
  return majorOf(probe) >= 16
    ? `${AS_SUPERUSER}GRANT pg_create_subscription TO ${role};`
    : "On PostgreSQL 15 that takes a superuser or the extension aiven_extras on the server: register with a superuser, or install the extension.";
}

/** How much longer than we let slots rest the server should: for the sweep that wakes them, and for one that comes late. */
const SLOT_IDLE_MARGIN_MS = 2 * 60_000;
/** Beyond it the order of a list over several regions is visibly wrong. */
const MAX_CLOCK_DIFFERENCE_MS = 1_000;

/**
 * What would do better than it does, in one sentence each: nothing that keeps the server from being used. `maxAgeMs`: how long
 * Tenantry lets a slot rest.
 */
export function findAdvice(probe: ServerProbe, { maxAgeMs }: { maxAgeMs: number }): string[] {
  const advice: string[] = [];
  const { slotIdleLimitMs } = probe;
  if (slotIdleLimitMs !== null && slotIdleLimitMs < maxAgeMs + SLOT_IDLE_MARGIN_MS)
    advice.push(
      `The server ends replication slots that rest for ${slotIdleLimitMs / 1_000} s (idle_replication_slot_timeout), and Tenantry lets them rest for ${maxAgeMs / 1_000} s: their links are seeded anew each time. ` +
        `As a superuser run: ALTER SYSTEM SET idle_replication_slot_timeout = '1h'; or 0 for never, and reload the server's configuration, without a restart (on a managed server, set it in its configuration).`,
    );
  if (probe.slotWalLimitMb === null)
    advice.push(
      "The server sets no bound on the WAL that a replication slot keeps (max_slot_wal_keep_size = -1): when the other side is away for long, it fills the disk. " +
        "As a superuser run: ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; or what the disk can spare, and reload the server's configuration, without a restart (on a managed server, set it in its configuration). A slot that needs more is lost, and its link is seeded anew.",
    );
  if (Math.abs(probe.clockAheadMs) > MAX_CLOCK_DIFFERENCE_MS) {
    const seconds = Math.round(Math.abs(probe.clockAheadMs) / 1_000);
    const way = probe.clockAheadMs > 0 ? "ahead of" : "behind";
    advice.push(
      `Its clock is ${seconds} s ${way} home's: rows whose ids are made there, by tenantry.new_id(), are listed as if they were made then, and a reader who follows a list can miss them. Keep the servers' clocks in step, by NTP for example.`,
    );
  }
  if (!startsWorkersSlowly(probe)) return advice;
  return [
    ...advice,
    `PostgreSQL 15 starts replication workers at most every wal_retrieve_retry_interval, here ${probe.workerStartIntervalMs} ms, and a write after a rest waits for one. ` +
      "As a superuser run: ALTER SYSTEM SET wal_retrieve_retry_interval = '200ms'; and reload the server's configuration, without a restart (on a managed server, set it in its configuration).",
  ];
}

function headroomObstacle(probe: ServerProbe): string | undefined {
  const full = probe.headroom.find(({ limit, used }) => limit - used < 1);
  if (full === undefined) return undefined;
  return `The server has no headroom: ${full.setting} is ${full.limit} and ${full.used} are in use. Raise it and restart the server.`;
}
