/** Who makes a call. */
export type Operator = { readonly kind: "operator" };
export type UserActor = { readonly kind: "user"; readonly userId: string };
export type Actor = Operator | UserActor;

export const OPERATOR: Operator = { kind: "operator" };
