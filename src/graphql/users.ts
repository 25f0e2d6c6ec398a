import { createUser, getUser, listUsers } from "#directory/users";
import { validId } from "#kernel/validation";
import { builder } from "#graphql/builder";
import { connectionType, pageArguments } from "#graphql/connections";

builder.objectType("User", {
  description: "A person who uses the system.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "UUIDv7." }),
    name: t.exposeString("name", { description: "At most 200 characters." }),
    email: t.exposeString("email", { description: "Unique, whatever its case." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When the user was made." }),
  }),
});

const Users = connectionType("User", "User", (user) => user.id);

builder.queryFields((t) => ({
  me: t.field({
    type: "User",
    nullable: true,
    description: "The calling user; null for the operator.",
    resolve: (_, __, { actor, services }) => (actor.kind === "user" ? getUser(services, actor, actor.userId) : null),
  }),
  user: t.field({
    type: "User",
    nullable: true,
    description: "One user: oneself or somebody of one's organizations. NOT_FOUND otherwise.",
    args: { id: t.arg.id({ required: true, description: "The user's id." }) },
    resolve: (_, { id }, { actor, services }) => getUser(services, actor, validId("id", id)),
  }),
  users: t.field({
    type: Users.connection,
    description: "The users that the caller may see, by id, which is by age.",
    args: pageArguments,
    resolve: (_, args, { actor, services }) => Users.read(args, (page) => listUsers(services, actor, page)),
  }),
}));

const CreateUserInput = builder.inputType("CreateUserInput", {
  fields: (t) => ({
    name: t.string({ required: true, description: "1 to 200 characters." }),
    email: t.string({ required: true, description: "An e-mail address that no other user has." }),
  }),
});

builder.mutationField("createUser", (t) =>
  t.field({
    type: "User",
    description: "Adds a user. For the operator.",
    args: { input: t.arg({ type: CreateUserInput, required: true }) },
    resolve: (_, { input }, { actor, services }) => createUser(services, actor, input),
  }),
);
