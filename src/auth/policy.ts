/** Who may do what. What an actor may not even know about is NOT_FOUND; what they know but may not do is FORBIDDEN. */
import type { Actor } from "#auth/actor";
import { ROLES, type Role } from "#auth/roles";
import { notFound, TenantryError } from "#kernel/errors";

export { ROLES, type Role } from "#auth/roles";

/** What can be done with an organization; the table below says from which role on. */
export type OrganizationAction =
  | "read"
  | "write-content"
  | "manage-members"
  | "manage-owners"
  | "manage-placements"
  | "manage-keys"
  | "read-audit-log";

const MINIMUM_ROLE: Record<OrganizationAction, Role> = {
  read: "VIEWER",
  "write-content": "MEMBER",
  "manage-members": "ADMIN",
  "manage-owners": "OWNER",
  "manage-placements": "OWNER",
  "manage-keys": "OWNER",
  "read-audit-log": "OWNER",
};

/** Refuses unless the actor is the operator or has a sufficient role; null stands for no membership. */
export function authorizeInOrganization(actor: Actor, role: Role | null, action: OrganizationAction): void {
  if (actor.kind === "operator") return;
  if (role === null) throw notFound("Organization");
  if (ROLES.indexOf(role) > ROLES.indexOf(MINIMUM_ROLE[action]))
    throw new TenantryError("FORBIDDEN", `This needs the role ${MINIMUM_ROLE[action]} in the organization.`);
}

/** Refuses everyone but the operator. */
export function authorizeOperator(actor: Actor): void {
  if (actor.kind !== "operator") throw new TenantryError("FORBIDDEN", "Only the operator may do this.");
}
