/** The application that ships: resources, and comments on them. */
import { comments } from "#app/comments/graphql";
import { defineApp } from "#api/graphql/kit";
import { resources } from "#app/resources/graphql";
import { JOURNEY, OVERVIEW } from "#app/journey";
import { TENANT_SCHEMA } from "#app/schema";

export const app = defineApp({
  tenantSchema: TENANT_SCHEMA,
  modules: [resources, comments],
  journey: JOURNEY,
  overview: OVERVIEW,
});
