/** What the policy table says should come of a call, worked out apart from the code that enforces it. */
import { type DocumentNode, type GraphQLSchema, TypeInfo, visit, visitWithTypeInfo } from "graphql";
import { MINIMUM_ROLE, type Rule } from "../../src/engine/auth/policy-table.ts";
import { ROLES } from "../../src/engine/auth/roles.ts";
import type { Caller } from "./organization-fixture.ts";
import { POLICY } from "./schema.ts";

/** `left out`: an answer without errors, in which it is not. */
export type Outcome = "data" | "left out" | "UNAUTHENTICATED" | "FORBIDDEN" | "NOT_FOUND";

/** By one rule. `self`: it is about the calling person. */
function outcomeOf(rule: Rule, caller: Pick<Caller, "kind" | "role">, self = false): Outcome {
  const { kind, role } = caller;
  if (kind === "anonymous") return "UNAUTHENTICATED";
  if (rule.kind === "parent") return "data";
  if (rule.kind === "callers") return rule.callers.includes(kind) ? "data" : "FORBIDDEN";
  if (rule.kind === "people") return kind === "operator" || role !== null ? "data" : rule.otherwise;
  if (rule.kind === "oneself" && self) return "data";
  if (rule.kind === "organization") {
    if (!rule.callers.includes(kind)) return "FORBIDDEN";
    const suffices = role !== null && ROLES.indexOf(role) <= ROLES.indexOf(MINIMUM_ROLE[rule.action]);
    if (suffices) return "data";
    if (kind !== "operator" && rule.otherwise === "left out") return "left out";
  }
  if (kind === "operator") return "data";
  return role === null ? "NOT_FOUND" : "FORBIDDEN";
}

/** Of a field of this type: what its rule says, and no mutation for who may only read. */
export function outcomeAt(
  type: string,
  rule: Rule,
  caller: Pick<Caller, "kind" | "role" | "readOnly">,
  self = false,
): Outcome {
  return type === "Mutation" && caller.readOnly === true ? "FORBIDDEN" : outcomeOf(rule, caller, self);
}

/** The rule of `Type.field`, in this case of it. */
export function ruleOf(field: string, named?: string): Rule {
  const [type = "", name = ""] = field.split(".");
  const row = POLICY[type]?.[name];
  const rule = named === undefined ? row?.rule : row?.cases[named];
  if (rule === undefined) throw new Error(`${field} has no rule${named === undefined ? "" : ` ${named}`}`);
  return rule;
}

/** The fields of a document that goes straight down, from the root on, as `Type.field`. */
export function fieldsOn(schema: GraphQLSchema, document: DocumentNode): string[] {
  const fields: string[] = [];
  const info = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: ({ name }) => {
        const type = info.getParentType();
        if (type === undefined || type === null) throw new Error(`${name.value} is no field of the schema`);
        if (!name.value.startsWith("__")) fields.push(`${type.name}.${name.value}`);
      },
    }),
  );
  return fields;
}

/** What comes of going down these fields: what the first says that does not let through. */
export function outcomeAlong(
  fields: readonly string[],
  caller: Caller,
  options: { cases?: Readonly<Record<string, string>>; self?: boolean } = {},
): Outcome {
  const outcomes = fields.map((field) =>
    outcomeAt(field.split(".")[0] ?? "", ruleOf(field, options.cases?.[field]), caller, options.self),
  );
  return outcomes.find((outcome) => outcome !== "data") ?? "data";
}
