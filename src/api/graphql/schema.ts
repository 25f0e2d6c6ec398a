/** The GraphQL schema, put together from one file per concept, with the policy in front of its resolvers. */
import type { GraphQLSchema } from "graphql";
import { auditMutations } from "#api/graphql/policy/audited-mutations";
import { builder } from "#api/graphql/builder";
import { enforcePolicy } from "#api/graphql/policy/enforce-policy";
import { countAnswers } from "#api/graphql/limits/count-answers";
import "#api/graphql/types/date-time";
import "#api/graphql/types/users";
import "#api/graphql/types/organizations";
import "#api/graphql/types/invitations";
import "#api/graphql/types/api-keys";
import "#api/graphql/types/regions";
import "#api/graphql/types/placements";
import "#api/graphql/types/jobs";
import "#api/graphql/types/replication";
import "#app/resources/graphql";
import "#app/comments/graphql";
import "#api/graphql/types/audit-log";
import "#api/graphql/types/border";

// The audit log around everything else: what is refused on the way is recorded too.
export const schema: GraphQLSchema = auditMutations(enforcePolicy(countAnswers(builder.toSchema())));
