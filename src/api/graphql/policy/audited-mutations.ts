/**
 * Every mutation leaves an entry in the audit log, whatever comes of it. This table says what the entry is about; a mutation
 * without a row does not let the program start.
 */
import { defaultFieldResolver, type GraphQLSchema } from "graphql";
import type { SubjectKind, What } from "#engine/audit/entry";
import { NOTHING, recorded, recordRefusal } from "#engine/audit/record";
import { isUuid } from "#base/kernel/ids";
import { isRegionKey } from "#base/kernel/validation";
import type { Resolver } from "#api/graphql/policy/enforce-policy";

type Rule = {
  subject: SubjectKind;
  /** Where the arguments name the subject, and its organization; the organization is looked up where it is not named. */
  id?: string;
  organization?: string;
  /** Where the result names what the arguments could not. */
  made?: { id: string; organization?: string };
  /**
   * The mutation writes content, and the entry beside it in the same statement; only what was refused is recorded here, at
   * home, as nothing came of it that had to stay in a region.
   */
  content?: true;
};

const RULES: Record<string, Rule> = {
  createUser: { subject: "USER", made: { id: "id" } },
  updateUser: { subject: "USER", id: "input.id" },
  eraseUser: { subject: "USER", id: "id" },
  createOrganization: { subject: "ORGANIZATION", made: { id: "id", organization: "id" } },
  addOrganizationMember: { subject: "USER", id: "input.userId", organization: "input.organizationId" },
  removeOrganizationMember: { subject: "USER", id: "input.userId", organization: "input.organizationId" },
  leaveOrganization: { subject: "ORGANIZATION", id: "organizationId", organization: "organizationId" },
  inviteMember: { subject: "INVITATION", organization: "input.organizationId", made: { id: "id" } },
  acceptInvitation: { subject: "ORGANIZATION", made: { id: "organizationId", organization: "organizationId" } },
  revokeInvitation: { subject: "INVITATION", id: "id" },
  createApiKey: { subject: "API_KEY", organization: "input.organizationId", made: { id: "key.id" } },
  revokeApiKey: { subject: "API_KEY", id: "id" },
  linkIdentity: { subject: "USER", id: "input.userId" },
  registerRegion: { subject: "REGION", made: { id: "key" } },
  updateRegion: { subject: "REGION", id: "input.key" },
  retireRegion: { subject: "REGION", id: "input.key" },
  grantRegionAccess: { subject: "PLACEMENT", organization: "input.organizationId", made: { id: "id" } },
  revokeRegionAccess: { subject: "PLACEMENT", id: "input.placementId" },
  resumeRegionAccess: { subject: "PLACEMENT", id: "placementId" },
  retryPlacement: { subject: "PLACEMENT", id: "placementId" },
  createResource: {
    subject: "ORGANIZATION",
    id: "input.organizationId",
    organization: "input.organizationId",
    content: true,
  },
  createComment: { subject: "RESOURCE", id: "input.resourceId", content: true },
};

/** Puts the log around every mutation of the schema. Throws when a mutation has no rule, or a rule no mutation. */
export function auditMutations(schema: GraphQLSchema): GraphQLSchema {
  const fields = schema.getMutationType()?.getFields() ?? {};
  const strange = Object.keys(RULES).filter((name) => !(name in fields));
  if (strange.length > 0) throw new Error(`the audit log has rules for no mutation: ${strange.join(", ")}`);
  for (const [name, field] of Object.entries(fields)) {
    field.resolve = withAuditLog(name, field.resolve ?? defaultFieldResolver);
  }
  return schema;
}

/** Puts the log around another resolver for a mutation. */
export function withAuditLog(name: string, resolve: Resolver): Resolver {
  const rule = RULES[name];
  if (rule === undefined) throw new Error(`the mutation ${name} has no rule for the audit log`);
  return audited(name, rule, resolve);
}

function audited(action: string, rule: Rule, resolve: Resolver): Resolver {
  return async (parent, args, context, info) => {
    const { services, origin } = context;
    const act = { origin, action, what: whatOf(rule, args) };
    const work = async (): Promise<unknown> => resolve(parent, args, context, info);
    if (rule.content !== true) return recorded(services, act, work, (result) => madeBy(rule, result));
    try {
      return await work();
    } catch (error) {
      await recordRefusal(services, act, error);
      throw error;
    }
  };
}

function whatOf({ subject, id, organization }: Rule, args: unknown): What {
  const subjectId = idAt(args, id, subject);
  return {
    ...NOTHING,
    subjectKind: subject,
    subjectId,
    organizationId: idAt(args, organization, "ORGANIZATION"),
    placementId: subject === "PLACEMENT" ? subjectId : null,
  };
}

function madeBy({ subject, made }: Rule, result: unknown): Partial<What> {
  if (made === undefined) return {};
  const subjectId = idAt(result, made.id, subject);
  return {
    subjectId,
    organizationId: idAt(result, made.organization, "ORGANIZATION"),
    placementId: subject === "PLACEMENT" ? subjectId : null,
  };
}

/** The id at the end of a path of names. What is none is left out: callers may write anything there, secrets included. */
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
