/** What makes programs of schema.graphql takes it: Relay's compiler, GraphQL Code Generator, gql.tada, and Relay's rules of GraphQL-ESLint. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import graphqlPlugin from "@graphql-eslint/eslint-plugin";
import { ESLint } from "eslint";
import { buildSchema, introspectionFromSchema } from "graphql";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const SCHEMA = join(ROOT, "schema.graphql");
const run = promisify(execFile);

const PAGES = `fragment Comments on Resource
  @argumentDefinitions(first: { type: "Int", defaultValue: 10 }, after: { type: "String" })
  @refetchable(queryName: "CommentsPageQuery") {
  comments(first: $first, after: $after) @connection(key: "Resource_comments") {
    edges { node { id body createdAt author { id name } } }
  }
}`;
// Both ways, from where somebody has scrolled to.
const MEMBERS = `fragment Members on Organization
  @argumentDefinitions(
    first: { type: "Int", defaultValue: 10 }, after: { type: "String" }, last: { type: "Int" }, before: { type: "String" })
  @refetchable(queryName: "MembersPageQuery") {
  viewerRole
  viewerMay
  members(first: $first, after: $after, last: $last, before: $before) @connection(key: "Organization_members") {
    edges { node { id role user { id name } } }
  }
}`;
const QUERY = `query WhatIsHere($resource: ID!, $organization: ID!) {
  resource(id: $resource) { id name createdAt region { id key } }
  organization(id: $organization) { id name viewerRole viewerMay }
  node(id: $resource) { id }
}`;

const TADA = `import { initGraphQLTada, type ResultOf } from "gql.tada";
import type { introspection } from "./introspection.d.ts";
const graphql = initGraphQLTada<{ introspection: introspection; scalars: { DateTime: string } }>();
const query = graphql(\`${QUERY}\`);
declare const result: ResultOf<typeof query>;
const roleOf = result.organization!;
export const role: "OWNER" | "ADMIN" | "MEMBER" | "VIEWER" | null = roleOf.viewerRole;
export const may: string[] = roleOf.viewerMay;
export const since: string = result.resource!.createdAt;
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tenantry-tools-"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write("schema.graphql", readFileSync(SCHEMA, "utf8"));
  write("package.json", JSON.stringify({ name: "client", type: "module", private: true }));
  write("Comments.js", `const page = graphql\`${PAGES}\`;\n`);
  write("Members.js", `const page = graphql\`${MEMBERS}\`;\n`);
  write("relay.config.json", JSON.stringify({ src: ".", schema: "schema.graphql", language: "javascript" }));
  write(
    "codegen.json",
    JSON.stringify({
      schema: "schema.graphql",
      documents: "query.ts",
      generates: { "made/": { preset: "client", config: { scalars: { DateTime: "string" } } } },
    }),
  );
  write("query.ts", `import { graphql } from "./made/gql";\nexport const query = graphql(\`${QUERY}\`);\n`);
  // The types that gql.tada works on. Its own command needs the API of an older TypeScript.
  const introspection = JSON.stringify(introspectionFromSchema(buildSchema(readFileSync(SCHEMA, "utf8"))));
  write("introspection.d.ts", `export type introspection = ${introspection};\n`);
  write("tada.ts", TADA);
  write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: { strict: true, module: "esnext", moduleResolution: "bundler", skipLibCheck: true, types: [] },
      files: ["tada.ts"],
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tool = (name: string, ...args: string[]) => run(join(ROOT, "node_modules/.bin", name), args, { cwd: folder });

test("relay-compiler pages comments and members by the node that they belong to", async () => {
  await tool("relay-compiler");
  expect(readdirSync(join(folder, "__generated__")).toSorted()).toEqual([
    "Comments.graphql.js",
    "CommentsPageQuery.graphql.js",
    "Members.graphql.js",
    "MembersPageQuery.graphql.js",
  ]);
});

test("GraphQL Code Generator makes types of an operation", async () => {
  await tool("graphql-codegen", "--config", "codegen.json");
  const made = readFileSync(join(folder, "made/graphql.ts"), "utf8");
  expect(made).toContain("export type WhatIsHereQuery");
  expect(made).toContain("createdAt: string");
});

test("gql.tada types an operation by the schema, and refuses a field that is not there", async () => {
  await tool("tsc", "--noEmit", "-p", ".");
  writeFileSync(join(folder, "tada.ts"), TADA.replace("roleOf.viewerMay", "roleOf.viewerMust"));
  await expect(tool("tsc", "--noEmit", "-p", ".")).rejects.toMatchObject({
    stdout: expect.stringContaining("viewerMust"),
  });
});

test("GraphQL-ESLint's rules of Relay find nothing", async () => {
  const rules = {
    "@graphql-eslint/relay-arguments": ["error", { includeBoth: true }],
    // Short lists are plain ones, and entries of logs are asked for with their list.
    "@graphql-eslint/relay-edge-types": [
      "error",
      { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
    ],
    "@graphql-eslint/relay-connection-types": "error",
    "@graphql-eslint/relay-page-info": "error",
  } as const;
  const eslint = new ESLint({
    cwd: folder,
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ["**/*.graphql"],
        plugins: { "@graphql-eslint": graphqlPlugin as never },
        languageOptions: {
          parser: graphqlPlugin.parser,
          parserOptions: { graphQLConfig: { schema: SCHEMA } },
        },
        rules: rules as never,
      },
    ],
  });
  const [found] = await eslint.lintFiles(["schema.graphql"]);
  expect([...new Set(found?.messages.map(({ ruleId, message }) => `${ruleId}: ${message}`))]).toEqual([]);
});
