/** Gives the links of tenant databases other passwords, as when a server that keeps them was read by somebody. */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { REGION_CHANNEL, getRegion } from "#engine/regions/regions";
import type { Services } from "#engine/services";

/** How many tenant databases, in how many regions, have links with other passwords now. */
export type RotatedPasswords = { databases: number; regions: number };

/**
 * For the operator: of the tenant databases of one region, or of all when `regionKey` is left out. From then on gateways
 * refuse the passwords before, and end what was signed in with them. Each subscription is told its new one before it is
 * woken. NOT_FOUND, with nothing changed, when there is no such region.
 */
export async function rotateLinkPasswords(
  services: Pick<Services, "home">,
  actor: Actor,
  regionKey?: string,
): Promise<RotatedPasswords> {
  authorizeOperator(actor);
  const regionId = regionKey === undefined ? null : (await getRegion(services, regionKey)).id;
  const regions = await services.home.query<{ databases: number }>(
    "links.rotate_passwords",
    `with rotated as (
       update tenantry.tenant_databases set credential_generation = credential_generation + 1
       where $1::uuid is null or region_id = $1 returning region_id
     ), of_region as (
       select region_id, count(*)::int as databases from rotated group by region_id
     )
     -- Its gateways and its carrier hear of it once the passwords are others.
     select databases, pg_notify($2, region_id::text) from of_region`,
    [regionId, REGION_CHANNEL],
  );
  return { databases: regions.reduce((sum, { databases }) => sum + databases, 0), regions: regions.length };
}
