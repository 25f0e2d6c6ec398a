import { asParent, callers, inOrganization, listed, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { viewerId } from "#engine/auth/actor";
import { actionsOf, authorizeOperator } from "#engine/auth/policy";
import { addMember, leave, MAX_COUNTED, membershipId, readMemberFilter, removeMember } from "#engine/home/memberships";
import { createOrganization, getOrganization, listOrganizations } from "#engine/home/organizations";
import { validId, validRegionKey } from "#base/kernel/validation";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import { reportLag } from "#api/graphql/lag";
import { type Builder, perSchema } from "#api/graphql/builder";
import { addTotalCount, connectionType, pageArguments } from "#api/graphql/connections";
import { Action, Role } from "#api/graphql/types/enums";
import { missing } from "#api/graphql/loaders";
import { addComposedNodeType, addNodeType, Node } from "#api/graphql/nodes";

const Members = connectionType("OrganizationMembers", "Membership", (membership) => membership.userId);
const UserOrganizations = connectionType("UserOrganizations", "Organization", (organization) => organization.id);
const Organizations = connectionType("Organization", "Organization", (organization) => organization.id);

function defineMembership(builder: Builder): void {
  addComposedNodeType(builder, "Membership", (id, { loaders }) => loaders.memberships.load(id));
  builder.objectType("Membership", {
    description: "A user in an organization.",
    interfaces: [Node(builder)],
    fields: (t) => ({
      id: t.id({
        description: "The organization's id and the user's with a colon between. It stays when the role changes.",
        resolve: membershipId,
      }),
      user: t.field({
        type: "User",
        description: "Who belongs to it.",
        resolve: async ({ userId }, _, { loaders }) => (await loaders.users.load(userId)) ?? missing("User"),
      }),
      organization: t.field({
        type: "Organization",
        description: "What they belong to.",
        resolve: async ({ organizationId }, _, { loaders }) =>
          (await loaders.organizations.load(organizationId)) ?? missing("Organization"),
      }),
      role: t.expose("role", { type: Role(builder), description: "What they may do there." }),
      joinedAt: t.expose("joinedAt", { type: "DateTime", description: "Since when." }),
    }),
  });
}

function defineOrganization(builder: Builder): void {
  addNodeType(builder, "Organization", (id, { loaders }) => loaders.organizations.load(id));
  builder.objectType("Organization", {
    description: "A collection of users, owner of content.",
    interfaces: [Node(builder)],
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7." }),
      name: t.exposeString("name", { description: "At most 200 characters; need not be unique." }),
      createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
      updatedAt: t.expose("updatedAt", {
        type: "DateTime",
        description: "When it was last renamed; its `createdAt` until then.",
      }),
      deletingAt: t.expose("deletingAt", {
        type: "DateTime",
        nullable: true,
        description: "Since when it is being deleted; null when nobody asked for that.",
      }),
      members: t.field({
        type: Members.connection(builder),
        description: "Who belongs to it, by the ids of the users.",
        args: {
          ...pageArguments(builder),
          role: t.arg({ type: Role(builder), description: "Only members with this role." }),
          name: t.arg.string({ description: "Only members whose name begins with this, in upper or lower case." }),
        },
        resolve: async ({ id }, args, { loaders }) => {
          const filter = readMemberFilter(args);
          const count = () => loaders.memberCounts.load({ id, filter });
          const page = await Members.read(args, (request) => loaders.membersOf.load({ id, page: request, filter }));
          return { ...page, count };
        },
      }),
      viewerRole: t.field({
        type: Role(builder),
        nullable: true,
        description: "The caller's own role in it; null for the operator, and after leaving.",
        resolve: ({ id }, _, { loaders }) => loaders.roles.load(id),
      }),
      viewerMay: t.field({
        type: [Action(builder)],
        description: "What the caller may do in it. A key may do less, where a field says that it is for users.",
        resolve: async ({ id }, _, { actor, loaders }) => actionsOf(actor, await loaders.roles.load(id)),
      }),
      placements: t.field({
        type: ["Placement"],
        description: "Its access to regions, oldest first.",
        resolve: ({ id }, _, { loaders }) => loaders.placementsOf.load(id),
      }),
    }),
  });
}

/** What stands beside an organization in a list. */
function defineOrganizationFacts(builder: Builder): void {
  builder.objectFields("Organization", (t) => ({
    memberCount: t.int({
      description: "How many members it has.",
      resolve: async ({ id }, _, { loaders }) => (await loaders.organizationFacts.load(id))?.members ?? 0,
    }),
    lastActivityAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "When something of it was last done, as far as home knows: its newest entry in the audit log there, or rows that its own tenant databases sent. null: not known.",
      resolve: async ({ id }, _, { loaders }) => (await loaders.organizationFacts.load(id))?.lastActivityAt ?? null,
    }),
    bytes: t.float({
      nullable: true,
      description:
        "Bytes of its own (DEDICATED) tenant databases, of those that could be asked within 3 s. null: it has none that could.",
      resolve: async ({ id }, _, { loaders }) => {
        const placements = await loaders.placementsOf.load(id);
        const sizes = await Promise.all(placements.map((placement) => loaders.sizes.load(placement)));
        const known = sizes.filter((size) => size !== null);
        return known.length === 0 ? null : known.reduce((sum, size) => sum + size, 0);
      },
    }),
  }));
}

function defineMemberCount(builder: Builder): void {
  addTotalCount(
    builder,
    Members.connection(builder),
    `How many members there are on all pages, of those that role and name let pass; null when there are more than ${MAX_COUNTED.toLocaleString("en")}.`,
  );
}

function defineOrganizationsOfUser(builder: Builder): void {
  builder.objectField("User", "organizations", (t) =>
    t.field({
      type: UserOrganizations.connection(builder),
      description:
        "What they belong to, by age. For themselves and the operator: FORBIDDEN for others that see the user.",
      args: pageArguments(builder),
      resolve: ({ id }, args, { actor, loaders }) => {
        if (viewerId(actor) !== id) authorizeOperator(actor);
        return UserOrganizations.read(args, (page) => loaders.organizationsOf.load({ id, page }));
      },
    }),
  );
}

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    organization: t.field({
      type: "Organization",
      nullable: true,
      description: "One organization that the caller belongs to. NOT_FOUND otherwise.",
      args: { id: t.arg.id({ required: true, description: "The organization's id." }) },
      resolve: async (_, { id }, { loaders }) =>
        (await loaders.organizations.load(validId("id", id))) ?? missing("Organization"),
    }),
    organizations: t.field({
      type: Organizations.connection(builder),
      description: "The caller's organizations; all of them for the operator.",
      args: {
        ...pageArguments(builder),
        search: t.arg.string({
          required: false,
          description: "Only those whose name begins with this, in upper or lower case, or that have this id.",
        }),
        regionKey: t.arg.string({ required: false, description: "Only those with a placement in this region." }),
      },
      resolve: (_, { search, regionKey, ...args }, { actor, services }) =>
        Organizations.read(args, (page) =>
          listOrganizations(services, actor, page, {
            search: search ?? null,
            regionKey: regionKey == null ? null : validRegionKey("regionKey", regionKey),
          }),
        ),
    }),
  }));
}

const CreateOrganizationInput = perSchema((builder) =>
  builder.inputType("CreateOrganizationInput", {
    description: "What createOrganization takes.",
    fields: (t) => ({ name: t.string({ required: true, description: "1 to 200 characters." }) }),
  }),
);

const AddOrganizationMemberInput = perSchema((builder) =>
  builder.inputType("AddOrganizationMemberInput", {
    description: "What addOrganizationMember takes.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "The organization." }),
      userId: t.id({ required: true, description: "The user to add, or whose role to change." }),
      role: t.field({ type: Role(builder), defaultValue: "MEMBER", description: "What they may do there." }),
    }),
  }),
);

const RemoveOrganizationMemberInput = perSchema((builder) =>
  builder.inputType("RemoveOrganizationMemberInput", {
    description: "What removeOrganizationMember takes.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "The organization." }),
      userId: t.id({ required: true, description: "The member to remove." }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    createOrganization: t.field({
      type: "Organization",
      description: "Makes an organization; a calling user becomes its OWNER.",
      args: { input: t.arg({ type: CreateOrganizationInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) => createOrganization(services, actor, input),
    }),
    addOrganizationMember: t.field({
      type: "Membership",
      description:
        "Adds a user to an organization, or changes the role of one who belongs to it. Callers other than the operator add people whom they share an organization with, and invite others. Owners are made and unmade by owners.",
      args: {
        input: t.arg({ type: AddOrganizationMemberInput(builder), required: true, description: "What it takes." }),
      },
      resolve: async (_, { input }, context) => {
        const membership = await addMember(context.services, context.actor, {
          organizationId: validId("organizationId", input.organizationId),
          userId: validId("userId", input.userId),
          role: input.role ?? "MEMBER",
        });
        await reportLag(context, waitUntilMembersVisible(context.services, membership.organizationId));
        return membership;
      },
    }),
    removeOrganizationMember: t.field({
      type: "Organization",
      description: "Removes a user from an organization. What they wrote stays. The last owner cannot be removed.",
      args: {
        input: t.arg({ type: RemoveOrganizationMemberInput(builder), required: true, description: "What it takes." }),
      },
      resolve: async (_, { input }, context) => {
        const { actor, services } = context;
        const organizationId = validId("organizationId", input.organizationId);
        const userId = validId("userId", input.userId);
        const organization = await getOrganization(services, actor, organizationId);
        await removeMember(services, actor, { organizationId, userId });
        await reportLag(context, waitUntilMembersVisible(services, organizationId));
        return organization;
      },
    }),
    leaveOrganization: t.field({
      type: "Organization",
      description:
        "The calling user leaves an organization. Of the answer only what does not need a membership can be read. The last owner cannot leave.",
      args: { organizationId: t.arg.id({ required: true, description: "Which one." }) },
      resolve: async (_, args, context) => {
        const { actor, services } = context;
        const organizationId = validId("organizationId", args.organizationId);
        const organization = await getOrganization(services, actor, organizationId);
        await leave(services, actor, organizationId);
        await reportLag(context, waitUntilMembersVisible(services, organizationId));
        return organization;
      },
    }),
  }));
}

/** Organizations and their members. */
export const organizations = defineModule({
  name: "organizations",
  policy: {
    Query: {
      organization: row(inOrganization("read")),
      organizations: row(listed("read")),
    },
    Mutation: {
      createOrganization: row(callers("operator", "user")),
      addOrganizationMember: row(inOrganization("manage-members"), {
        "an OWNER, before or after": inOrganization("manage-owners"),
      }),
      removeOrganizationMember: row(inOrganization("manage-members"), {
        "an OWNER": inOrganization("manage-owners"),
        oneself: inOrganization("read"),
      }),
      leaveOrganization: row(inOrganization("read", { callers: ["user"] })),
    },
    Organization: {
      ...asParent("id name createdAt updatedAt deletingAt viewerRole viewerMay"),
      members: row(inOrganization("read", { parent: true })),
      memberCount: row(inOrganization("read", { parent: true })),
      lastActivityAt: row(inOrganization("read", { parent: true })),
      bytes: row(inOrganization("read", { parent: true })),
      placements: row(inOrganization("read", { parent: true })),
    },
    User: { organizations: row({ kind: "oneself" }) },
    OrganizationMembersConnection: asParent("totalCount"),
    Membership: asParent("id user organization role joinedAt"),
  },
  weights: {
    "Organization.memberCount": 1,
    "Organization.lastActivityAt": 1,
    "Organization.bytes": 3,
    // Members' names are looked up one by one.
    "OrganizationMembersConnection.totalCount": 20,
  },
  argumentWeights: { "Organization.members": { name: 50, role: 5 } },
  audit: {
    createOrganization: { subject: "ORGANIZATION", made: { id: "id", organization: "id" } },
    addOrganizationMember: { subject: "USER", id: "input.userId", organization: "input.organizationId" },
    removeOrganizationMember: { subject: "USER", id: "input.userId", organization: "input.organizationId" },
    leaveOrganization: { subject: "ORGANIZATION", id: "organizationId", organization: "organizationId" },
  },
  types: [
    defineMembership,
    defineOrganization,
    defineOrganizationFacts,
    defineMemberCount,
    defineOrganizationsOfUser,
    defineQueries,
    defineMutations,
  ],
});
