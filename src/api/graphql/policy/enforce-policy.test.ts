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
import { type Actor, OPERATOR } from "#engine/auth/actor";
import { POLICY, type Row, type Rule } from "#engine/auth/policy-table";
import { enforcePolicy, fieldsOf } from "#api/graphql/policy/enforce-policy";
import { schema } from "#api/graphql/schema";

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

describe("the table and the schema", () => {
  test("have the same fields", () => {
    const rows = Object.entries(POLICY).flatMap(([type, fields]) =>
      Object.keys(fields).map((name) => `${type}.${name}`),
    );
    expect(rows.toSorted()).toEqual(
      fieldsOf(schema)
        .map(({ name }) => name)
        .toSorted(),
    );
  });

  test("a field without a row is not built", () => {
    const built = plain("type Query { a: Thing b: Thing } type Thing { id: ID }");
    const policy = { Query: { a: PARENT }, Thing: { id: PARENT } };
    expect(() => enforcePolicy(built, policy)).toThrow("Query.b has no row");
    expect(() => enforcePolicy(built, { Query: { a: PARENT, b: PARENT } })).toThrow("Thing.id has no row");
  });

  test("a row without a field is not built", () => {
    const built = plain("type Query { a: ID }");
    expect(() => enforcePolicy(built, { Query: { a: PARENT, gone: PARENT } })).toThrow("Query.gone");
    expect(() => enforcePolicy(built, { Query: { a: PARENT }, Gone: { id: PARENT } })).toThrow("Gone.id");
  });

  test("fields that are visible with their object keep their resolver", () => {
    const built = plain("type Query { a: ID b: ID }");
    const { a, b } = built.getQueryType()?.getFields() ?? {};
    const [ofA, ofB] = [a?.resolve ?? defaultFieldResolver, b?.resolve ?? defaultFieldResolver];
    enforcePolicy(built, { Query: { a: PARENT, b: row({ kind: "callers", callers: ["operator"] }) } });
    expect(a?.resolve).toBe(ofA);
    expect(b?.resolve).not.toBe(ofB);
  });
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
    const built = enforcePolicy(plain("type Query { a: Thing } type Thing { id: ID field: Thing }"), {
      Query: { a: PARENT },
      Thing: { id: PARENT, field: checked },
    });
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
