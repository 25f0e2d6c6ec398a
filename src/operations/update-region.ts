import type { Actor } from "#auth/actor";
import { changeRegion, type Region, type RegionChange } from "#directory/regions";
import { onRegion, requestOperation, requesterOf } from "#operations/operation";
import type { Services } from "#operations/services";

/**
 * Changes a region's name or pooler, or rotates its server's addresses or passwords. New ones are used at once, and an operation
 * writes them into the subscriptions; what is written meanwhile waits in the slots. For the operator. Errors as
 * {@link changeRegion}.
 */
export async function updateRegion(services: Services, actor: Actor, input: RegionChange): Promise<Region> {
  const { region, addressChanged } = await changeRegion(services, actor, input);
  if (addressChanged)
    await requestOperation(services.home, requesterOf(actor), onRegion("renew-subscriptions", region.id));
  return region;
}
