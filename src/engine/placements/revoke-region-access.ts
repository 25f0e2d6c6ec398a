import { type Actor, OPERATOR } from "#engine/auth/actor";
import {
  getManagedPlacement,
  getPlacement,
  type Placement,
  suspendPlacement,
  setPlacementState,
} from "#engine/home/placements";
import { refuseWhileMoving } from "#engine/home/moves-in-the-way";
import { getOrganization } from "#engine/home/organizations";
import { clockMs } from "#base/kernel/clock";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import { cancelJob, onPlacement, placementSubject, requestJob, requesterOf } from "#engine/jobs/job";
import type { Services } from "#engine/services";
import { waitWhile } from "#engine/jobs/wait-while";

/** Between being suspended and being dropped; the revocation can be undone meanwhile. */
export const GRACE_MS = 7 * 24 * 60 * 60_000;

export type Revocation = {
  placementId: string;
  /** The organization's name, so that nobody revokes the wrong one. */
  confirm: string;
  /** Drop now. There is no way back but a backup. */
  skipGrace: boolean;
  /** Write everything to the export folder before anything is dropped. */
  exportFirst: boolean;
};

/**
 * Takes an organization's access to a region away: no reads and writes from now on, and after the grace period, or at once,
 * the database and everything about it goes. Returns SUSPENDED with the moment of the drop, or REVOKING. The receipt is
 * the job's result. NOT_FOUND, INVALID_INPUT on a wrong name, CONFLICT while the placement is moving.
 */
export async function revokeRegionAccess(
  services: Pick<Services, "exportFolder" | "home" | "listener" | "ownership">,
  actor: Actor,
  input: Revocation,
): Promise<Placement> {
  const placement = await getManagedPlacement(services, actor, input.placementId);
  services.ownership.refuseLost(placement.regionId);
  const organization = await getOrganization(services, OPERATOR, placement.organizationId);
  if (organization.name !== input.confirm)
    throw invalidInput("confirm", "confirm must be the organization's name, exactly as it is written.");
  if (input.exportFirst && services.exportFolder === undefined)
    throw invalidInput("exportFirst", "There is no export folder: set TENANTRY_EXPORT_DIR where Tenantry runs.");
  await services.home.transaction((transaction) => request(transaction, actor, placement, input));
  if (input.skipGrace) return waitWhile(services, actor, placement, ({ state }) => state === "REVOKING");
  return getPlacement(services, actor, placement.id);
}

async function request(
  home: Queryable<"home">,
  actor: Actor,
  placement: Placement,
  { skipGrace, exportFirst }: Revocation,
): Promise<void> {
  await refuseWhileMoving({ home }, placement.id);
  // One that was never active holds nothing that somebody could want back.
  const graceful = !skipGrace && placement.state !== "PROVISIONING" && placement.state !== "FAILED";
  const dueAt = graceful ? new Date(clockMs() + GRACE_MS) : undefined;
  if (placement.state === "REVOKING" || (placement.state === "SUSPENDED" && graceful)) return;
  const moved = graceful
    ? await suspendPlacement({ home }, placement.id, dueAt ?? new Date(clockMs()))
    : await setPlacementState({ home }, placement.id, "REVOKING");
  if (!moved)
    throw new TenantryError("CONFLICT", "The placement changed a moment ago: look at it again before revoking it.");
  await requestJob(home, requesterOf(actor), {
    ...onPlacement("revoke-placement", placement),
    input: { export: exportFirst },
    ...(dueAt === undefined ? {} : { dueAt }),
  });
}

/**
 * Undoes a revocation during its grace period: the placement is ACTIVE again, with everything in it. CONFLICT when it is not
 * SUSPENDED (any more).
 */
export async function resumeRegionAccess(
  services: Pick<Services, "home">,
  actor: Actor,
  placementId: string,
): Promise<Placement> {
  const placement = await getManagedPlacement(services, actor, placementId);
  if (placement.state === "ACTIVE") return placement;
  await refuseWhileMoving(services, placementId);
  await services.home.transaction(async (transaction) => {
    if (placement.state !== "SUSPENDED" || !(await setPlacementState({ home: transaction }, placementId, "ACTIVE")))
      throw new TenantryError(
        "CONFLICT",
        "Only a SUSPENDED placement can be resumed: this one is being dropped or was never suspended.",
      );
    await cancelJob(transaction, "revoke-placement", placementSubject(placementId));
  });
  return getPlacement(services, actor, placementId);
}
