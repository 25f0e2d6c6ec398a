/** Who makes a call. */
export type Operator = { readonly kind: "operator" };
export type UserActor = { readonly kind: "user"; readonly userId: string };
export type Actor = Operator | UserActor;

export const OPERATOR: Operator = { kind: "operator" };

/** The user whose eyes a query looks through; null for the operator, who sees everything. */
export function viewerId(actor: Actor): string | null {
  return actor.kind === "user" ? actor.userId : null;
}
