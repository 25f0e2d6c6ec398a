import { asParent, everybody, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { createUser, getUser, listUsers, updateUser } from "#engine/home/users";
import { TenantryError } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { eraseUser, type UserErasure } from "#engine/erasure/erase-user";
import { waitUntilUserVisible } from "#engine/links/visible-writes";
import { reportLag } from "#api/graphql/lag";
import { type Builder, perSchema } from "#api/graphql/builder";
import { missing } from "#api/graphql/loaders";
import { addNodeType, Node } from "#api/graphql/nodes";
import { connectionType, pageArguments } from "#api/graphql/connections";

function defineUser(builder: Builder): void {
  addNodeType(builder, "User", (id, { loaders }) => loaders.users.load(id));
  builder.objectType("User", {
    description: "A person who uses the system.",
    interfaces: [Node(builder)],
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7." }),
      name: t.exposeString("name", { description: "At most 200 characters." }),
      email: t.string({
        description:
          "Unique, whatever its case. FORBIDDEN for who shares the default organization with them and nothing else. Ends in @invalid for a user whose identity provider has verified none.",
        resolve: ({ email }) => {
          if (email === null)
            throw new TenantryError("FORBIDDEN", "Only people of one's organizations show their address.");
          return email;
        },
      }),
      createdAt: t.expose("createdAt", { type: "DateTime", description: "When the user was made." }),
    }),
  });
}

const Users = connectionType("User", "User", (user) => user.id);

function defineQueries(builder: Builder): void {
  builder.queryFields((t) => ({
    me: t.field({
      type: "User",
      nullable: true,
      description: "The calling user; null for the operator and for keys.",
      resolve: (_, __, { actor, services }) => (actor.kind === "user" ? getUser(services, actor, actor.userId) : null),
    }),
    user: t.field({
      type: "User",
      nullable: true,
      description: "One user: oneself or somebody of one's organizations. NOT_FOUND otherwise.",
      args: { id: t.arg.id({ required: true, description: "The user's id." }) },
      resolve: async (_, { id }, { loaders }) => (await loaders.users.load(validId("id", id))) ?? missing("User"),
    }),
    users: t.field({
      type: Users.connection(builder),
      description: "The users that the caller may see, by id, which is by age.",
      args: {
        ...pageArguments(builder),
        email: t.arg.string({
          required: false,
          description: "Only the one with this address, whatever its case. For the operator.",
        }),
      },
      resolve: (_, args, { actor, services }) =>
        Users.read(args, (page) => listUsers(services, actor, { email: args.email ?? null }, page)),
    }),
  }));
}

const CreateUserInput = perSchema((builder) =>
  builder.inputType("CreateUserInput", {
    description: "What createUser takes.",
    fields: (t) => ({
      name: t.string({ required: true, description: "1 to 200 characters." }),
      email: t.string({ required: true, description: "An e-mail address that no other user has." }),
    }),
  }),
);

const UpdateUserInput = perSchema((builder) =>
  builder.inputType("UpdateUserInput", {
    description: "What updateUser takes.",
    fields: (t) => ({
      id: t.id({ required: true, description: "Whom to change." }),
      name: t.string({ description: "1 to 200 characters; stays when left out." }),
      email: t.string({
        description: "An e-mail address that no other user has; stays when left out. For the operator.",
      }),
    }),
  }),
);

const Erasure = perSchema((builder) =>
  builder.objectRef<UserErasure>("Erasure").implement({
    description: "How far an erasure has come.",
    fields: (t) => ({
      user: t.field({ type: "User", description: "The user, without name and address.", resolve: ({ user }) => user }),
      complete: t.boolean({
        description: "Whether it is done everywhere: at home and in every tenant database.",
        resolve: ({ complete }) => complete,
      }),
      pending: t.field({
        type: ["Placement"],
        description:
          "The placements whose tenant databases it has yet to reach. It goes on by itself, as jobs of the kind erase-user; erase again to wait again.",
        resolve: ({ pending }) => pending,
      }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationField("updateUser", (t) =>
    t.field({
      type: "User",
      description:
        "Changes a user's name or address, here and in their organizations' regions. Users change their own name, the operator everything.",
      args: { input: t.arg({ type: UpdateUserInput(builder), required: true, description: "What it takes." }) },
      resolve: async (_, { input }, context) => {
        const user = await updateUser(context.services, context.actor, {
          id: validId("id", input.id),
          name: input.name ?? null,
          email: input.email ?? null,
        });
        await reportLag(context, waitUntilUserVisible(context.services, user.id));
        return user;
      },
    }),
  );
  builder.mutationField("eraseUser", (t) =>
    t.field({
      type: Erasure(builder),
      description:
        "Replaces a person's name and e-mail address for good, at home and in every region, and takes their id out of what they wrote, which stays. Returns when that is done everywhere, or after 10 s with what is pending. For the operator.",
      args: { id: t.arg.id({ required: true, description: "Whom to erase." }) },
      resolve: (_, { id }, { actor, services }) => eraseUser(services, actor, validId("id", id)),
    }),
  );
  builder.mutationField("createUser", (t) =>
    t.field({
      type: "User",
      description: "Adds a user. For the operator.",
      args: { input: t.arg({ type: CreateUserInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) => createUser(services, actor, input),
    }),
  );
}

/** People: who they are, and the end of what is known of them. */
export const users = defineModule({
  name: "users",
  policy: {
    Query: {
      me: row(everybody),
      user: row({ kind: "people", otherwise: "NOT_FOUND" }),
      users: row({ kind: "people", otherwise: "left out" }, { "by address": operatorOnly }),
    },
    Mutation: {
      createUser: row(operatorOnly),
      updateUser: row({ kind: "oneself" }, { "the e-mail address": operatorOnly }),
      eraseUser: row(operatorOnly),
    },
    Erasure: asParent("user complete pending"),
    User: {
      ...asParent("id name createdAt"),
      // Who speaks in the default organization is known by name there, to everybody, and by no more.
      email: row(
        { kind: "parent" },
        {
          "of an author in the default organization": { kind: "people", otherwise: "FORBIDDEN" },
        },
      ),
    },
  },
  audit: {
    createUser: { subject: "USER", made: { id: "id" } },
    updateUser: { subject: "USER", id: "input.id" },
    eraseUser: { subject: "USER", id: "id" },
  },
  types: [defineUser, defineQueries, defineMutations],
});
