import { validId } from "#base/kernel/validation";
import { createComment, type NewComment } from "#app/comments/comments";
import { followComments } from "#app/comments/comment-stream";
import { builder } from "#api/graphql/builder";
import { distantConnectionType } from "#api/graphql/connections";

export const Comments = distantConnectionType("Comment", "Comment", (comment) => comment.id);

builder.objectType("Comment", {
  description: "A text note on a resource by a user. It never leaves its region.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "UUIDv7 that says which database holds it." }),
    body: t.exposeString("body", { description: "At most 10,000 characters." }),
    author: t.field({
      type: "User",
      nullable: true,
      description: "Who wrote it; null when they have left the organization: a region knows today's members only.",
      resolve: ({ authorId, resourceId }, _, { loaders }) =>
        authorId === null ? null : loaders.content.author(resourceId, authorId),
    }),
    resource: t.field({
      type: "Resource",
      description: "What it is about.",
      resolve: ({ resourceId }, _, { loaders }) => loaders.content.resource(resourceId),
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was written." }),
  }),
});

const CreateCommentInput = builder.inputType("CreateCommentInput", {
  fields: (t) => ({
    resourceId: t.id({ required: true, description: "What it is about." }),
    body: t.string({ required: true, description: "1 to 10,000 characters." }),
    authorId: t.id({
      description: "The operator and keys name an author, a key one of its organization; a user writes as themselves.",
    }),
  }),
});

builder.mutationField("createComment", (t) =>
  t.field({
    type: "Comment",
    description: "Comments on a resource. The author must belong to the resource's organization.",
    args: { input: t.arg({ type: CreateCommentInput, required: true }) },
    resolve: (_, { input }, { actor, services, origin }) =>
      createComment(services, actor, readNewComment(input), { origin, action: "createComment" }),
  }),
);

/** What `createComment` is given. INVALID_INPUT on what is no id. */
export function readNewComment(input: {
  resourceId: string;
  body: string;
  authorId?: string | null | undefined;
}): NewComment {
  return {
    resourceId: validId("resourceId", input.resourceId),
    body: input.body,
    authorId: input.authorId == null ? null : validId("authorId", input.authorId),
  };
}

builder.subscriptionField("commentAdded", (t) =>
  t.field({
    type: "Comment",
    description: "Every comment added to a resource from now on. NOT_FOUND for one that the caller may not see.",
    args: { resourceId: t.arg.id({ required: true, description: "The resource's id." }) },
    subscribe: (_, { resourceId }, { actor, services }) =>
      followComments(services, actor, validId("resourceId", resourceId)),
    resolve: (comment) => comment,
  }),
);
