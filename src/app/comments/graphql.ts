import { asParent, callers, everybody, inOrganization, row } from "#engine/auth/policy-table";
import { HOME_NUMBER, isUuid, placementNumberOf } from "#base/kernel/ids";
import { validId } from "#base/kernel/validation";
import {
  type Comment,
  commentInsertion,
  createComment,
  createCommentText,
  type NewComment,
} from "#app/comments/comments";
import { followComments } from "#app/comments/comment-stream";
import type { Resolver } from "#api/graphql/policy/enforce-policy";
import { type Builder, perSchema } from "#api/graphql/builder";
import { distantConnectionType } from "#api/graphql/connections";
import { content } from "#app/content-loaders";
import { defineModule } from "#api/graphql/module";
import type { Planner } from "#api/graphql/plan/planner";
import { selectComment } from "#app/resources/resource-members";
import { guarding, maxBytes, readArguments, running } from "#api/graphql/plan/root-field";

/** The type `Comment`. */
export const CommentType = perSchema((builder) => builder.objectRef<Comment>("Comment"));

export const Comments = distantConnectionType("Comment", CommentType, (comment) => comment.id);

function defineComment(builder: Builder): void {
  builder.objectType(CommentType(builder), {
    description: "A text note on a resource by a user. It never leaves its region.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7 that says which database holds it." }),
      body: t.exposeString("body", { description: "At most 10,000 characters." }),
      author: t.field({
        type: "User",
        nullable: true,
        description: "Who wrote it; null when they have left the organization: a region knows today's members only.",
        resolve: ({ authorId, resourceId }, _, { loaders }) =>
          authorId === null ? null : loaders.of(content).author(resourceId, authorId),
      }),
      createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was written." }),
    }),
  });
}

const CreateCommentInput = perSchema((builder) =>
  builder.inputType("CreateCommentInput", {
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

function defineCreateComment(builder: Builder): void {
  builder.mutationField("createComment", (t) =>
    t.field({
      type: CommentType(builder),
      description: "Comments on a resource. The author must belong to the resource's organization.",
      args: { input: t.arg({ type: CreateCommentInput(builder), required: true }) },
      resolve: (_, { input }, { actor, services, origin }) =>
        createComment(services, actor, readNewComment(input), { origin, action: "createComment" }),
    }),
  );
}

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

const planCreateComment: Planner = (schema, nodes, fragments) => {
  const insertion = commentInsertion(selectComment(nodes, fragments));
  const argumentsOf = readArguments(schema, "Mutation", nodes[0]);
  const run: Resolver = (_, { input }: { input: NewComment }, { actor, services, origin }) => {
    const wanted = { ...readNewComment(input), maxBytes: maxBytes() };
    return createCommentText(services, actor, wanted, { origin, action: "createComment" }, insertion);
  };
  const resolve = guarding(schema, "Mutation", nodes[0], run);
  return (variables) => {
    const args = argumentsOf(variables) as { input: NewComment };
    // At home everybody is known by name, and by address to some.
    const isRouted = isTenants(args.input.resourceId);
    return isRouted ? running(args.input.resourceId, resolve, args) : undefined;
  };
};

function isTenants(id: string): boolean {
  return isUuid(id) && placementNumberOf(id) !== HOME_NUMBER;
}

function defineCommentAdded(builder: Builder): void {
  builder.subscriptionField("commentAdded", (t) =>
    t.field({
      type: CommentType(builder),
      description: "Every comment added to a resource from now on. NOT_FOUND for one that the caller may not see.",
      args: { resourceId: t.arg.id({ required: true, description: "The resource's id." }) },
      subscribe: (_, { resourceId }, { actor, services }) =>
        followComments(services, actor, validId("resourceId", resourceId)),
      resolve: (comment) => comment,
    }),
  );
}

/** Text notes on resources. */
export const comments = defineModule({
  name: "comments",
  subjects: ["COMMENT"],
  policy: {
    Mutation: {
      createComment: row(inOrganization("write-content"), {
        "in the default organization": callers("operator", "user"),
        "in another's name": inOrganization("write-content", { callers: ["operator", "key"] }),
      }),
    },
    Subscription: {
      commentAdded: row(inOrganization("read"), { "of the default organization": everybody }),
    },
    Comment: asParent("id body author createdAt"),
  },
  audit: { createComment: { subject: "RESOURCE", id: "input.resourceId", content: true } },
  longTexts: ["Comment.body"],
  planned: { "Mutation.createComment": planCreateComment },
  types: [defineComment, defineCreateComment, defineCommentAdded],
});
