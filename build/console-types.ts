/**
 * The schema in the form from which gql.tada infers the types of the console's operations. Descriptions are left out: they
 * are most of the text, and types do not need them. gql.tada's own command needs the API of an older TypeScript.
 *
 * `vitest run --project unit test/console-types.test.ts -u` writes the file.
 */
import { type GraphQLSchema, introspectionFromSchema, lexicographicSortSchema } from "graphql";

/** The text of `console/src/api/introspection.d.ts`. */
export function consoleTypes(schema: GraphQLSchema): string {
  const { __schema } = introspectionFromSchema(lexicographicSortSchema(schema), { descriptions: false });
  const types = __schema.types.filter(({ name }) => !name.startsWith("__"));
  // Every line has one type, so that a change of the schema is a change of few lines.
  const lines = types.map((type) => `    ${JSON.stringify(type, leaveOut)}`);
  const roots = ["queryType", "mutationType", "subscriptionType"] as const;
  const named = roots.map((root) => `  ${root}: { name: ${JSON.stringify(__schema[root]?.name ?? null)} };`);
  return [
    "/** Made by build/console-types.ts from the schema that is served. */",
    "export type introspection = { __schema: {",
    ...named,
    "  directives: [];",
    "  types: [",
    lines.join(",\n"),
    "  ];",
    "} };",
    "",
  ].join("\n");
}

const NEEDLESS = new Set(["isDeprecated", "deprecationReason", "specifiedByURL", "isOneOf"]);

function leaveOut(key: string, value: unknown): unknown {
  return NEEDLESS.has(key) ? undefined : value;
}
