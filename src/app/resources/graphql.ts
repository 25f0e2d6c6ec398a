/** Abstract projects, and where they are listed. */
import { Resource } from "#app/resources/shape";
import {
  type Builder,
  callers,
  chooseLocation,
  create,
  defineModule,
  everybody,
  followChanges,
  inOrganization,
  listCatalog,
  listCatalogOfOrganization,
  listed,
  operatorOnly,
  perSchema,
  readById,
  remove,
  row,
  update,
  userIdOf,
  validId,
  validName,
} from "#api/graphql/kit";

const resource = readById("resource", Resource, {
  description: "One resource.",
  policy: row(inOrganization("read"), { "of the default organization": everybody }),
});

const catalog = listCatalog("resources", Resource, {
  description: "The catalog: what the caller may see, across regions.",
  policy: row(listed("read"), { "of the default organization": everybody }),
});

const ofOrganization = listCatalogOfOrganization("resources", Resource, {
  description: "Its resources in every region, from the catalog at home.",
});

const CreateResourceInput = perSchema((builder) =>
  builder.inputType("CreateResourceInput", {
    description: "What createResource takes.",
    fields: (t) => ({
      name: t.string({ required: true, description: "1 to 200 characters." }),
      organizationId: t.id({ description: "Whose it is; the default organization when left out." }),
      regionKey: t.string({
        description: "Where it lives; may be left out where the organization has one placement.",
      }),
    }),
  }),
);

const createResource = create("createResource", Resource, {
  description: "Makes a resource, in the region where it belongs.",
  policy: row(inOrganization("write-content"), { "in the default organization": callers("operator", "user") }),
  audit: { subject: "ORGANIZATION", id: "input.organizationId", organization: "input.organizationId" },
  input: CreateResourceInput,
  stores: ["name", "createdById"],
  add: async (input, { services, actor }) => {
    const organizationId = input.organizationId == null ? null : validId("organizationId", input.organizationId);
    const name = validName("name", input.name);
    const location = await chooseLocation(services, actor, { organizationId, regionKey: input.regionKey ?? null });
    return { location, values: { name, createdById: userIdOf(actor) } };
  },
});

const UpdateResourceInput = perSchema((builder) =>
  builder.inputType("UpdateResourceInput", {
    description: "What is another one from now on.",
    fields: (t) => ({
      resourceId: t.id({ required: true, description: "Which one." }),
      name: t.string({ description: "1 to 200 characters; left out: as it is." }),
    }),
  }),
);

const DeleteResourceInput = perSchema((builder) =>
  builder.inputType("DeleteResourceInput", {
    description: "Which resource goes.",
    fields: (t) => ({ resourceId: t.id({ required: true, description: "Which one." }) }),
  }),
);

const AT_HOME = {
  "in the default organization": operatorOnly,
  "in the default organization, by the user who made it": callers("operator", "user"),
} as const;
const changed = {
  audit: { subject: "RESOURCE", id: "input.resourceId" },
  id: "resourceId",
  maker: "createdById",
} as const;

const updateResource = update("updateResource", Resource, {
  ...changed,
  description:
    "Changes a resource. In the default organization only the user who made it and the operator may do this.",
  policy: row(inOrganization("write-content"), AT_HOME),
  action: "write-content",
  input: UpdateResourceInput,
  stamp: "updatedAt",
  changes: ({ name }) => ({ name: name == null ? undefined : validName("name", name) }),
});

const deleteResource = remove("deleteResource", Resource, {
  ...changed,
  description:
    "Deletes a resource with its comments and answers its id. The user who made it may do this, and ADMINs and OWNERs of the organization.",
  policy: row(inOrganization("manage-content"), {
    "by the user who made it": inOrganization("write-content", { callers: ["operator", "user"] }),
    ...AT_HOME,
  }),
  action: "manage-content",
  input: DeleteResourceInput,
});

const resourceChanged = followChanges("resourceChanged", Resource, {
  description:
    "Every resource of an organization that is made, changed or deleted, in all its regions, when the catalog has heard of it. NOT_FOUND for an organization that the caller does not belong to, also when that is so only later.",
  policy: row(inOrganization("read"), { "of the default organization": everybody }),
});

function defineCreator(builder: Builder): void {
  builder.objectField(Resource.type(builder), "createdBy", (t) =>
    t.field({
      type: "User",
      nullable: true,
      description: "The user who made it; null when the operator did, or when the caller may not see that user.",
      resolve: ({ createdById }, _, { loaders }) => (createdById === null ? null : loaders.users.load(createdById)),
    }),
  );
}

export const resources = defineModule({
  name: "resources",
  parts: [Resource, resource, catalog, ofOrganization, createResource, updateResource, deleteResource, resourceChanged],
  policy: { Resource: { createdBy: row({ kind: "people", otherwise: "left out" }) } },
  types: [defineCreator],
});
