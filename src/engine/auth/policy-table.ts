/**
 * Who may do what, as rows of tables. Every field of the schema has a row, in the module that brings the field;
 * `api/graphql/policy/enforce-policy.ts` puts what the row says in front of its resolver. A schema with a field without a row, or a row
 * without a field, is not built. docs/reference/authorization.md is made of all rows, and
 * `test/integration/authorization-matrix.test.ts` compares them with what happens.
 */
import type { Role } from "#engine/auth/roles";

/** What can be done with an organization, and from which role on. Services name the action; no role stands anywhere else. */
export const MINIMUM_ROLE = {
  read: "VIEWER",
  "write-content": "MEMBER",
  "manage-content": "ADMIN",
  "manage-members": "ADMIN",
  "manage-owners": "OWNER",
  "manage-placements": "OWNER",
  "manage-organization": "OWNER",
  "read-jobs": "OWNER",
  "manage-keys": "OWNER",
  "read-audit-log": "OWNER",
} as const satisfies Record<string, Role>;
export type OrganizationAction = keyof typeof MINIMUM_ROLE;

/** Whoever is not on a rule's list is refused with FORBIDDEN before anything is looked up. */
export type CallerKind = "operator" | "user" | "key";

/** The closed set of rules. The operator passes those about organizations and people. */
export type Rule =
  /** Visible when the object is: no check of its own, so that rows of a list cost none. */
  | { readonly kind: "parent" }
  /** These callers, whatever they belong to. */
  | { readonly kind: "callers"; readonly callers: readonly CallerKind[] }
  /**
   * Who may do this in the organization that the field is about. `parent`: it is the object itself, and checked before the
   * resolver; else the service checks, which finds out the organization. NOT_FOUND for who is not in it, FORBIDDEN for who
   * has too small a role there; `left out`: not in the answer, for both.
   */
  | {
      readonly kind: "organization";
      readonly action: OrganizationAction;
      readonly callers: readonly CallerKind[];
      readonly parent: boolean;
      readonly otherwise: "refused" | "left out";
    }
  /** About oneself, and people of an organization that the caller is in too. */
  | { readonly kind: "people"; readonly otherwise: "NOT_FOUND" | "FORBIDDEN" | "left out" }
  /** Users themselves, and the operator. Other people: FORBIDDEN for who sees them, else NOT_FOUND. */
  | { readonly kind: "oneself" };

/** A rule, and other rules for inputs or objects that are told apart by the sentence. */
export type Row = { readonly rule: Rule; readonly cases: Readonly<Record<string, Rule>> };

const ANYBODY = ["operator", "user", "key"] as const;

/** By type, by field. */
export type Policy = Readonly<Record<string, Readonly<Record<string, Row>>>>;

/** A row: a rule, and by a sentence those for inputs or objects that have another. */
export const row = (rule: Rule, cases: Record<string, Rule> = {}): Row => ({ rule, cases });

/** Rows of fields that are visible when their object is: their names with a space between. */
export const asParent = (fields: string): Record<string, Row> =>
  Object.fromEntries(fields.split(" ").map((field) => [field, row({ kind: "parent" })]));

/** These callers, whatever they belong to. */
export const callers = (...list: CallerKind[]): Rule => ({ kind: "callers", callers: list });
/** Every caller, whatever they belong to. */
export const everybody: Rule = callers(...ANYBODY);
/** The operator alone. */
export const operatorOnly: Rule = callers("operator");

/** Who may do this in the organization that the field is about, and is refused otherwise. */
export const inOrganization = (
  action: OrganizationAction,
  options: Partial<Pick<Rule & { kind: "organization" }, "callers" | "parent" | "otherwise">> = {},
): Rule => ({ kind: "organization", action, callers: ANYBODY, parent: false, otherwise: "refused", ...options });

/** The field is a list, in which only what the caller may see so is. */
export const listed = (action: OrganizationAction): Rule => inOrganization(action, { otherwise: "left out" });
