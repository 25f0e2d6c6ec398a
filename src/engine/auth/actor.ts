/** Who makes a call. */
import type { Role } from "#engine/auth/roles";

export type Operator = {
  readonly kind: "operator";
  /** Sees what the operator sees, and may change nothing: every mutation refuses them. */
  readonly readOnly?: true;
};
export type UserActor = { readonly kind: "user"; readonly userId: string };
/** An API key of an organization: sees and does there what a member of its role would, and nothing elsewhere. */
export type KeyActor = {
  readonly kind: "key";
  readonly keyId: string;
  readonly organizationId: string;
  readonly role: Role;
};
/** Who calls: the operator, a user, or a key of an organization. */
export type Actor = Operator | UserActor | KeyActor;

export const OPERATOR: Operator = { kind: "operator" };
export const READ_ONLY_OPERATOR: Operator = { kind: "operator", readOnly: true };

/** Whether this is an operator who may change nothing. */
export function isReadOnly(actor: Actor): boolean {
  return actor.kind === "operator" && actor.readOnly === true;
}

/**
 * Through whose eyes a query looks: the id of a user or of an organization's key, to be compared with `holder_id` of
 * the view `tenantry.roles`; null for the operator, who sees everything.
 */
export function viewerId(actor: Actor): string | null {
  if (actor.kind === "operator") return null;
  return actor.kind === "user" ? actor.userId : actor.keyId;
}

/** The calling user, for who made something; null for the operator and for keys, which are nobody. */
export function userIdOf(actor: Actor): string | null {
  return actor.kind === "user" ? actor.userId : null;
}
