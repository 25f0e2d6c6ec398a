/** Who may do what. What an actor may not even know about is NOT_FOUND; what they know but may not do is FORBIDDEN. */
import { type Actor, isReadOnly } from "#engine/auth/actor";
import { type CallerKind, MINIMUM_ROLE, type OrganizationAction } from "#engine/auth/policy-table";
import { ROLES, type Role } from "#engine/auth/roles";
import { notFound, TenantryError } from "#base/kernel/errors";

export type { OrganizationAction } from "#engine/auth/policy-table";
export { ROLES, type Role } from "#engine/auth/roles";

/** The roles that may do this in their organization. */
export function rolesThatMay(action: OrganizationAction): readonly Role[] {
  return ROLES.slice(0, ROLES.indexOf(MINIMUM_ROLE[action]) + 1);
}

/** Whether a member with this role may do this; null stands for no membership. */
export function roleMay(role: Role | null, action: OrganizationAction): boolean {
  return role !== null && rolesThatMay(action).includes(role);
}

/** What the actor may do in an organization where they have this role, in the order of the policy table. */
export function actionsOf(actor: Actor, role: Role | null): OrganizationAction[] {
  const actions = Object.keys(MINIMUM_ROLE) as OrganizationAction[];
  if (isReadOnly(actor)) return actions.filter((action) => action === "read" || action.startsWith("read-"));
  return actions.filter((action) => actor.kind === "operator" || roleMay(role, action));
}

/** Refuses a read-only operator. It stands in front of every mutation, so that a new one is closed to them too. */
export function authorizeChange(actor: Actor): void {
  if (isReadOnly(actor)) throw new TenantryError("FORBIDDEN", "A read-only operator may change nothing.");
}

/** Refuses unless the actor is the operator or has a sufficient role; null stands for no membership. */
export function authorizeInOrganization(actor: Actor, role: Role | null, action: OrganizationAction): void {
  if (actor.kind === "operator") return;
  if (role === null) throw notFound("Organization");
  if (!roleMay(role, action))
    throw new TenantryError("FORBIDDEN", `This needs the role ${MINIMUM_ROLE[action]} in the organization.`);
}

/** Refuses everyone but the operator. */
export function authorizeOperator(actor: Actor): void {
  authorizeCaller(actor, ["operator"]);
}

/** Refuses who is of another kind. */
export function authorizeCaller(actor: Actor, callers: readonly CallerKind[]): void {
  if (callers.includes(actor.kind)) return;
  if (!callers.includes("user")) throw new TenantryError("FORBIDDEN", "Only the operator may do this.");
  throw new TenantryError(
    "FORBIDDEN",
    actor.kind === "key" ? "A key of an organization may not do this." : "Only a user may do this: call as one.",
  );
}
