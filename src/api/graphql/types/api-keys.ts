import { asParent, inOrganization, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { type ApiKey, createApiKey, listApiKeys, revokeApiKey } from "#engine/auth/api-keys";
import { linkIdentity } from "#engine/auth/identities";
import { getUser } from "#engine/home/users";
import { validId } from "#base/kernel/validation";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { addNodeType, Node } from "#api/graphql/nodes";
import { Role } from "#api/graphql/types/enums";

function defineApiKey(builder: Builder): void {
  addNodeType(builder, "ApiKey", (id, { loaders }) => loaders.apiKeys.load(id));
  builder.objectType("ApiKey", {
    interfaces: [Node(builder)],
    description: "What a program signs in with. Its secret is shown once, when it is made.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7; stands in the key itself." }),
      name: t.exposeString("name", { description: "What it is for." }),
      organization: t.field({
        type: "Organization",
        nullable: true,
        description: "Where it may do what its role allows; null for an operator's key.",
        resolve: ({ organizationId }, _, { loaders }) =>
          organizationId === null ? null : loaders.organizations.load(organizationId),
      }),
      role: t.expose("role", { type: Role(builder), nullable: true, description: "Null for an operator's key." }),
      readOnly: t.exposeBoolean("readOnly", {
        description: "Whether it is an operator's key that may change nothing.",
      }),
      createdBy: t.exposeString("createdBy", { description: "operator, or a user's id." }),
      createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
      expiresAt: t.expose("expiresAt", { type: "DateTime", description: "From when on it is refused." }),
      revokedAt: t.expose("revokedAt", {
        type: "DateTime",
        nullable: true,
        description: "Since when it is refused; null: it was not revoked.",
      }),
      lastUsedAt: t.expose("lastUsedAt", {
        type: "DateTime",
        nullable: true,
        description: "When somebody last signed in with it, to the minute; null: never.",
      }),
    }),
  });
}

const ApiKeys = connectionType("ApiKey", "ApiKey", (key) => key.id);

function defineQueries(builder: Builder): void {
  builder.queryField("apiKeys", (t) =>
    t.field({
      type: ApiKeys.connection(builder),
      description: "An organization's keys, for its owners; without an organization the operator's own.",
      args: {
        ...pageArguments(builder),
        organizationId: t.arg.id({ required: false, description: "Whose keys; left out: the operator's." }),
      },
      resolve: (_, { organizationId, ...args }, { actor, services }) =>
        ApiKeys.read(args, (page) =>
          listApiKeys(services, actor, organizationId == null ? null : validId("organizationId", organizationId), page),
        ),
    }),
  );
}

const CreateApiKeyInput = perSchema((builder) =>
  builder.inputType("CreateApiKeyInput", {
    description: "What createApiKey takes.",
    fields: (t) => ({
      name: t.string({ required: true, description: "What it is for: 1 to 200 characters." }),
      organizationId: t.id({ description: "Whose key; left out: an operator's, for operators only." }),
      role: t.field({
        type: Role(builder),
        description: "What it may do in the organization. None for an operator's key.",
      }),
      readOnly: t.boolean({
        defaultValue: false,
        description: "For an operator's key: it sees what the operator sees, and may change nothing.",
      }),
      expiresInDays: t.int({ defaultValue: 90, description: "1 to 365." }),
    }),
  }),
);

const CreatedApiKey = perSchema((builder) =>
  builder.objectRef<{ key: ApiKey; secret: string }>("CreatedApiKey").implement({
    description: "A key that was just made.",
    fields: (t) => ({
      key: t.field({ type: "ApiKey", description: "What is kept of it.", resolve: ({ key }) => key }),
      secret: t.exposeString("secret", {
        description: "The key itself, for `Authorization: Bearer`. It is not shown again: only a hash of it is kept.",
      }),
    }),
  }),
);

const LinkIdentityInput = perSchema((builder) =>
  builder.inputType("LinkIdentityInput", {
    description: "What linkIdentity takes.",
    fields: (t) => ({
      userId: t.id({ required: true, description: "Who it is." }),
      issuer: t.string({ required: true, description: "The identity provider, as in the tokens' `iss`." }),
      subject: t.string({ required: true, description: "The provider's name for the person, the tokens' `sub`." }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    createApiKey: t.field({
      type: CreatedApiKey(builder),
      description: "Makes a key: of an organization, for its owners, or an operator's.",
      args: { input: t.arg({ type: CreateApiKeyInput(builder), required: true, description: "What it takes." }) },
      resolve: (_, { input }, { actor, services }) =>
        createApiKey(services, actor, {
          name: input.name,
          organizationId: input.organizationId == null ? null : validId("organizationId", input.organizationId),
          role: input.role ?? null,
          readOnly: input.readOnly ?? false,
          expiresInDays: input.expiresInDays ?? 90,
        }),
    }),
    revokeApiKey: t.field({
      type: "ApiKey",
      description: "Revokes a key: it is refused within a second, and what is followed with it ends.",
      args: { id: t.arg.id({ required: true, description: "The key's id." }) },
      resolve: (_, { id }, { actor, services }) => revokeApiKey(services, actor, validId("id", id)),
    }),
    linkIdentity: t.field({
      type: "User",
      description: "Says which user an identity provider's subject is. For the operator.",
      args: { input: t.arg({ type: LinkIdentityInput(builder), required: true, description: "What it takes." }) },
      resolve: async (_, { input }, { actor, services }) => {
        const userId = validId("userId", input.userId);
        await linkIdentity(services, actor, { userId, issuer: input.issuer, subject: input.subject });
        return getUser(services, actor, userId);
      },
    }),
  }));
}

/** What programs and identity providers sign in with. */
export const apiKeys = defineModule({
  name: "api-keys",
  policy: {
    Query: {
      apiKeys: row(inOrganization("manage-keys"), { "of operators": operatorOnly }),
    },
    Mutation: {
      // One that leaked must not make others.
      createApiKey: row(inOrganization("manage-keys", { callers: ["operator", "user"] }), {
        "of operators": operatorOnly,
      }),
      revokeApiKey: row(inOrganization("manage-keys")),
      linkIdentity: row(operatorOnly),
    },
    ApiKey: asParent("id name organization role readOnly createdBy createdAt expiresAt revokedAt lastUsedAt"),
    CreatedApiKey: asParent("key secret"),
  },
  audit: {
    createApiKey: { subject: "API_KEY", organization: "input.organizationId", made: { id: "key.id" } },
    revokeApiKey: { subject: "API_KEY", id: "id" },
    linkIdentity: { subject: "USER", id: "input.userId" },
  },
  types: [defineApiKey, defineQueries, defineMutations],
});
