import type { Actor } from "#auth/actor";
import { dropApiRole } from "#directory/api-role";
import { authorizeOperator } from "#auth/policy";
import { getRegion, type Region, regionServer } from "#directory/regions";
import { forgetRegion, markRetired } from "#directory/retired-regions";
import { MAINTENANCE_DATABASE } from "#directory/server-probe";
import { onRegion, requestOperation, requesterOf } from "#operations/operation";
import type { OperationRun } from "#operations/operation-run";
import type { Services } from "#operations/services";
import { dropTemplates } from "#operations/template-database";

/**
 * Takes a region out of service: no more grants, and its server is left without anything of ours. For the operator.
 * NOT_FOUND, CONFLICT while placements remain. With `abandonServer` the server is not touched, as when it is gone for good.
 */
export async function retireRegion(
  services: Services,
  actor: Actor,
  input: { key: string; abandonServer: boolean },
): Promise<Region> {
  authorizeOperator(actor);
  const region = await getRegion(services, input.key);
  await services.home.transaction(async (transaction) => {
    await markRetired({ home: transaction }, region.id);
    await requestOperation(transaction, requesterOf(actor), {
      ...onRegion("retire-region", region.id),
      input: { abandonServer: input.abandonServer },
    });
  });
  return region;
}

/** Removes what is left on the server, then the region's record. */
export async function finishRetirement(services: Services, run: OperationRun<"retire-region">): Promise<void> {
  const { regionId, input } = run.operation;
  if (regionId === null) return;
  if (input["abandonServer"] !== true)
    await run.step("drop-templates", async () => {
      const { address, systemIdentifier } = await regionServer(services, regionId);
      const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
      await dropTemplates(server, services.installation);
      // On home's server the API goes on signing in.
      if (systemIdentifier !== services.homeSystemIdentifier)
        await dropApiRole(services.apiRole, server, systemIdentifier);
    });
  await run.step("forget", () => forgetRegion(services, regionId));
}
