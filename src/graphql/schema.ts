/** The GraphQL schema, put together from one file per concept, with the policy in front of its resolvers. */
import type { GraphQLSchema } from "graphql";
import { builder } from "#graphql/builder";
import { enforcePolicy } from "#graphql/enforce-policy";
import "#graphql/date-time";
import "#graphql/users";
import "#graphql/organizations";
import "#graphql/invitations";
import "#graphql/api-keys";
import "#graphql/regions";
import "#graphql/placements";
import "#graphql/operations";
import "#graphql/replication";
import "#graphql/resources";
import "#graphql/comments";

export const schema: GraphQLSchema = enforcePolicy(builder.toSchema());
