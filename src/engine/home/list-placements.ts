import { authorizeOperator } from "#engine/auth/policy";
import type { Actor } from "#engine/auth/actor";
import { findPlacements, type Placement } from "#engine/home/placements";
import type { HomeDatabase } from "#base/postgres/database";

/** A placement with what people call its organization and its region. */
export type ListedPlacement = Placement & { organizationName: string; regionKey: string };

/** What is not named does not count. */
export type PlacementFilter = { organizationId: string | null; regionKey: string | null };

/** Placements, oldest first, for the operator. */
export async function listPlacements(
  context: { home: HomeDatabase },
  actor: Actor,
  { organizationId, regionKey }: PlacementFilter,
): Promise<ListedPlacement[]> {
  authorizeOperator(actor);
  const named = await context.home.query<Pick<ListedPlacement, "id" | "organizationName" | "regionKey">>(
    "placements.named",
    `select p.id, o.name as "organizationName", r.key as "regionKey"
     from tenantry.placements p
     join tenantry.organizations o on o.id = p.organization_id join tenantry.regions r on r.id = p.region_id
     where ($1::uuid is null or p.organization_id = $1) and ($2::text is null or r.key = $2)
     order by p.id`,
    [organizationId, regionKey],
  );
  const ids = named.map(({ id }) => id);
  const found = new Map((await findPlacements(context, actor, ids)).map((placement) => [placement.id, placement]));
  return named.flatMap(({ id, ...names }) => {
    const placement = found.get(id);
    return placement === undefined ? [] : [Object.assign(placement, names)];
  });
}
