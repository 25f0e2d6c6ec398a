/** The API of the application that ships. */
import { app } from "../../src/app/app.ts";
import { ENGINE_MODULES } from "../../src/api/graphql/engine-modules.ts";
import { policyOf } from "../../src/api/graphql/policy/field-rules.ts";
import { buildSchema } from "../../src/api/graphql/schema.ts";

export const schema = buildSchema([...ENGINE_MODULES, ...app.modules]);
export const POLICY = policyOf(schema);
