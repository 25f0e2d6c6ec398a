/** Abstract projects, and where they are listed. */
import { Resource } from "#app/resources/shape";
import {
  type Builder,
  callers,
  chooseLocation,
  create,
  defineModule,
  everybody,
  inOrganization,
  listCatalog,
  listCatalogOfOrganization,
  listed,
  perSchema,
  readById,
  row,
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
  parts: [Resource, resource, catalog, ofOrganization, createResource],
  policy: { Resource: { createdBy: row({ kind: "people", otherwise: "left out" }) } },
  types: [defineCreator],
});
