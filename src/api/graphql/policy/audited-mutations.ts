/**
 * Every mutation leaves an entry in the audit log, whatever comes of it. A rule says what the entry is about; a mutation
 * without one does not let the program start.
 */
import { defaultFieldResolver, type GraphQLField, type GraphQLSchema } from "graphql";
import type { SubjectKind, What } from "#engine/audit/entry";
import { NOTHING, recorded, recordRefusal } from "#engine/audit/record";
import { changing } from "#engine/failures/after-writing";
import { isUuid } from "#base/kernel/ids";
import { isRegionKey } from "#base/kernel/validation";
import type { Resolver } from "#api/graphql/policy/enforce-policy";
import type { AuditRule } from "#api/graphql/policy/audit-rule";
import { rulesOf } from "#api/graphql/policy/field-rules";

/** Puts the log around every mutation of the schema. */
export function auditMutations(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {}))
    field.resolve = withAuditLog(field, field.resolve ?? defaultFieldResolver);
  return schema;
}

/** Puts the log around another resolver for a mutation. Throws when it has no rule. */
export function withAuditLog(field: GraphQLField<unknown, unknown>, resolve: Resolver): Resolver {
  const { audit } = rulesOf(field);
  if (audit === undefined) throw new Error(`the mutation ${field.name} has no rule for the audit log`);
  return audited(field.name, audit, resolve);
}

function audited(action: string, rule: AuditRule, resolve: Resolver): Resolver {
  return async (parent, args, context, info) => {
    const { services, callSource } = context;
    const act = { callSource, action, what: whatOf(rule, args) };
    // What is planned is answered with its statement, and has no place yet.
    const name = (info as typeof info | undefined)?.path.key;
    const work = () =>
      changing(
        async (): Promise<unknown> => resolve(parent, args, context, info),
        () => name !== undefined && context.written.add(String(name)),
      );
    if (rule.content !== true) return recorded(services, act, work, (result) => madeBy(rule, result));
    try {
      return await work();
    } catch (error) {
      await recordRefusal(services, act, error);
      throw error;
    }
  };
}

function whatOf({ subject, id, organization }: AuditRule, args: unknown): What {
  const subjectId = idAt(args, id, subject);
  return {
    ...NOTHING,
    subjectKind: subject,
    subjectId,
    organizationId: idAt(args, organization, "ORGANIZATION"),
    placementId: subject === "PLACEMENT" ? subjectId : null,
  };
}

function madeBy({ subject, made }: AuditRule, result: unknown): Partial<What> {
  if (made === undefined) return {};
  const subjectId = idAt(result, made.id, subject);
  return {
    subjectId,
    organizationId: idAt(result, made.organization, "ORGANIZATION"),
    placementId: subject === "PLACEMENT" ? subjectId : null,
  };
}

/**
 * The id at the end of a path of names; null where the value has not the form of an id. Callers may write anything there,
 * secrets included, and the log must not have those.
 */
function idAt(value: unknown, path: string | undefined, kind: SubjectKind): string | null {
  const found = path?.split(".").reduce<unknown>(valueIn, value);
  if (typeof found !== "string") return null;
  if (kind === "REGION") return isRegionKey(found) ? found : null;
  return isUuid(found) ? found.toLowerCase() : null;
}

function valueIn(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
