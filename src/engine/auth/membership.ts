import { type Actor, type KeyActor, type UserActor, viewerId } from "#engine/auth/actor";
import { authorizeInOrganization, type OrganizationAction, type Role } from "#engine/auth/policy";
import { notFound } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";

/** The user's role in the organization; null when they are no member or the organization does not exist. */
export async function findRole(home: Queryable<"home">, organizationId: string, userId: string): Promise<Role | null> {
  const [row] = await home.query<{ role: Role }>(
    "memberships.role",
    "select role from tenantry.memberships where organization_id = $1 and user_id = $2",
    [organizationId, userId],
  );
  return row?.role ?? null;
}

/** What the calling user or key may do in the organization; null: nothing. A key that was revoked has nothing. */
export async function findActorRole(
  home: Queryable<"home">,
  organizationId: string,
  actor: UserActor | KeyActor,
): Promise<Role | null> {
  const [row] = await findActorRoles(home, [organizationId], actor);
  return row?.role ?? null;
}

/** The same for several organizations; none for those in which the caller has no role. */
export function findActorRoles(
  home: Queryable<"home">,
  organizationIds: readonly string[],
  actor: UserActor | KeyActor,
): Promise<{ organizationId: string; role: Role }[]> {
  return home.query<{ organizationId: string; role: Role }>(
    "roles.of_actor",
    `select organization_id as "organizationId", role from tenantry.roles
     where organization_id = any($1::uuid[]) and holder_id = $2`,
    [organizationIds, viewerId(actor)],
  );
}

/** Refuses unless the actor may do this in the organization: NOT_FOUND for who is no member, else FORBIDDEN. */
export async function requireInOrganization(
  home: Queryable<"home">,
  actor: Actor,
  organizationId: string,
  action: OrganizationAction,
): Promise<void> {
  if (actor.kind !== "operator") {
    authorizeInOrganization(actor, await findActorRole(home, organizationId, actor), action);
    return;
  }
  const found = await home.query("organizations.exists", "select from tenantry.organizations where id = $1", [
    organizationId,
  ]);
  if (found.length === 0) throw notFound("Organization");
}
