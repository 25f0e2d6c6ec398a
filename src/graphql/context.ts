/** What resolvers get: who calls, the services, and loaders that live as long as one request. */
import type { Actor } from "#auth/actor";
import type { Services } from "#operations/services";
import type { Loaders } from "#graphql/loaders";

export type GraphQLContext = { actor: Actor; services: Services; loaders: Loaders };
