import { asParent, callers, inOrganization, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { acceptInvitation, revokeInvitation } from "#engine/people/invitations";
import { getMembership } from "#engine/home/memberships";
import { validId } from "#base/kernel/validation";
import { inviteMember } from "#engine/people/invite-member";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import { reportLag } from "#api/graphql/lag";
import { type Builder, perSchema } from "#api/graphql/builder";
import { addTotalCount, connectionType, pageArguments } from "#api/graphql/connections";
import { addNodeType, Node } from "#api/graphql/nodes";
import { Role } from "#api/graphql/types/enums";
import { missing } from "#api/graphql/loaders";

function defineInvitation(builder: Builder): void {
  addNodeType(builder, "Invitation", (id, { loaders }) => loaders.invitations.load(id));
  builder.objectType("Invitation", {
    interfaces: [Node(builder)],
    description: "Somebody who may become a member by showing the token that was sent to them.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7." }),
      organization: t.field({
        type: "Organization",
        description: "What they are invited to.",
        resolve: async ({ organizationId }, _, { loaders }) =>
          (await loaders.organizations.load(organizationId)) ?? missing("Organization"),
      }),
      email: t.exposeString("email", { description: "Who may accept it: the user with this address." }),
      role: t.expose("role", { type: Role(builder), description: "What they may do there then." }),
      createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
      expiresAt: t.expose("expiresAt", { type: "DateTime", description: "Until when it is good." }),
      token: t.string({
        nullable: true,
        description:
          "What the person shows to accept it, for a letter of your own. Only in the answer of inviteMember with sendMail: false; else null.",
        resolve: (invitation) =>
          "token" in invitation && typeof invitation.token === "string" ? invitation.token : null,
      }),
    }),
  });
  builder.objectField("Organization", "invitations", (t) =>
    t.field({
      type: Invitations.connection(builder),
      description: "Open invitations, oldest first. For who may manage members.",
      args: pageArguments(builder),
      resolve: async ({ id }, args, { loaders }) => {
        const page = await Invitations.read(args, (request) => loaders.invitationsOf.load({ id, page: request }));
        return { ...page, count: () => loaders.invitationCounts.load({ id }) };
      },
    }),
  );
  addTotalCount(builder, Invitations.connection(builder), "How many open invitations there are on all pages.");
}

const Invitations = connectionType("Invitation", "Invitation", (invitation) => invitation.id);

const InviteMemberInput = perSchema((builder) =>
  builder.inputType("InviteMemberInput", {
    description: "What inviteMember takes.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "The organization." }),
      email: t.string({ required: true, description: "Whom to invite. They need not be a user yet." }),
      role: t.field({ type: Role(builder), defaultValue: "MEMBER", description: "What they may do there." }),
      expiresInDays: t.int({ defaultValue: 7, description: "1 to 30 days." }),
      sendMail: t.boolean({
        defaultValue: true,
        description: "false: no mail is sent, and the token is in the answer. It counts as a mail all the same.",
      }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    inviteMember: t.field({
      type: "Invitation",
      description:
        "Sends a letter to an e-mail address. With the token in it the address's user becomes a member. Inviting an address again replaces the invitation before. LIMIT_EXCEEDED, with extensions.retryAfterSeconds, when too many mails were sent.",
      args: { input: t.arg({ type: InviteMemberInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) =>
        inviteMember(services, actor, {
          organizationId: validId("organizationId", input.organizationId),
          email: input.email,
          role: input.role ?? "MEMBER",
          expiresInDays: input.expiresInDays ?? 7,
          sendMail: input.sendMail ?? true,
        }),
    }),
    acceptInvitation: t.field({
      type: "Membership",
      description:
        "Makes the calling user a member, by the token that was sent to their address. NOT_FOUND for any other.",
      args: { token: t.arg.string({ required: true, description: "From the mail." }) },
      resolve: async (_, { token }, context) => {
        const { organizationId, userId } = await acceptInvitation(context.services, context.actor, token);
        await reportLag(context, waitUntilMembersVisible(context.services, organizationId));
        return getMembership(context.services, organizationId, userId);
      },
    }),
    revokeInvitation: t.field({
      type: "Invitation",
      description: "Takes an open invitation back.",
      args: { id: t.arg.id({ required: true, description: "The invitation's id." }) },
      resolve: (_, { id }, { actor, services }) => revokeInvitation(services, actor, validId("id", id)),
    }),
  }));
}

/** Becoming a member by a mail. */
export const invitations = defineModule({
  name: "invitations",
  policy: {
    Mutation: {
      inviteMember: row(inOrganization("manage-members"), { "as OWNER": inOrganization("manage-owners") }),
      // By the token and the address of who calls.
      acceptInvitation: row(callers("user")),
      revokeInvitation: row(inOrganization("manage-members"), { "of an OWNER": inOrganization("manage-owners") }),
    },
    Organization: { invitations: row(inOrganization("manage-members", { parent: true })) },
    InvitationConnection: asParent("totalCount"),
    Invitation: asParent("id organization email role createdAt expiresAt token"),
  },
  weights: { "InvitationConnection.totalCount": 5 },
  audit: {
    inviteMember: { subject: "INVITATION", organization: "input.organizationId", made: { id: "id" } },
    acceptInvitation: { subject: "ORGANIZATION", made: { id: "organizationId", organization: "organizationId" } },
    revokeInvitation: { subject: "INVITATION", id: "id" },
  },
  types: [defineInvitation, defineMutations],
});
