/** What a part of the API brings: types and fields, and for each field who may, what is recorded and what it costs. */
import type { Policy } from "#engine/auth/policy-table";
import type { AuditRule } from "#api/graphql/policy/audit-rule";
import type { Builder } from "#api/graphql/builder";
import type { Planner } from "#api/graphql/plan/planner";

/** Adds types and fields to a schema. `subjectKinds`: what entries of the audit log can be about, in all modules. */
export type DefineTypes = (builder: Builder, schema: { subjectKinds: readonly string[] }) => void;

/** Something that a module is made of, such as a shape or a field with all that is said of it. */
export type Part = {
  /** Who may ask for each field. A field without a row does not start, nor does a row without a field. */
  readonly policy?: Policy;
  /** What the audit log says of each mutation. One without a rule does not start. */
  readonly audit?: Readonly<Record<string, AuditRule>>;
  /** Kinds of content that entries of the audit log are about, besides the engine's. */
  readonly subjects?: readonly string[];
  /** Points of fields that do more than to read a row, by `Type.field`. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Points of arguments that make a field do more, on top of its own, by `Type.field` and the argument's name. */
  readonly argumentWeights?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Texts that can be longer than a name, by `Type.field`: each costs a point. */
  readonly longTexts?: readonly string[];
  /** How root fields are answered by one statement, by `Type.field`. */
  readonly planned?: Readonly<Record<string, Planner>>;
  readonly types?: readonly DefineTypes[];
};

/** A part of the API with a name. What it says itself and what its parts say counts alike. */
export type Module = Part & {
  /** Stands in the sentence about what is missing. */
  readonly name: string;
  readonly parts?: readonly Part[];
};

const declared = new WeakSet<object>();

/**
 * Declares a module of the API.
 *
 * @example
 * export const invoices = defineModule({
 *   name: "invoices",
 *   parts: [Invoice, readById("invoice", Invoice, { description: "One invoice.", policy: row(inOrganization("read")) })],
 * });
 */
export function defineModule(module: Module): Module {
  declared.add(module);
  return module;
}

/** Whether {@link defineModule} made it: what a team's file exports can be anything. */
export function isModule(value: unknown): value is Module {
  return typeof value === "object" && value !== null && declared.has(value);
}

/** Everything that a module brings, itself among it. */
export function partsOf(module: Module): readonly Part[] {
  return [module, ...(module.parts ?? [])];
}
