/**
 * schema.graphql is the schema of the application that ships. `vitest run --project unit test/schema-file.test.ts -u` writes it.
 * A change that breaks clients of the last release is named in CHANGELOG.md, by its place in the schema. At a release
 * `schema.graphql` is copied to `build/schema-of-last-release.graphql`, which later changes are compared with.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, CriticalityLevel, diff } from "@graphql-inspector/core";
import {
  buildSchema,
  type GraphQLSchema,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  lexicographicSortSchema,
  printSchema,
} from "graphql";
import { expect, test } from "vitest";
import { schema } from "./support/schema.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

test("schema.graphql is the schema that is served", async () => {
  await expect(`${printSchema(lexicographicSortSchema(schema))}\n`).toMatchFileSnapshot(join(ROOT, "schema.graphql"));
});

test("a change that breaks clients of the last release is named in the changelog", async () => {
  const [, unreleased = ""] = read("CHANGELOG.md").split(/^## /m);
  const before = buildSchema(read("build/schema-of-last-release.graphql"));
  expect(await unnamedBreaks(before, schema, unreleased)).toEqual([]);
});

test("a field that goes is a break until the changelog names it", async () => {
  const before = buildSchema("type Query { one: Int, two: Int }");
  const after = buildSchema("type Query { one: Int, three: Int }");
  expect(await unnamedBreaks(before, after, "Much is new, `Query.three` too.")).toEqual([
    "Query.two: Field 'two' was removed from object type 'Query'",
  ]);
  expect(await unnamedBreaks(before, after, "`Query.two` is gone.")).toEqual([]);
});

/** What breaks clients and does not stand in the text, each as its place and a sentence. */
async function unnamedBreaks(before: GraphQLSchema, after: GraphQLSchema, changelog: string): Promise<string[]> {
  const changes: Change[] = await diff(before, after);
  return changes
    .filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking)
    .filter(({ path = "" }) => !changelog.includes(`\`${path}\``))
    .map(({ path, message }) => `${path}: ${message}`);
}

test("every type, field, argument and input says what it is", () => {
  expect(undescribed(schema)).toEqual([]);
  const bare = buildSchema('"""A root.""" type Query { one(of: Int): Int }');
  expect(undescribed(bare)).toEqual(["Query.one", "Query.one(of:)"]);
});

function undescribed(of: GraphQLSchema): string[] {
  const bare: string[] = [];
  const look = (place: string, one: { description?: string | null | undefined }) => {
    if (one.description == null || one.description === "") bare.push(place);
  };
  for (const type of Object.values(of.getTypeMap()).filter(({ name }) => !name.startsWith("__"))) {
    look(type.name, type);
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      look(`${type.name}.${field.name}`, field);
      if ("args" in field)
        for (const { name, ...argument } of field.args) look(`${type.name}.${field.name}(${name}:)`, argument);
    }
  }
  return bare;
}
