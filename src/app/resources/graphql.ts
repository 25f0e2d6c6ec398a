import { validId } from "#base/kernel/validation";
import { createResource, listResources } from "#app/resources/resources";
import { settleResource } from "#engine/links/settle-writes";
import { readCatalog, sayLate } from "#api/graphql/lag";
import { builder } from "#api/graphql/builder";
import { Comments } from "#app/comments/graphql";
import { mentions } from "#api/graphql/fragments";
import { connectionType, pageArguments } from "#api/graphql/connections";

export const Resources = connectionType("Resource", "Resource", (resource) => resource.id);

builder.objectType("Resource", {
  description: "An abstract project that several users work on.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "UUIDv7 that says which database holds it." }),
    name: t.exposeString("name", { description: "At most 200 characters." }),
    organization: t.field({
      type: "Organization",
      nullable: true,
      description: "Whose it is; null for the default organization.",
      resolve: ({ organizationId }, _, { loaders }) =>
        organizationId === null ? null : loaders.organizations.load(organizationId),
    }),
    region: t.field({
      type: "Region",
      nullable: true,
      description: "Where it lives; null for home.",
      resolve: ({ databaseId }, _, { loaders }) =>
        databaseId === 0 ? null : loaders.regionsOfDatabases.load(databaseId),
    }),
    createdBy: t.field({
      type: "User",
      nullable: true,
      description: "The user who made it; null when the operator did, or when the caller may not see that user.",
      resolve: ({ createdById }, _, { loaders }) => (createdById === null ? null : loaders.users.load(createdById)),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    comments: t.field({
      type: Comments.connection,
      description:
        "Its comments, oldest first, read where the resource lives: when that cannot be reached, edges and pageInfo are null, each with an error.",
      args: pageArguments,
      resolve: ({ id }, args, { loaders }, info) =>
        Comments.read(args, (page) => loaders.content.comments(id, page, mentions(info, "body"))),
    }),
  }),
});

builder.queryFields((t) => ({
  resource: t.field({
    type: "Resource",
    nullable: true,
    description: "One resource, read where it lives. NOT_FOUND when there is none that the caller may see.",
    args: { id: t.arg.id({ required: true, description: "The resource's id." }) },
    resolve: (_, { id }, { loaders }) => loaders.content.resource(validId("id", id)),
  }),
  resources: t.field({
    type: Resources.connection,
    description: "The catalog: what the caller may see, across regions.",
    args: {
      organizationId: t.arg.id({ required: false, description: "Only this organization's." }),
      regionKey: t.arg.string({ required: false, description: "Only those in this region." }),
      ...pageArguments,
    },
    resolve: (_, args, context) => {
      const { actor, services } = context;
      const organizationId = args.organizationId == null ? null : validId("organizationId", args.organizationId);
      const filter = { organizationId, regionKey: args.regionKey ?? null };
      return readCatalog(context, () => Resources.read(args, (page) => listResources(services, actor, filter, page)));
    },
  }),
}));

const CreateResourceInput = builder.inputType("CreateResourceInput", {
  fields: (t) => ({
    name: t.string({ required: true, description: "1 to 200 characters." }),
    organizationId: t.id({ description: "Whose it is; the default organization when left out." }),
    regionKey: t.string({
      description: "Where it lives; may be left out where the organization has one placement.",
    }),
  }),
});

builder.mutationField("createResource", (t) =>
  t.field({
    type: "Resource",
    description: "Makes a resource, in the region where it belongs.",
    args: { input: t.arg({ type: CreateResourceInput, required: true }) },
    resolve: async (_, { input }, context) => {
      const wanted = {
        name: input.name,
        organizationId: input.organizationId == null ? null : validId("organizationId", input.organizationId),
        regionKey: input.regionKey ?? null,
      };
      const resource = await createResource(context.services, context.actor, wanted, {
        origin: context.origin,
        action: "createResource",
      });
      await sayLate(context, settleResource(context.services, resource.databaseId));
      return resource;
    },
  }),
);
