/** What a server must be and have to serve as a region. Pure: the probe goes in, the first obstacle comes out. */
import { type ServerProbe, SUPPORTED_MAJORS } from "#postgres/probe";

/** One sentence that says what is wrong and what to do; undefined when the server will do. */
export function findObstacle(probe: ServerProbe): string | undefined {
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

function subscriptionObstacle(probe: ServerProbe, major: number): string | undefined {
  if (probe.subscriptionMethod !== null) return undefined;
  if (major >= 16)
    return `The role ${probe.role} may not create subscriptions. As a superuser run: GRANT pg_create_subscription TO ${probe.role};`;
  const extension = probe.aivenExtras
    ? " The extension aiven_extras is there but this version of Tenantry does not use it yet."
    : "";
  return `The role ${probe.role} may not create subscriptions, which takes a superuser on PostgreSQL 15.${extension}`;
}

function headroomObstacle(probe: ServerProbe): string | undefined {
  const full = probe.headroom.find(({ limit, used }) => limit - used < 1);
  if (full === undefined) return undefined;
  return `The server has no headroom: ${full.setting} is ${full.limit} and ${full.used} are in use. Raise it and restart the server.`;
}
