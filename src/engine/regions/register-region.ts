/** Registering a region and changing one, each with a try of what its server and home's will have to do. */
import type { Actor } from "#engine/auth/actor";
import * as regions from "#engine/regions/regions";
import type { Services } from "#engine/services";
import { requireTrials } from "#engine/regions/try-server";

/** Registers a server as a region, for the operator. Errors as {@link regions.registerRegion}. */
export function registerRegion(
  services: Services,
  actor: Actor,
  input: Parameters<typeof regions.registerRegion>[2],
): Promise<regions.Region> {
  return regions.registerRegion(services, actor, input, (address, probe) => requireTrials(services, address, probe));
}

/** Changes a region, for the operator. Errors as {@link regions.changeRegion}. */
export function updateRegion(services: Services, actor: Actor, input: regions.RegionChange): Promise<regions.Region> {
  return regions.changeRegion(services, actor, input, (address, probe) => requireTrials(services, address, probe));
}
