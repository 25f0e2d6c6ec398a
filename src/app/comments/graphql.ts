/** Text notes on resources. */
import { Comment } from "#app/comments/shape";
import { Resource } from "#app/resources/shape";
import {
  asParent,
  type Builder,
  callers,
  content,
  create,
  defineModule,
  everybody,
  followAdded,
  inOrganization,
  locateRow,
  operatorOnly,
  perSchema,
  remove,
  requireRow,
  row,
  update,
  validBody,
  validId,
} from "#api/graphql/kit";
import { chooseAuthor, requireAuthor } from "#app/comments/comments";

/** Channel of each database on which new comments are announced, with the ids of the resource and of the comment. */
const CHANNEL = "tenantry_comment";

const CreateCommentInput = perSchema((builder) =>
  builder.inputType("CreateCommentInput", {
    description: "What createComment takes.",
    fields: (t) => ({
      resourceId: t.id({ required: true, description: "What it is about." }),
      body: t.string({ required: true, description: "1 to 10,000 characters." }),
      authorId: t.id({
        description:
          "The operator and keys name an author, a key one of its organization; a user writes as themselves.",
      }),
    }),
  }),
);

const createComment = create("createComment", Comment, {
  description: "Comments on a resource. The author must belong to the resource's organization.",
  policy: row(inOrganization("write-content"), {
    "in the default organization": callers("operator", "user"),
    "in another's name": inOrganization("write-content", { callers: ["operator", "key"] }),
  }),
  audit: { subject: "RESOURCE", id: "input.resourceId" },
  input: CreateCommentInput,
  stores: ["resourceId", "authorId", "body"],
  beside: ({ resourceId }) => resourceId,
  channel: CHANNEL,
  add: async (input, { services, actor }) => {
    const resourceId = validId("resourceId", input.resourceId);
    const named = input.authorId == null ? null : validId("authorId", input.authorId);
    const body = validBody("body", input.body);
    const authorId = chooseAuthor(actor, named);
    const location = await locateRow(services, actor, resourceId, Resource.name);
    await requireAuthor(services, actor, authorId, location.route).catch(async (error: unknown) => {
      // Whether there is such a resource is said first.
      await requireRow(Resource, location, resourceId);
      throw error;
    });
    return { location, values: { resourceId, authorId, body }, under: { id: resourceId, name: Resource.name } };
  },
});

const UpdateCommentInput = perSchema((builder) =>
  builder.inputType("UpdateCommentInput", {
    description: "What a comment says from now on.",
    fields: (t) => ({
      commentId: t.id({ required: true, description: "Which one." }),
      body: t.string({ required: true, description: "1 to 10,000 characters." }),
    }),
  }),
);

const DeleteCommentInput = perSchema((builder) =>
  builder.inputType("DeleteCommentInput", {
    description: "Which comment goes.",
    fields: (t) => ({ commentId: t.id({ required: true, description: "Which one." }) }),
  }),
);

/** The author, and those who look after the organization's content. */
const changing = {
  policy: row(inOrganization("manage-content"), {
    "by its author": inOrganization("write-content", { callers: ["operator", "user"] }),
    "in the default organization": operatorOnly,
    "in the default organization, by its author": callers("operator", "user"),
  }),
  audit: { subject: "COMMENT", id: "input.commentId" },
  id: "commentId",
  action: "manage-content",
  maker: "authorId",
} as const;

const updateComment = update("updateComment", Comment, {
  ...changing,
  description: "Changes what a comment says. Its author may do this, and ADMINs and OWNERs of the organization.",
  input: UpdateCommentInput,
  stamp: "updatedAt",
  changes: ({ body }) => ({ body: validBody("body", body) }),
});

const deleteComment = remove("deleteComment", Comment, {
  ...changing,
  description:
    "Deletes a comment and answers its id. Its author may do this, and ADMINs and OWNERs of the organization.",
  input: DeleteCommentInput,
});

const commentAdded = followAdded("commentAdded", Comment, {
  description: "Every comment added to a resource.",
  policy: row(inOrganization("read"), { "of the default organization": everybody }),
  of: Resource,
  by: "resourceId",
  made: [createComment],
  channel: CHANNEL,
});

function defineResourceOfComment(builder: Builder): void {
  builder.objectField(Comment.type(builder), "resource", (t) =>
    t.field({
      type: Resource.type(builder),
      description: "What it is about.",
      resolve: ({ resourceId }, _, { loaders }) => loaders.of(content).row(Resource, resourceId),
    }),
  );
}

export const comments = defineModule({
  name: "comments",
  parts: [Comment, createComment, updateComment, deleteComment, commentAdded],
  policy: { Comment: asParent("resource") },
  types: [defineResourceOfComment],
});
