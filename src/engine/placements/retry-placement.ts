import type { Actor } from "#engine/auth/actor";
import { getManagedPlacement, type Placement, setPlacementState } from "#engine/home/placements";
import { onPlacement, requestJob, requesterOf } from "#engine/jobs/job";
import type { Services } from "#engine/services";
import { isBeingMade, waitWhile } from "#engine/jobs/wait-while";

/**
 * Runs what failed or waits for a placement again, now: for after its cause was mended. Returns when it is settled, or
 * after 5 s with the state reached. A placement with nothing to retry is returned as it is. NOT_FOUND, FORBIDDEN.
 */
export async function retryPlacement(
  services: Pick<Services, "home" | "listener" | "ownership">,
  actor: Actor,
  id: string,
): Promise<Placement> {
  const placement = await getManagedPlacement(services, actor, id);
  services.ownership.refuseLost(placement.regionId);
  const { state } = placement;
  if (state !== "FAILED" && state !== "PROVISIONING" && state !== "REVOKING") return placement;
  await services.home.transaction(async (transaction) => {
    if (state === "FAILED") await setPlacementState({ home: transaction }, id, "PROVISIONING");
    const kind = state === "REVOKING" ? "revoke-placement" : "provision-placement";
    await requestJob(transaction, requesterOf(actor), onPlacement(kind, placement));
  });
  return waitWhile(
    services,
    actor,
    placement,
    async (one) => one.state === "REVOKING" || (await isBeingMade(services, one)),
  );
}
