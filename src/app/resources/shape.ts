import { Comment } from "#app/comments/shape";
import { id, organization, page, region, shape, text, time, uuid } from "#api/graphql/kit";

export const Resource = shape("Resource", {
  description: "An abstract project that several users work on.",
  table: "app.resources",
  subject: "RESOURCE",
  catalog: "catalog.resources",
  orders: { NAME: "name", UPDATED: "updatedAt" },
  fields: {
    id: id(),
    name: text("name", { description: "At most 200 characters." }),
    organization: organization("Whose it is; null for the default organization."),
    region: region("Where it lives; null for home."),
    createdAt: time("created_at", { description: "When it was made." }),
    updatedAt: time("updated_at", { description: "When it was last changed; its `createdAt` until then." }),
    comments: page(Comment, { by: "resourceId", description: "Its comments, oldest first." }),
  },
  columns: { createdById: uuid("created_by", { nullable: true }) },
});
