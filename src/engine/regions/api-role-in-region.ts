/** The API's role on a region's server. */
import { type ApiRole, ensureApiRole } from "#engine/regions/api-role";
import { regionServer } from "#engine/regions/regions";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { SecretBox } from "#base/kernel/secret-box";
import type { HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";

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
