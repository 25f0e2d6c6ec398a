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
  perSchema,
  requireRow,
  row,
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

const commentAdded = followAdded("commentAdded", Comment, {
  description: "Every comment added to a resource from now on.",
  policy: row(inOrganization("read"), { "of the default organization": everybody }),
  of: Resource,
  by: "resourceId",
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
  parts: [Comment, createComment, commentAdded],
  policy: { Comment: asParent("resource") },
  types: [defineResourceOfComment],
});
