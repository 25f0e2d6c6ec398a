/** The GraphQL schema, put together from one file per concept, with the policy in front of its resolvers. */
import type { GraphQLSchema } from "graphql";
import { auditMutations } from "#graphql/audited-mutations";
import { builder } from "#graphql/builder";
import { enforcePolicy } from "#graphql/enforce-policy";
import { countAnswers } from "#graphql/limits/count-answers";
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
import "#graphql/audit-log";
import "#graphql/border";

// The audit log around everything else: what is refused on the way is recorded too.
export const schema: GraphQLSchema = auditMutations(enforcePolicy(countAnswers(builder.toSchema())));
