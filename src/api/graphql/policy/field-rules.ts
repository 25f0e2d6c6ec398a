/** What modules say of the fields of a schema, kept with the fields themselves. */
import { type GraphQLField, type GraphQLSchema, isObjectType } from "graphql";
import type { Policy, Row } from "#engine/auth/policy-table";
import type { AuditRule } from "#api/graphql/policy/audit-rule";
import { type Module, type Part, partsOf } from "#api/graphql/module";
import type { Planner } from "#api/graphql/plan/planner";

export type FieldRules = {
  readonly policy?: Row;
  /** Of a mutation. */
  readonly audit?: AuditRule;
  /** What it costs; undefined: what fields of its form cost. */
  readonly points?: number;
  /** What arguments cost on top, where they are given. */
  readonly argumentPoints?: Readonly<Record<string, number>>;
  /** It is a text that can be longer than a name. */
  readonly isLong?: boolean;
  /** Of a root field that one statement can answer. */
  readonly plan?: Planner;
};

type Field = GraphQLField<unknown, unknown>;

const KEY = "tenantry";

/** What is known of a field of a schema that {@link layRules} has seen. */
export function rulesOf(field: Pick<Field, "extensions">): FieldRules {
  return (field.extensions[KEY] as FieldRules | undefined) ?? {};
}

/** The fields of the schema's own object types, as `Type.field`. */
export function fieldsOf(schema: GraphQLSchema): { name: string; type: string; field: Field }[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter(({ name }) => !name.startsWith("__"))
    .flatMap((type) =>
      Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, type: type.name, field })),
    );
}

/** Who may ask for which field of the schema. */
export function policyOf(schema: GraphQLSchema): Policy {
  const policy: Record<string, Record<string, Row>> = {};
  for (const { type, field } of fieldsOf(schema)) {
    const { policy: row } = rulesOf(field);
    if (row !== undefined) (policy[type] ??= {})[field.name] = row;
  }
  return policy;
}

/** One thing that a module says of a field. */
type Saying = { module: string; what: keyof FieldRules; field: string; value: unknown };

const WORDS: Record<keyof FieldRules, string> = {
  policy: "a policy row",
  audit: "an audit rule",
  points: "a weight",
  argumentPoints: "weights of arguments",
  isLong: "the mark of a long text",
  plan: "a plan",
};

/**
 * Puts what the modules say to the schema's fields. Returns what is missing or too much, in sentences without an end: a field
 * without a policy row, a mutation without an audit rule, anything that is said of no field or said twice. `derived` are rows
 * of types that several modules have. `ownerOf` says which module has brought a field.
 */
export function layRules(
  schema: GraphQLSchema,
  modules: readonly Module[],
  {
    derived = {},
    ownerOf = () => undefined,
  }: { derived?: Policy; ownerOf?: (field: string) => string | undefined } = {},
): string[] {
  const gaps: string[] = [];
  const fields = new Map(fieldsOf(schema).map(({ name, type, field }) => [name, { type, field }]));
  const rules = new Map<string, FieldRules>();
  for (const { module, what, field, value } of [...modules.flatMap(sayingsIn), ...policySayings("", derived)]) {
    const known = rules.get(field);
    if (!fields.has(field)) gaps.push(`module ${module} has ${WORDS[what]} for ${field}, which is no field`);
    else if (known?.[what] !== undefined)
      gaps.push(`module ${module} has ${WORDS[what]} for ${field}, which has one already`);
    else rules.set(field, { ...known, [what]: value });
    if (what === "argumentPoints")
      for (const name of Object.keys(value as object))
        if (fields.get(field)?.field.args.some((one) => one.name === name) === false)
          gaps.push(`module ${module} has a weight for ${field}(${name}:), which is no argument`);
  }
  for (const [name, { type, field }] of fields) {
    const own = rules.get(name) ?? {};
    const owner = ownerOf(name);
    const who = owner === undefined ? "" : `module ${owner}: `;
    if (own.policy === undefined) gaps.push(`${who}${name} has no policy row`);
    if (type === "Mutation" && own.audit === undefined) gaps.push(`${who}${name} has no audit rule`);
    Object.assign(field.extensions, { [KEY]: own });
  }
  return gaps;
}

function sayingsIn(module: Module): Saying[] {
  return partsOf(module).flatMap((part) => sayingsOf(module.name, part));
}

function sayingsOf(name: string, part: Part): Saying[] {
  const { policy = {}, audit = {}, weights = {}, argumentWeights = {}, longTexts = [], planned = {} } = part;
  const say = (what: keyof FieldRules, prefix: string, values: Readonly<Record<string, unknown>>): Saying[] =>
    Object.entries(values).map(([field, value]) => ({ module: name, what, field: `${prefix}${field}`, value }));
  return [
    ...policySayings(name, policy),
    ...say("audit", "Mutation.", audit),
    ...say("points", "", weights),
    ...say("argumentPoints", "", argumentWeights),
    ...say("isLong", "", Object.fromEntries(longTexts.map((field) => [field, true]))),
    ...say("plan", "", planned),
  ];
}

function policySayings(module: string, policy: Policy): Saying[] {
  return Object.entries(policy).flatMap(([type, rows]) =>
    Object.entries(rows).map(([field, value]) => ({ module, what: "policy", field: `${type}.${field}`, value })),
  );
}
