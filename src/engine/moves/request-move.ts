/** Asking for a move, looking ahead at it, and calling it off. */
import type { Actor } from "#engine/auth/actor";
import { findMove, noteProgress } from "#engine/home/moves";
import { getManagedPlacement, getPlacement, type Isolation, type Placement } from "#engine/home/placements";
import { requestJob, onPlacement, placementSubject, requesterOf } from "#engine/jobs/job";
import { beginMove, cancelMove } from "#engine/moves/begin-move";
import { type Preflight, preflightMove } from "#engine/moves/preflight";
import { namePrefix } from "#engine/replication/names";
import type { MoveWish } from "#engine/moves/wish";
import { findRegions, getRegion, type Region } from "#engine/regions/regions";
import { holdRegion } from "#engine/regions/retired-regions";
import { splitFailure } from "#engine/jobs/failure";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { validRegionKey } from "#base/kernel/validation";
import type { Services } from "#engine/services";

export type MoveInput = {
  placementId: string;
  /** Null: in its region. */
  regionKey: string | null;
  /** Null: as it is. */
  isolation: Isolation | null;
  keepSourceSeconds: number;
  throughOthers: boolean;
};

/** What is written back for longer than this is hardly a way back. */
export const MAX_KEEP_SECONDS = 30 * 86_400;

/** What a move would do, and where it would lead. Nothing is stored. */
export type MovePlan = Preflight & { placement: Placement; wish: MoveWish };

/**
 * Looks ahead at a move, for whoever may manage the placement. INVALID_INPUT on an unknown region or a time that is too long,
 * NOT_FOUND, FORBIDDEN.
 */
export async function planMove(services: Services, actor: Actor, input: MoveInput): Promise<MovePlan> {
  const placement = await getManagedPlacement(services, actor, input.placementId);
  const { keepSourceSeconds, throughOthers } = input;
  if (!Number.isInteger(keepSourceSeconds) || keepSourceSeconds < 0 || keepSourceSeconds > MAX_KEEP_SECONDS)
    throw invalidInput(
      "keepSourceSeconds",
      `keepSourceSeconds must be between 0 and ${MAX_KEEP_SECONDS}, which is 30 days.`,
    );
  const to = await targetOf(services, input.regionKey, placement);
  const wish = { to, isolation: input.isolation ?? placement.isolation, keepSourceSeconds, throughOthers };
  return { ...(await preflightMove(services, placement, wish)), placement, wish };
}

/**
 * Begins to move a placement, and returns it: it is MOVING until it is ACTIVE where it goes to. CONFLICT, with the first sentence,
 * when something keeps it from beginning; else as {@link planMove}.
 */
export async function requestMove(services: Services, actor: Actor, input: MoveInput): Promise<Placement> {
  const { placement, wish, findings, rowsTotal } = await planMove(services, actor, input);
  const first = findings.find(({ blocks }) => blocks);
  if (first !== undefined) {
    const { sentence, forOperator } = splitFailure(first.sentence);
    throw new TenantryError("CONFLICT", sentence, forOperator === undefined ? {} : { forOperator });
  }
  await services.home.transaction(async (home) => {
    if (!(await holdRegion({ home }, wish.to.id)))
      throw new TenantryError("CONFLICT", `The region ${wish.to.key} is being retired: it takes no more placements.`);
    const requestedBy = requesterOf(actor);
    await beginMove(
      { home, namePrefix: namePrefix(services.installation) },
      {
        placementId: placement.id,
        toRegionId: wish.to.id,
        isolation: wish.isolation,
        keepSourceSeconds: wish.keepSourceSeconds,
        goesThroughOthers: wish.throughOthers,
      },
    );
    await noteProgress({ home }, placement.id, { findings: findings.map(({ sentence }) => sentence), rowsTotal });
    await requestJob(home, requestedBy, onPlacement("move-placement", placement));
  });
  return getPlacement(services, actor, placement.id);
}

/**
 * Calls a move off, and returns the placement. Before the switch it stays where it was; afterwards, while the source is kept, it
 * goes back. CONFLICT when it is not on a move, or nothing of the source is left. Asked again, nothing happens.
 */
export async function requestCancel(services: Services, actor: Actor, placementId: string): Promise<Placement> {
  const placement = await getManagedPlacement(services, actor, placementId);
  const move = await findMove(services, placementId);
  if (move === undefined) throw new TenantryError("CONFLICT", "The placement is not being moved.");
  if (move.cancelledAt !== null) return placement;
  await services.home.transaction(async (home) => {
    if (!(await cancelMove({ home }, placementId)))
      throw new TenantryError(
        "CONFLICT",
        "It is too late: the source is being removed. Move the placement back instead.",
      );
    const job = { placementId, organizationId: placement.organizationId, regionId: move.from.regionId };
    // It runs at once, also where it waits to be tried again.
    await requestJob(home, requesterOf(actor), {
      ...job,
      kind: "move-placement",
      subject: placementSubject(placementId),
    });
  });
  return getPlacement(services, actor, placementId);
}

async function targetOf(services: Services, key: string | null, { regionId }: Placement): Promise<Region> {
  if (key === null) {
    const [region] = await findRegions(services, [regionId]);
    if (region !== undefined) return region;
  }
  try {
    return await getRegion(services, validRegionKey("regionKey", key ?? ""));
  } catch (error) {
    if (error instanceof TenantryError && error.code === "NOT_FOUND")
      throw invalidInput("regionKey", `There is no region ${key}.`);
    throw error;
  }
}
