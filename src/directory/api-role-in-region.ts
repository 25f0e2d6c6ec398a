/** The API's role on a region's server. */
import { type ApiRole, ensureApiRole } from "#directory/api-role";
import { regionServer } from "#directory/regions";
import { MAINTENANCE_DATABASE } from "#directory/server-probe";
import type { SecretBox } from "#kernel/secret-box";
import type { HomeDatabase } from "#postgres/database";
import type { Pools } from "#postgres/pools";

/** The same as {@link ensureApiRole} on a region's server. */
export async function ensureApiRoleIn(
  context: { home: HomeDatabase; pools: Pools; secrets: SecretBox; apiRole: ApiRole },
  regionId: string,
): Promise<void> {
  const { pools, apiRole } = context;
  const { address, systemIdentifier } = await regionServer(context, regionId);
  const database = MAINTENANCE_DATABASE;
  const server = pools.open("server", address, database);
  await ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database });
}
