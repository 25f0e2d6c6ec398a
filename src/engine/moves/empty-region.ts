/** Taking a region out of service after its placements were moved to another one. */
import { type Actor, OPERATOR } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { clockMs } from "#base/kernel/clock";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import { validRegionKey } from "#base/kernel/validation";
import { listPlacements, type ListedPlacement } from "#engine/home/list-placements";
import { splitFailure } from "#engine/jobs/failure";
import { onRegion, requestJob, requesterOf } from "#engine/jobs/job";
import type { JobRun } from "#engine/jobs/job-run";
import { requestMove } from "#engine/moves/request-move";
import { finishRetirement, retireRegion } from "#engine/placements/retire-region";
import { findRegions, getRegion, type Region } from "#engine/regions/regions";
import { markRetired } from "#engine/regions/retired-regions";
import type { Services } from "#engine/services";

type Retirement = {
  key: string;
  abandonServer: boolean;
  /** The region that its placements are moved to before; null: there must be none. */
  moveTo: string | null;
  /** Content may pass a worker that works for neither region. */
  throughOthers: boolean;
};

/** So many moves out of a region are under way at once. */
const MOST_AT_ONCE = 4;
const LOOK_AGAIN_MS = 3_000;

/**
 * Takes a region out of service, for the operator, as {@link retireRegion}. With `moveTo` its placements are moved there first, by
 * a worker; until that is done the region stays in service. INVALID_INPUT when that is no other region.
 */
export async function retireRegionAfterMoves(
  services: Services,
  actor: Actor,
  { key, abandonServer, moveTo, throughOthers }: Retirement,
): Promise<Region> {
  if (moveTo === null) return retireRegion(services, actor, { key, abandonServer });
  authorizeOperator(actor);
  if (abandonServer)
    throw invalidInput("moveTo", "From a server that is abandoned nothing can be moved: leave out one of the two.");
  const region = await getRegion(services, key);
  const target = await getTarget(services, moveTo);
  if (target.id === region.id) throw invalidInput("moveTo", "moveTo must be another region.");
  services.ownership.refuseLost(region.id);
  await requestJob(services.home, requesterOf(actor), {
    ...onRegion("retire-region", region.id),
    input: { abandonServer, moveTo: target.key, throughOthers },
  });
  return region;
}

async function getTarget(services: Services, key: string): Promise<Region> {
  try {
    return await getRegion(services, validRegionKey("moveTo", key));
  } catch (error) {
    if (error instanceof TenantryError && error.code === "NOT_FOUND")
      throw invalidInput("moveTo", `There is no region ${key}.`);
    throw error;
  }
}

/** Moves what is in the region, if that was asked for; when nothing is, removes what is left on its server, and its record. */
export async function emptyAndRetire(services: Services, run: JobRun<"retire-region">): Promise<void> {
  const { regionId, input } = run.job;
  if (regionId === null) return;
  const moved = await run.step("move-placements", () => moveWhatIsThere(services, regionId, input));
  if (moved === "gone") return;
  if (moved === "not-empty") {
    // It runs again after a pause: nothing has failed.
    const dueAt = new Date(clockMs() + LOOK_AGAIN_MS);
    await requestJob(services.home, requesterOf(OPERATOR), { ...onRegion("retire-region", regionId), dueAt });
    return;
  }
  await finishRetirement(services, run);
}

/** `empty`: also where nobody has asked for moves, and so nothing was there. */
async function moveWhatIsThere(
  services: Services,
  regionId: string,
  { moveTo, throughOthers }: Record<string, unknown>,
): Promise<"empty" | "not-empty" | "gone"> {
  if (typeof moveTo !== "string") return "empty";
  const [region] = await findRegions(services, [regionId]);
  if (region === undefined) return "gone";
  if (!(await moveAll(services, region, { moveTo, throughOthers: throughOthers === true }))) return "not-empty";
  await services.home.transaction((home) => markRetired({ home }, regionId));
  return "empty";
}

/** How many moves have something of a placement in the region, or will. */
async function countMovesOf(home: Queryable<"home">, regionId: string): Promise<number> {
  const [row] = await home.query<{ moves: number }>(
    "regions.count_moves",
    `select count(*)::int as moves from tenantry.moves m
     where exists (select from tenantry.tenant_databases d
                   where d.id in (m.from_database_id, m.to_database_id) and d.region_id = $1)`,
    [regionId],
  );
  return row?.moves ?? 0;
}

/** Begins to move some of what is left. Returns whether nothing is. CONFLICT when nothing of it can be moved. */
async function moveAll(
  services: Services,
  { id, key }: Region,
  { moveTo, throughOthers }: { moveTo: string; throughOthers: boolean },
): Promise<boolean> {
  const left = await listPlacements(services, OPERATOR, { organizationId: null, regionKey: key });
  // Also those that are elsewhere by now, while something of them is kept here.
  let underWay = await countMovesOf(services.home, id);
  if (left.length === 0 && underWay === 0) return true;
  let first: TenantryError | undefined;
  for (const placement of left.filter(({ state }) => state !== "MOVING")) {
    if (underWay >= MOST_AT_ONCE) break;
    const refused = await tryMoving(services, placement, { moveTo, throughOthers });
    if (refused === undefined) underWay += 1;
    else first ??= refused;
  }
  if (underWay === 0 && first !== undefined) throw first;
  return false;
}

/** Returns why it cannot be moved. */
async function tryMoving(
  services: Services,
  { id, organizationName }: ListedPlacement,
  { moveTo, throughOthers }: { moveTo: string; throughOthers: boolean },
): Promise<TenantryError | undefined> {
  try {
    await requestMove(services, OPERATOR, {
      placementId: id,
      regionKey: moveTo,
      isolation: null,
      keepSourceSeconds: 0,
      throughOthers,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof TenantryError) || error.code !== "CONFLICT") throw error;
    const { forOperator = splitFailure(error.message).forOperator } = error;
    return new TenantryError("CONFLICT", `The placement of ${organizationName} cannot be moved: ${error.message}`, {
      cause: error,
      ...(forOperator === undefined ? {} : { forOperator }),
    });
  }
}
