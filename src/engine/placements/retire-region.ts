import type { Actor } from "#engine/auth/actor";
import { dropApiRole } from "#engine/regions/api-role";
import { authorizeOperator } from "#engine/auth/policy";
import { notFound } from "#base/kernel/errors";
import { listRegionsToTheLast, type Region } from "#engine/regions/regions";
import { regionServer } from "#engine/regions/region-address";
import { requireOrWait } from "#engine/regions/owned-pieces";
import { readSystemIdentifier } from "#engine/home/home-server";
import { forgetRegion, markRetired } from "#engine/regions/retired-regions";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { onRegion, requestJob, requesterOf } from "#engine/jobs/job";
import type { JobRun } from "#engine/jobs/job-run";
import type { Services } from "#engine/services";
import { removeReadyDatabases } from "#engine/placements/ready-databases";
import { dropTemplates } from "#engine/placements/template-database";

/**
 * Takes a region out of service: no more grants, and its server is left without anything of ours. For the operator.
 * NOT_FOUND, CONFLICT while placements remain. Asked for again, it goes on where it failed. With `abandonServer` the server is not touched, as when it is gone for good.
 */
export async function retireRegion(
  services: Pick<Services, "home" | "ownership">,
  actor: Actor,
  input: { key: string; abandonServer: boolean },
): Promise<Region> {
  authorizeOperator(actor);
  // One that is being retired already may be abandoned: its server may have gone meanwhile.
  const region = (await listRegionsToTheLast(services)).find(({ key }) => key === input.key);
  if (region === undefined) throw notFound("Region");
  if (!input.abandonServer) services.ownership.refuseLost(region.id);
  await services.home.transaction(async (transaction) => {
    await markRetired({ home: transaction }, region.id);
    await requestJob(transaction, requesterOf(actor), {
      ...onRegion("retire-region", region.id),
      input: { abandonServer: input.abandonServer },
    });
  });
  return region;
}

/** Removes what is left on the server, then the region's record. */
export async function finishRetirement(services: Services, run: JobRun<"retire-region">): Promise<void> {
  const { regionId, input } = run.job;
  if (regionId === null) return;
  const abandonServer = input["abandonServer"] === true;
  await run.step("remove-ready-databases", () =>
    removeReadyDatabases(services, regionId, { abandonServer, signal: run.signal }),
  );
  if (!abandonServer)
    await run.step("drop-templates", async () => {
      await requireOrWait(services, regionId);
      const { address, systemIdentifier } = await regionServer(services, regionId);
      const server = services.pools.open("server", address, MAINTENANCE_DATABASE);
      await dropTemplates(server, services.installation);
      // On home's server the API goes on signing in. Both are asked now: pg_upgrade gives a server another identifier.
      const [atHome, there] = await Promise.all([readSystemIdentifier(services.home), readSystemIdentifier(server)]);
      if (there !== atHome) await dropApiRole(services.apiRole, server, systemIdentifier);
    });
  await run.step("forget", () => forgetRegion(services, regionId));
}
