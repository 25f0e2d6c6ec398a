import type { Actor } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { refuseWhileMoving } from "#engine/home/moves-in-the-way";
import { listPlacementsOf, type Placement, setPlacementState } from "#engine/home/placements";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";
import type { Transaction } from "#base/postgres/database";
import { onPlacement, requestJob, requesterOf } from "#engine/jobs/job";
import type { Services } from "#engine/services";

/** The call returns after this long, however far the databases are. */
const MAX_WAIT_MS = 5_000;

/**
 * Deletes an organization. Its placements end first, at once and for good; the last that goes takes the organization along
 * (engine/schema/home/0001_home.sql), so that a crash leaves nothing half done. Members, invitations and keys go with it; its
 * people, and what the audit log says of it, stay. Asking again changes nothing. NOT_FOUND and FORBIDDEN for those who may not;
 * INVALID_INPUT, which says what would go, on a wrong name; CONFLICT while a placement is moving.
 */
export async function deleteOrganization(
  services: Pick<Services, "home" | "ownership">,
  actor: Actor,
  { organizationId, confirm }: { organizationId: string; confirm: string },
): Promise<string> {
  const { home } = services;
  await requireInOrganization(home, actor, organizationId, "manage-organization");
  for (const { regionId } of await listPlacementsOf(services, [organizationId]))
    services.ownership.refuseLost(regionId);
  await home.transaction(async (transaction) => {
    const [organization] = await transaction.query<{ name: string }>(
      "organizations.hold",
      "select name from tenantry.organizations where id = $1 for update",
      [organizationId],
    );
    if (organization === undefined) throw notFound("Organization");
    // Asked again: the caller may have lost the role while others held the organization.
    await requireInOrganization(transaction, actor, organizationId, "manage-organization");
    if (organization.name !== confirm) throw invalidInput("confirm", await whatGoes(transaction, organizationId));
    await transaction.query(
      "organizations.begin_deleting",
      "update tenantry.organizations set deleting_at = coalesce(deleting_at, now()) where id = $1",
      [organizationId],
    );
    const placements = await listPlacementsOf({ home: transaction }, [organizationId]);
    for (const placement of placements) await end(transaction, actor, placement);
    if (placements.length > 0) return;
    await transaction.query("organizations.delete", "delete from tenantry.organizations where id = $1", [
      organizationId,
    ]);
  });
  await waitFor(() => isGone(services, organizationId), { timeoutMs: MAX_WAIT_MS });
  return organizationId;
}

async function end(home: Transaction<"home">, actor: Actor, placement: Placement): Promise<void> {
  if (placement.state === "REVOKING") return;
  await refuseWhileMoving({ home }, placement.id);
  if (!(await setPlacementState({ home }, placement.id, "REVOKING")))
    throw new TenantryError(
      "CONFLICT",
      "A placement of the organization changed a moment ago: try again when it is done.",
    );
  await requestJob(home, requesterOf(actor), { ...onPlacement("revoke-placement", placement), input: {} });
}

async function isGone({ home }: Pick<Services, "home">, organizationId: string): Promise<true | undefined> {
  const found = await home.query("organizations.exists", "select from tenantry.organizations where id = $1", [
    organizationId,
  ]);
  return found.length === 0 ? true : undefined;
}

async function whatGoes(home: Transaction<"home">, organizationId: string): Promise<string> {
  const [goes] = await home.query<{ regions: string | null; members: number; keys: number; invitations: number }>(
    "organizations.what_goes",
    `select (select string_agg(g.key, ', ' order by g.key)
             from tenantry.placements p join tenantry.regions g on g.id = p.region_id where p.organization_id = $1) as regions,
       (select count(*)::int from tenantry.memberships where organization_id = $1) as members,
       (select count(*)::int from tenantry.api_keys where organization_id = $1 and revoked_at is null) as keys,
       (select count(*)::int from tenantry.invitations
        where organization_id = $1 and accepted_at is null and revoked_at is null) as invitations`,
    [organizationId],
  );
  if (goes === undefined) throw new Error("the select returned no row");
  const { regions, members, keys, invitations } = goes;
  const data = regions === null ? "It has data in no region." : `Its data in ${regions} goes at once, and for good.`;
  return `confirm must be the organization's name, exactly as it is written. ${data} With it go its memberships (${members}), keys (${keys}) and open invitations (${invitations}).`;
}
