/**
 * Provision: makes a placement's tenant database and its two links real. Reads the real state of the servers and
 * does what is missing, so that it can run again after a crash at any point.
 */
import { MAINTENANCE_DATABASE, regionAddress } from "#directory/regions";
import { getPlacement, type Placement, setPlacementState } from "#directory/placements";
import { OPERATOR } from "#auth/actor";
import { TenantryError } from "#kernel/errors";
import { redactedMessage } from "#kernel/redaction";
import { TENANT_SCHEMA } from "#migrations/migration-set";
import type { ServerAddress } from "#postgres/connection-url";
import type { ServerDatabase, TenantDatabase } from "#postgres/database";
import { quoteIdentifier, quoteLiteral } from "#postgres/identifiers";
import { isConnectionFailure, SQL_STATE, sqlState } from "#postgres/sql-state";
import { establishLink } from "#replication/establish";
import { nudge } from "#replication/nudge";
import { ensureTemplate } from "#operations/template-database";
import type { Services } from "#operations/services";
import { tenantLinks } from "#operations/tenant-links";

/** Brings the placement to ACTIVE. On failure writes FAILED with one sentence and throws, so that the job is tried again. */
export async function provisionPlacement(services: Services, placementId: string): Promise<void> {
  const placement = await getPlacement(services, OPERATOR, placementId);
  if (placement.state !== "PROVISIONING" && placement.state !== "FAILED") return;
  try {
    const address = await regionAddress(services, placement.regionId);
    const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
    await ensureDatabase(services, server, address, placement);
    const database = services.pools.open("tenant", address, placement.database);
    await ensureIdentity(services, database, placement);
    const links = await tenantLinks(services, placement);
    await Promise.all([establishLink(links.directory), establishLink(links.catalog)]);
    await services.home.query(
      "tenant_databases.set_version",
      "update tenantry.tenant_databases set schema_version = $2 where id = $1",
      [placement.databaseId, TENANT_SCHEMA.latestVersion],
    );
    await setPlacementState(services, placement.id, "ACTIVE");
    // From now on its carrier looks after it; what changed since the seed is waiting in the slots.
    await nudge(services.home, [
      { databaseId: placement.databaseId, direction: "directory" },
      { databaseId: placement.databaseId, direction: "catalog" },
    ]);
  } catch (error) {
    await setPlacementState(services, placement.id, "FAILED", describeFailure(error));
    throw error;
  }
}

async function ensureDatabase(
  services: Services,
  server: ServerDatabase,
  address: ServerAddress,
  placement: Placement,
): Promise<void> {
  const { installation, pools } = services;
  const template = await ensureTemplate({ pools, server, address, installation });
  const name = quoteIdentifier(placement.database);
  try {
    await server.query(
      "databases.create",
      `create database ${name} template ${quoteIdentifier(template)} strategy wal_log`,
    );
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.duplicateDatabase) throw error;
  }
  // By default every role of the server may connect to a new database.
  await server.query("databases.protect", `revoke all on database ${name} from public`);
  await server.query(
    "databases.describe",
    `comment on database ${name} is ${quoteLiteral(`Tenantry installation ${installation}, tenant database ${placement.databaseId}`)}`,
  );
}

/** Writes into the database which one it is. Refuses a database that says it is another one. */
async function ensureIdentity(services: Services, database: TenantDatabase, placement: Placement): Promise<void> {
  const [identity] = await database.query<{ installation_id: string; database_id: number }>(
    "identity.ensure",
    `with added as (
       insert into tenantry.identity (installation_id, database_id) values ($1, $2)
       on conflict do nothing returning installation_id, database_id
     )
     select * from added union all select installation_id, database_id from tenantry.identity limit 1`,
    [services.installation, placement.databaseId],
  );
  if (identity?.installation_id !== services.installation || identity.database_id !== placement.databaseId)
    throw new TenantryError(
      "CONFLICT",
      `The database ${placement.database} on the region's server belongs to something else: rename or drop it.`,
    );
}

/** Why it failed, in one sentence for the placement's `failure`. */
function describeFailure(error: unknown): string {
  if (error instanceof TenantryError) return error.message;
  if (isConnectionFailure(error)) return "The region's server cannot be reached.";
  const state = sqlState(error);
  if (state === SQL_STATE.diskFull) return "The region's server has no disk space left.";
  if (state === SQL_STATE.queryCanceled)
    return "The region's server took too long; a long transaction that writes may be open on it.";
  return `PostgreSQL refused: ${redactedMessage(error)}`;
}
