/** What a server must be and have to serve as a region. Pure: the probe goes in, the first obstacle comes out. */
import { type Provider, type ServerProbe, startsWorkersSlowly, SUPPORTED_MAJORS } from "#base/postgres/probe";

/** One sentence that says what is wrong and what to do; undefined when the server will do. */
export function whyUnfit(probe: ServerProbe): string | undefined {
  const major = Math.floor(probe.versionNumber / 10_000);
  if (major < SUPPORTED_MAJORS.min || major > SUPPORTED_MAJORS.max)
    return `The server runs PostgreSQL ${probe.version}; versions ${SUPPORTED_MAJORS.min} to ${SUPPORTED_MAJORS.max} are supported.`;
  if (probe.inRecovery) return "The server is a read-only standby: register its primary.";
  if (probe.walLevel !== "logical")
    return (
      `The server has wal_level = ${probe.walLevel}, and replication needs logical. ` +
      "Run ALTER SYSTEM SET wal_level = logical; and restart the server (on a managed server, set it in its configuration)."
    );
  if (!probe.canCreateDatabases)
    return `The role ${probe.role} may not create databases. As a superuser run: ALTER ROLE ${probe.role} CREATEDB;`;
  if (!probe.canReplicate)
    return `The role ${probe.role} may not replicate. As a superuser run: ALTER ROLE ${probe.role} REPLICATION;`;
  if (!probe.canCreateRoles)
    return `The role ${probe.role} may not create roles, and the API gets one of its own. As a superuser run: ALTER ROLE ${probe.role} CREATEROLE;`;
  return subscriptionObstacle(probe, major) ?? headroomObstacle(probe);
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

function subscriptionObstacle(probe: ServerProbe, major: number): string | undefined {
  if (probe.subscriptionMethod !== null) return undefined;
  const { role } = probe;
  const cannot = `The role ${role} may not create subscriptions.`;
  if (probe.provider !== null) return `${cannot} ${GRANTS[probe.provider](role)}`;
  return major >= 16
    ? `${cannot} As a superuser run: GRANT pg_create_subscription TO ${role};`
    : `${cannot} On PostgreSQL 15 that takes a superuser or the extension aiven_extras on the server: register with a superuser, or install the extension.`;
}

/** Beyond it the order of a list over several regions is visibly wrong. */
const MAX_CLOCK_DIFFERENCE_MS = 1_000;

/** What would do better than it does, in one sentence each: nothing that keeps the server from being used. */
export function findAdvice(probe: ServerProbe): string[] {
  const advice: string[] = [];
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
