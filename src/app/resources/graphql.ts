import { asParent, callers, everybody, inOrganization, listed, row } from "#engine/auth/policy-table";
import type { PageRequest } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";
import {
  createResource,
  listResources,
  listResourcesOf,
  readResourceText,
  type Resource,
} from "#app/resources/resources";
import { resourceText } from "#app/resources/resource-text";
import type { TenantRoute } from "#engine/routing/routing";
import { settleResource } from "#engine/links/settle-writes";
import { readCatalog, sayLate } from "#api/graphql/lag";
import { type Builder, perSchema } from "#api/graphql/builder";
import { CommentType, Comments } from "#app/comments/graphql";
import { mentions } from "#api/graphql/fragments";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { content } from "#app/content-loaders";
import type { GraphQLContext } from "#api/graphql/context";
import type { Resolver } from "#api/graphql/policy/enforce-policy";
import { byPage, defineLoaders } from "#api/graphql/loaders";
import { defineModule } from "#api/graphql/module";
import type { Planner } from "#api/graphql/plan/planner";
import { type ResourceSelection, selectResource } from "#app/resources/resource-members";
import { guarding, maxBytes, pageOf, readArguments, running } from "#api/graphql/plan/root-field";

const ResourceType = perSchema((builder) => builder.objectRef<Resource>("Resource"));

const Resources = connectionType("Resource", ResourceType, (resource) => resource.id);

/** Pages of the catalog, by organization. */
const catalog = defineLoaders((services, actor) => ({
  resourcesOf: byPage((ids, page) => listResourcesOf(services, actor, ids, page)),
}));

function defineResource(builder: Builder): void {
  builder.objectType(ResourceType(builder), {
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
        type: Comments.connection(builder),
        description:
          "Its comments, oldest first, read where the resource lives: when that cannot be reached, edges and pageInfo are null, each with an error.",
        args: pageArguments(builder),
        resolve: ({ id }, args, { loaders }, info) =>
          Comments.read(args, (page) => loaders.of(content).comments(id, page, mentions(info, "body"))),
      }),
    }),
  });
}

function defineBelonging(builder: Builder): void {
  builder.objectField(CommentType(builder), "resource", (t) =>
    t.field({
      type: ResourceType(builder),
      description: "What it is about.",
      resolve: ({ resourceId }, _, { loaders }) => loaders.of(content).resource(resourceId),
    }),
  );
  builder.objectField("Organization", "resources", (t) =>
    t.field({
      type: Resources.connection(builder),
      description: "Its resources in every region, from the catalog at home.",
      args: pageArguments(builder),
      resolve: ({ id }, args, context) =>
        readCatalog(context, () =>
          Resources.read(args, (page) => context.loaders.of(catalog).resourcesOf.load({ id, page })),
        ),
    }),
  );
}

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    resource: t.field({
      type: ResourceType(builder),
      nullable: true,
      description: "One resource, read where it lives. NOT_FOUND when there is none that the caller may see.",
      args: { id: t.arg.id({ required: true, description: "The resource's id." }) },
      resolve: (_, { id }, { loaders }) => loaders.of(content).resource(validId("id", id)),
    }),
    resources: t.field({
      type: Resources.connection(builder),
      description: "The catalog: what the caller may see, across regions.",
      args: {
        organizationId: t.arg.id({ required: false, description: "Only this organization's." }),
        regionKey: t.arg.string({ required: false, description: "Only those in this region." }),
        ...pageArguments(builder),
      },
      resolve: (_, args, context) => {
        const { actor, services } = context;
        const organizationId = args.organizationId == null ? null : validId("organizationId", args.organizationId);
        const filter = { organizationId, regionKey: args.regionKey ?? null };
        return readCatalog(context, () => Resources.read(args, (page) => listResources(services, actor, filter, page)));
      },
    }),
  }));
}

const CreateResourceInput = perSchema((builder) =>
  builder.inputType("CreateResourceInput", {
    fields: (t) => ({
      name: t.string({ required: true, description: "1 to 200 characters." }),
      organizationId: t.id({ description: "Whose it is; the default organization when left out." }),
      regionKey: t.string({
        description: "Where it lives; may be left out where the organization has one placement.",
      }),
    }),
  }),
);

function defineCreateResource(builder: Builder): void {
  builder.mutationField("createResource", (t) =>
    t.field({
      type: ResourceType(builder),
      description: "Makes a resource, in the region where it belongs.",
      args: { input: t.arg({ type: CreateResourceInput(builder), required: true }) },
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
}

const planResource: Planner = (schema, nodes, fragments) => {
  const selection = selectResource(nodes, fragments);
  const statements = {
    region: resourceText(selection.members, "region"),
    // Who may see an address there depends on who asks.
    home: selection.asksForAddress ? undefined : resourceText(selection.members, "home"),
  };
  const argumentsOf = readArguments(schema, "Query", nodes[0]);
  const pagesOf = selection.pages.map((page) => readArguments(schema, "Resource", page));
  const run: Resolver = (_, { id, pages }: { id: string; pages: PageRequest[] }, context) =>
    readResourceText(
      context.services,
      context.actor,
      { id: validId("id", id), pages, maxBytes: maxBytes() },
      statements,
      (route) => regionText(selection.region ?? [], route, context),
    );
  const resolve = guarding(schema, "Query", nodes[0], run);
  return (variables) => {
    const pages = pagesOf.map((read) => pageOf(read(variables)));
    const args = argumentsOf(variables) as { id: string };
    return pages.includes(undefined) ? undefined : running(args.id, resolve, { ...args, pages });
  };
};

/** The key cannot change; the name can, so that home is asked. */
function regionText(
  members: NonNullable<ResourceSelection["region"]>,
  { regionKey, databaseId }: TenantRoute,
  { loaders }: GraphQLContext,
): string | Promise<string> {
  const text = (name: string) =>
    `{${members
      .map((one) => {
        const value = { __typename: "Region", key: regionKey, name }[one.value];
        return `${JSON.stringify(one.name)}:${JSON.stringify(value)}`;
      })
      .join(",")}}`;
  if (!members.some(({ value }) => value === "name")) return text("");
  return loaders.regionsOfDatabases.load(databaseId).then((region) => (region === null ? "null" : text(region.name)));
}

/** Abstract projects, and where they are listed. */
export const resources = defineModule({
  name: "resources",
  subjects: ["RESOURCE"],
  policy: {
    Query: {
      resource: row(inOrganization("read"), { "of the default organization": everybody }),
      resources: row(listed("read"), { "of the default organization": everybody }),
    },
    Mutation: {
      createResource: row(inOrganization("write-content"), {
        "in the default organization": callers("operator", "user"),
      }),
    },
    Organization: { resources: row(inOrganization("read", { parent: true })) },
    Resource: {
      ...asParent("id name organization region createdAt comments"),
      createdBy: row({ kind: "people", otherwise: "left out" }),
    },
    Comment: asParent("resource"),
  },
  audit: {
    createResource: {
      subject: "ORGANIZATION",
      id: "input.organizationId",
      organization: "input.organizationId",
      content: true,
    },
  },
  planned: { "Query.resource": planResource },
  types: [defineResource, defineBelonging, defineQueries, defineCreateResource],
});
