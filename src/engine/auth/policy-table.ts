/**
 * Who may do what: the one table. Every field of the schema has a row; `api/graphql/policy/enforce-policy.ts` puts what the row says
 * in front of its resolver, and a schema with a field without a row, or a row without a field, is not built.
 * docs/reference/authorization.md is made of it, and `test/integration/authorization-matrix.test.ts` compares it with what happens.
 */
import type { Role } from "#engine/auth/roles";

/** What can be done with an organization, and from which role on. Services name the action; no role stands anywhere else. */
export const MINIMUM_ROLE = {
  read: "VIEWER",
  "write-content": "MEMBER",
  "manage-members": "ADMIN",
  "manage-owners": "OWNER",
  "manage-placements": "OWNER",
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

const callers = (...list: CallerKind[]): Rule => ({ kind: "callers", callers: list });
const everybody = callers(...ANYBODY);
const operator = callers("operator");
const organization = (
  action: OrganizationAction,
  options: Partial<Pick<Rule & { kind: "organization" }, "callers" | "parent" | "otherwise">> = {},
): Rule => ({ kind: "organization", action, callers: ANYBODY, parent: false, otherwise: "refused", ...options });
const listed = (action: OrganizationAction) => organization(action, { otherwise: "left out" });

const row = (rule: Rule, cases: Record<string, Rule> = {}): Row => ({ rule, cases });
/** The names with a space between. */
const asParent = (fields: string): Record<string, Row> =>
  Object.fromEntries(fields.split(" ").map((field) => [field, row({ kind: "parent" })]));

const CONNECTION = asParent("edges pageInfo");
const EDGE = asParent("node cursor");

/** By type, by field. */
export const POLICY: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  Query: {
    me: row(everybody),
    user: row({ kind: "people", otherwise: "NOT_FOUND" }),
    users: row({ kind: "people", otherwise: "left out" }),
    organization: row(organization("read")),
    organizations: row(listed("read")),
    // Regions are the platform's offer to everybody; where their servers are is not.
    region: row(everybody),
    regions: row(everybody),
    placement: row(organization("read")),
    resource: row(organization("read"), { "of the default organization": everybody }),
    resources: row(listed("read"), { "of the default organization": everybody }),
    apiKeys: row(organization("manage-keys"), { "of operators": operator }),
    jobs: row(listed("read-jobs")),
    replication: row(operator),
    border: row(operator),
    auditLog: row(organization("read-audit-log"), { "of everything": operator }),
  },
  Mutation: {
    createUser: row(operator),
    updateUser: row({ kind: "oneself" }, { "the e-mail address": operator }),
    eraseUser: row(operator),
    linkIdentity: row(operator),
    createOrganization: row(callers("operator", "user")),
    addOrganizationMember: row(organization("manage-members"), {
      "an OWNER, before or after": organization("manage-owners"),
    }),
    removeOrganizationMember: row(organization("manage-members"), {
      "an OWNER": organization("manage-owners"),
      oneself: organization("read"),
    }),
    leaveOrganization: row(organization("read", { callers: ["user"] })),
    inviteMember: row(organization("manage-members"), { "as OWNER": organization("manage-owners") }),
    revokeInvitation: row(organization("manage-members"), { "of an OWNER": organization("manage-owners") }),
    // By the token and the address of who calls.
    acceptInvitation: row(callers("user")),
    // One that leaked must not make others.
    createApiKey: row(organization("manage-keys", { callers: ["operator", "user"] }), { "of operators": operator }),
    revokeApiKey: row(organization("manage-keys")),
    registerRegion: row(operator),
    updateRegion: row(operator),
    retireRegion: row(operator),
    grantRegionAccess: row(organization("manage-placements")),
    revokeRegionAccess: row(organization("manage-placements")),
    resumeRegionAccess: row(organization("manage-placements")),
    retryPlacement: row(organization("manage-placements")),
    createResource: row(organization("write-content"), {
      "in the default organization": callers("operator", "user"),
    }),
    createComment: row(organization("write-content"), {
      "in the default organization": callers("operator", "user"),
      "in another's name": organization("write-content", { callers: ["operator", "key"] }),
    }),
  },
  Subscription: {
    commentAdded: row(organization("read"), { "of the default organization": everybody }),
    placementChanged: row(organization("read")),
  },
  User: {
    ...asParent("id name createdAt"),
    // Who speaks in the default organization is known by name there, to everybody, and by no more.
    email: row(
      { kind: "parent" },
      {
        "of an author in the default organization": { kind: "people", otherwise: "FORBIDDEN" },
      },
    ),
  },
  Organization: {
    ...asParent("id name"),
    members: row(organization("read", { parent: true })),
    placements: row(organization("read", { parent: true })),
    resources: row(organization("read", { parent: true })),
    invitations: row(organization("manage-members", { parent: true })),
  },
  Membership: asParent("user organization role joinedAt"),
  Invitation: asParent("id organization email role createdAt expiresAt"),
  ApiKey: asParent("id name organization role createdBy createdAt expiresAt revokedAt lastUsedAt"),
  CreatedApiKey: asParent("key secret"),
  Region: {
    ...asParent("key name"),
    server: row(operator),
    placements: row(listed("read")),
  },
  RegionServer: asParent("host port poolUrl version reachable subscriptionMethod"),
  Placement: asParent("id organization region isolation state database schemaVersion replication failure dropAfter"),
  ReplicationStatus: asParent("healthy parked lagBytes"),
  Resource: {
    ...asParent("id name organization region createdAt comments"),
    createdBy: row({ kind: "people", otherwise: "left out" }),
  },
  Comment: asParent("id body author resource createdAt"),
  Job: asParent(
    "id kind subject requestedBy requestedAt state step attempts lastError dueAt startedAt finishedAt result steps",
  ),
  JobStep: asParent("name attempts startedAt finishedAt"),
  Erasure: asParent("user complete pending"),
  Replication: asParent("servers databases"),
  ReplicationServer: asParent("name reachable headroom problem"),
  ServerHeadroom: asParent("setting limit used"),
  ReplicationDatabase: asParent("database region flows"),
  ReplicationFlow: asParent("direction healthy parked lagBytes lagSeconds retainedBytes problem"),
  Border: asParent("mayCross newerDatabases crossed refused"),
  BorderFlow: asParent("direction from into columns filter changes schemaVersions databases"),
  BorderCrossing: asParent("day regionKey database direction table way rows bytes firstAt lastAt"),
  BorderRefusal: asParent("id firstAt lastAt attempts address database direction user code sentence"),
  BorderCrossingConnection: CONNECTION,
  BorderCrossingEdge: EDGE,
  BorderRefusalConnection: CONNECTION,
  BorderRefusalEdge: EDGE,
  AuditEntry: asParent(
    "id at action outcome who whoId via address userAgent subjectKind subjectId organizationId placementId regionKey",
  ),
  AuditLogConnection: asParent("edges pageInfo missingRegions"),
  AuditLogEdge: EDGE,
  PageInfo: asParent("hasNextPage hasPreviousPage startCursor endCursor"),
  ApiKeyConnection: CONNECTION,
  ApiKeyEdge: EDGE,
  CommentConnection: CONNECTION,
  CommentEdge: EDGE,
  InvitationConnection: CONNECTION,
  InvitationEdge: EDGE,
  JobConnection: CONNECTION,
  JobEdge: EDGE,
  OrganizationConnection: CONNECTION,
  OrganizationEdge: EDGE,
  OrganizationMembersConnection: CONNECTION,
  OrganizationMembersEdge: EDGE,
  RegionPlacementsConnection: CONNECTION,
  RegionPlacementsEdge: EDGE,
  ReplicationDatabaseConnection: CONNECTION,
  ReplicationDatabaseEdge: EDGE,
  ResourceConnection: CONNECTION,
  ResourceEdge: EDGE,
  UserConnection: CONNECTION,
  UserEdge: EDGE,
};
