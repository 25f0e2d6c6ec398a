import type { Placement } from "#engine/home/placements";
import { TenantryError } from "#base/kernel/errors";
import type { TenantTable } from "#engine/tables";
import type { TenantDatabase } from "#base/postgres/database";
import { quoteQualified } from "#base/postgres/identifiers";

/**
 * A home that was restored, or whose standby took over, may have forgotten a grant and give its database's number again. The
 * database knows for whom it was made. CONFLICT where a database of one's own holds another organization's rows: it is neither
 * to be used nor to be dropped.
 */
export async function refuseForgotten(
  database: TenantDatabase,
  { isolation, organizationId, database: name }: Placement,
  tables: readonly TenantTable[],
): Promise<void> {
  if (isolation === "SHARED") return;
  // A row that goes with another one says no more than that one.
  const looked = tables.filter(({ goesWithParent }) => !goesWithParent).map((table) => quoteQualified(table.name));
  const others = await database.query(
    "identity.others",
    ["tenantry.directory_organizations", ...looked]
      .map((table) => `(select from ${table} where organization_id <> $1 limit 1)`)
      .join(" union all "),
    [organizationId],
  );
  if (others.length > 0)
    throw new TenantryError(
      "CONFLICT",
      `The database ${name} on the region's server is another organization's, whom home has forgotten: rename it, then retry.`,
    );
}
