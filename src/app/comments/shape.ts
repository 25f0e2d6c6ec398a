import { id, member, shape, text, time, uuid } from "#api/graphql/kit";

export const Comment = shape("Comment", {
  description: "A text note on a resource by a user. It never leaves its region.",
  table: "app.comments",
  subject: "COMMENT",
  fields: {
    id: id(),
    author: member(
      "author_id",
      "Who wrote it; null when they have left the organization: a region knows today's members only.",
    ),
    body: text("body", { description: "At most 10,000 characters.", long: true }),
    createdAt: time("created_at", { description: "When it was written." }),
    updatedAt: time("updated_at", { description: "When it was last edited; its `createdAt` until then." }),
  },
  columns: { resourceId: uuid("resource_id") },
});
