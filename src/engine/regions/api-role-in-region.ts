/** The API's role on a region's server. */
import { type ApiRole, ensureApiRole } from "#engine/regions/api-role";
import type { Ownership } from "#engine/regions/ownership";
import { regionServer } from "#engine/regions/regions";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { SecretBox } from "#base/kernel/secret-box";
import type { HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";

/** The same as {@link ensureApiRole} on a region's server. CONFLICT where another home owns it. */
export async function ensureApiRoleIn(
  context: { home: HomeDatabase; pools: Pools; secrets: SecretBox; apiRole: ApiRole; ownership: Ownership },
  regionId: string,
): Promise<void> {
  const { pools, apiRole, ownership } = context;
  await ownership.require(regionId);
  const { address, systemIdentifier } = await regionServer(context, regionId);
  const database = MAINTENANCE_DATABASE;
  const server = pools.open("server", address, database);
  await ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database });
}
