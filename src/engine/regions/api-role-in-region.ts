/** The API's role on a region's server. */
import { type ApiRole, beginToTry, ensureApiRole, trySigningInAsApi } from "#engine/regions/api-role";
import type { Ownership } from "#engine/regions/ownership";
import { regionServer } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { TenantryError } from "#base/kernel/errors";
import type { SecretBox } from "#base/kernel/secret-box";
import type { HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";

/** The same as {@link ensureApiRole} on a region's server. CONFLICT where another home owns it, which is asked as in {@link Ownership.require}. */
export async function ensureApiRoleIn(
  context: { home: HomeDatabase; pools: Pools; secrets: SecretBox; apiRole: ApiRole; ownership: Ownership },
  regionId: string,
  options: { maxAgeMs?: number } = {},
): Promise<TenantryError | undefined> {
  const { pools, apiRole, ownership } = context;
  ownership.refuseLost(regionId);
  const { address, systemIdentifier } = await regionServer(context, regionId);
  const database = MAINTENANCE_DATABASE;
  const server = pools.open("server", address, database);
  const at = { server, address, systemIdentifier, database };
  // Beside the other question, as the server may be far away. Nothing is written before that is answered.
  const tried = beginToTry(pools, apiRole, at);
  await ownership.require(regionId, options);
  return ensureApiRole(pools, apiRole, at, { tried });
}

/** CAPABILITY_MISSING when the API is kept out of a tenant database by the server's `pg_hba.conf`. */
export async function requireApiIn(
  context: { home: HomeDatabase; pools: Pools; secrets: SecretBox; apiRole: ApiRole },
  { regionId, database }: { regionId: string; database: string },
): Promise<void> {
  const { pools, apiRole } = context;
  const { address, systemIdentifier } = await regionServer(context, regionId);
  const refusal = await trySigningInAsApi(pools, apiRole, { address, systemIdentifier, database });
  if (refusal !== undefined) throw refusal;
}
