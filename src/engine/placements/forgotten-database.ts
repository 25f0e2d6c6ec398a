import type { Placement } from "#engine/home/placements";
import { TenantryError } from "#base/kernel/errors";
import type { TenantDatabase } from "#base/postgres/database";

/**
 * A home that was restored, or whose standby took over, may have forgotten a grant and give its database's number again. The
 * database knows for whom it was made. CONFLICT where a database of one's own holds another organization's rows: it is neither
 * to be used nor to be dropped.
 */
export async function refuseForgotten(
  database: TenantDatabase,
  { isolation, organizationId, database: name }: Placement,
): Promise<void> {
  if (isolation === "SHARED") return;
  const others = await database.query(
    "identity.others",
    `(select from tenantry.directory_organizations where organization_id <> $1 limit 1)
     union all (select from tenantry.resources where organization_id <> $1 limit 1)`,
    [organizationId],
  );
  if (others.length > 0)
    throw new TenantryError(
      "CONFLICT",
      `The database ${name} on the region's server is another organization's, whom home has forgotten: rename it, then retry.`,
    );
}
