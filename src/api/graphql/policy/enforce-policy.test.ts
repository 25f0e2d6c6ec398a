import {
  buildSchema,
  defaultFieldResolver,
  execute,
  getNamedType,
  type GraphQLSchema,
  isScalarType,
  parse,
} from "graphql";
import { describe, expect, test } from "vitest";
import { type Actor, OPERATOR, READ_ONLY_OPERATOR } from "#engine/auth/actor";
import type { Policy, Row, Rule } from "#engine/auth/policy-table";
import { enforcePolicy } from "#api/graphql/policy/enforce-policy";
import { fieldsOf, layRules } from "#api/graphql/policy/field-rules";

const ANYBODY = ["operator", "user", "key"] as const;
const row = (rule: Rule, cases: Record<string, Rule> = {}): Row => ({ rule, cases });
const PARENT = row({ kind: "parent" });

/** A schema with fields that all answer. */
function plain(text: string): GraphQLSchema {
  const built = buildSchema(text);
  for (const { field } of fieldsOf(built))
    field.resolve = () => (isScalarType(getNamedType(field.type)) ? "1" : { id: "1" });
  return built;
}

/** The schema with the policy in front of its resolvers. */
function guardedBy(policy: Policy, schema: GraphQLSchema): GraphQLSchema {
  const audit = Object.fromEntries(
    Object.keys(policy["Mutation"] ?? {}).map((name) => [name, { subject: "USER" } as const]),
  );
  expect(layRules(schema, [{ name: "test", policy, audit, types: [] }])).toEqual([]);
  return enforcePolicy(schema);
}

test("fields that are visible with their object keep their resolver", () => {
  const built = plain("type Query { a: ID b: ID }");
  const { a, b } = built.getQueryType()?.getFields() ?? {};
  const [ofA, ofB] = [a?.resolve ?? defaultFieldResolver, b?.resolve ?? defaultFieldResolver];
  guardedBy({ Query: { a: PARENT, b: row({ kind: "callers", callers: ["operator"] }) } }, built);
  expect(a?.resolve).toBe(ofA);
  expect(b?.resolve).not.toBe(ofB);
});

describe("what is checked before a resolver", () => {
  const user: Actor = { kind: "user", userId: "u" };
  const key: Actor = { kind: "key", keyId: "k", organizationId: "1", role: "ADMIN" };
  const organization = (options: Partial<Rule & { kind: "organization" }>): Rule => ({
    kind: "organization",
    action: "manage-members",
    callers: ANYBODY,
    parent: false,
    otherwise: "refused",
    ...options,
  });
  const outcome = async (actor: Actor, checked: Row, role: string | null = null): Promise<string> => {
    const built = guardedBy(
      {
        Query: { a: PARENT },
        Thing: { id: PARENT, field: checked },
      },
      plain("type Query { a: Thing } type Thing { id: ID field: Thing }"),
    );
    const contextValue = { actor, loaders: { roles: { load: () => Promise.resolve(role) } } };
    const { errors } = await execute({ schema: built, document: parse("{ a { field { id } } }"), contextValue });
    const [error] = errors ?? [];
    return error === undefined ? "data" : String((error.cause as { code?: string } | undefined)?.code);
  };

  test.each<[string, Row, Record<"operator" | "user" | "key", string>]>([
    [
      "the operator's",
      row({ kind: "callers", callers: ["operator"] }),
      { operator: "data", user: "FORBIDDEN", key: "FORBIDDEN" },
    ],
    [
      "people's",
      row({ kind: "callers", callers: ["user"] }),
      { operator: "FORBIDDEN", user: "data", key: "FORBIDDEN" },
    ],
    [
      "one for no key, found out by the service",
      row(organization({ callers: ["operator", "user"] })),
      { operator: "data", user: "data", key: "FORBIDDEN" },
    ],
    [
      "one for no key, but in one case",
      row(organization({ callers: ["operator", "user"] }), { one: { kind: "callers", callers: ["key"] } }),
      { operator: "data", user: "data", key: "data" },
    ],
    ["people's own", row({ kind: "oneself" }), { operator: "data", user: "data", key: "data" }],
  ])("a field that is %s", async (_, checked, expected) => {
    expect({
      operator: await outcome(OPERATOR, checked),
      user: await outcome(user, checked),
      key: await outcome(key, checked),
    }).toEqual(expected);
  });

  test.each([
    [null, "NOT_FOUND"],
    ["VIEWER", "FORBIDDEN"],
    ["MEMBER", "FORBIDDEN"],
    ["ADMIN", "data"],
    ["OWNER", "data"],
  ])("a field of an organization, for the role %s in it", async (role, expected) => {
    const checked = row(organization({ parent: true }));
    for (const actor of [user, key]) expect(await outcome(actor, checked, role)).toBe(expected);
    expect(await outcome(OPERATOR, checked, role)).toBe("data");
  });
});

test.each<[string, Rule]>([
  ["everybody's", { kind: "callers", callers: ANYBODY }],
  ["visible with its object", { kind: "parent" }],
  [
    "of an organization",
    { kind: "organization", action: "read", callers: ANYBODY, parent: false, otherwise: "refused" },
  ],
  ["about oneself", { kind: "oneself" }],
])("a read-only operator is refused a mutation whose rule is %s, and not the query", async (_, rule) => {
  const built = guardedBy(
    { Query: { a: row(rule) }, Mutation: { b: row(rule) } },
    plain("type Query { a: ID } type Mutation { b: ID }"),
  );
  const services = { roleCache: { forget: () => undefined } };
  const run = (text: string, actor: Actor) =>
    execute({ schema: built, document: parse(text), contextValue: { actor, services } });
  expect(await run("{ a }", READ_ONLY_OPERATOR)).toEqual({ data: { a: "1" } });
  expect(await run("mutation { b }", OPERATOR)).toEqual({ data: { b: "1" } });
  const { errors } = await run("mutation { b }", READ_ONLY_OPERATOR);
  expect(errors?.[0]?.cause).toMatchObject({ code: "FORBIDDEN" });
});
