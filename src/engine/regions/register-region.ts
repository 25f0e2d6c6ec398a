/**
 * Registering a region and changing one, each with a try of what its server and home's will have to do, and a look at whose it
 * is by its mark.
 */
import type { Actor } from "#engine/auth/actor";
import * as regions from "#engine/regions/regions";
import type { Services } from "#engine/services";
import { requireTrials } from "#engine/regions/try-server";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";

/** Registers a server as a region, for the operator. Errors as {@link regions.registerRegion}. */
export function registerRegion(
  services: Services,
  actor: Actor,
  input: Parameters<typeof regions.registerRegion>[2],
): Promise<regions.Region> {
  return regions.registerRegion(services, actor, input, checksOf(services));
}

/** Changes a region, for the operator. Errors as {@link regions.changeRegion}. What it finds changed is logged too. */
export async function updateRegion(
  services: Services,
  actor: Actor,
  input: regions.RegionChange,
): Promise<regions.ChangedRegion> {
  const region = await regions.changeRegion(services, actor, input, checksOf(services));
  if (region.changed !== undefined) services.logger.warn(region.changed);
  return region;
}

function checksOf(services: Services): regions.ServerChecks {
  const { ownership } = services;
  const database = MAINTENANCE_DATABASE;
  return {
    requireTrials: (at, probe, marks) => requireTrials(services, at, probe, marks),
    recognise: (server) => ownership.recognise(server),
    claim: (at, systemIdentifier, regionId, marks) =>
      ownership.claim({ ...at, systemIdentifier, database }, regionId, marks),
  };
}
