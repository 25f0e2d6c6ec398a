/** What becomes of an organization after it was made: another name, another owner, its end. */
import { inOrganization, row } from "#engine/auth/policy-table";
import { deleteOrganization } from "#engine/placements/delete-organization";
import { transferOwnership } from "#engine/home/memberships";
import { renameOrganization } from "#engine/home/organizations";
import { validId } from "#base/kernel/validation";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import { defineModule } from "#api/graphql/module";
import { reportLag } from "#api/graphql/lag";
import { type Builder, perSchema } from "#api/graphql/builder";

const RenameOrganizationInput = perSchema((builder) =>
  builder.inputType("RenameOrganizationInput", {
    description: "Another name for an organization.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "The organization." }),
      name: t.string({ required: true, description: "1 to 200 characters." }),
    }),
  }),
);

const TransferOwnershipInput = perSchema((builder) =>
  builder.inputType("TransferOwnershipInput", {
    description: "Who owns an organization in the caller's place.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "The organization." }),
      userId: t.id({ required: true, description: "The member who becomes an OWNER." }),
    }),
  }),
);

const DeleteOrganizationInput = perSchema((builder) =>
  builder.inputType("DeleteOrganizationInput", {
    description: "Which organization ends.",
    fields: (t) => ({
      organizationId: t.id({ required: true, description: "The organization." }),
      confirm: t.string({
        required: true,
        description: "The organization's name. With another text nothing is deleted, and the error says what would go.",
      }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    renameOrganization: t.field({
      type: "Organization",
      description: "Gives an organization another name, also in its regions.",
      args: { input: t.arg({ type: RenameOrganizationInput(builder), required: true, description: "What it takes." }) },
      resolve: async (_, { input }, context) => {
        const organizationId = validId("organizationId", input.organizationId);
        const organization = await renameOrganization(context.services, context.actor, {
          organizationId,
          name: input.name,
        });
        await reportLag(context, waitUntilMembersVisible(context.services, organizationId));
        return organization;
      },
    }),
    transferOwnership: t.field({
      type: "Membership",
      description:
        "The calling OWNER makes another member an OWNER and becomes an ADMIN. Other owners stay. Answers the new owner's membership.",
      args: { input: t.arg({ type: TransferOwnershipInput(builder), required: true, description: "What it takes." }) },
      resolve: async (_, { input }, context) => {
        const organizationId = validId("organizationId", input.organizationId);
        const userId = validId("userId", input.userId);
        const membership = await transferOwnership(context.services, context.actor, { organizationId, userId });
        await reportLag(context, waitUntilMembersVisible(context.services, organizationId));
        return membership;
      },
    }),
    deleteOrganization: t.field({
      type: "ID",
      description:
        "Deletes an organization with its data in every region, its memberships, invitations and keys, at once and for good. Users and the audit log stay. Answers its id when all is gone, or after 5 s while its databases are still being dropped (Organization.deletingAt); calling again is harmless.",
      args: { input: t.arg({ type: DeleteOrganizationInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) =>
        deleteOrganization(services, actor, {
          organizationId: validId("organizationId", input.organizationId),
          confirm: input.confirm,
        }),
    }),
  }));
}

/** Mutations on organizations that exist. */
export const organizationLife = defineModule({
  name: "organization-life",
  policy: {
    Mutation: {
      renameOrganization: row(inOrganization("manage-organization")),
      transferOwnership: row(inOrganization("manage-owners", { callers: ["user"] })),
      deleteOrganization: row(inOrganization("manage-organization", { callers: ["operator", "user"] })),
    },
  },
  audit: {
    renameOrganization: { subject: "ORGANIZATION", id: "input.organizationId", organization: "input.organizationId" },
    transferOwnership: { subject: "USER", id: "input.userId", organization: "input.organizationId" },
    deleteOrganization: { subject: "ORGANIZATION", id: "input.organizationId", organization: "input.organizationId" },
  },
  types: [defineMutations],
});
