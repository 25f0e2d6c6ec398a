/** The application that ships: resources, and comments on them. */
import { comments } from "#app/comments/graphql";
import { defineApp } from "#api/graphql/kit";
import { resources } from "#app/resources/graphql";
import { JOURNEY } from "#app/journey";

export const app = defineApp({ modules: [resources, comments], journey: JOURNEY });
