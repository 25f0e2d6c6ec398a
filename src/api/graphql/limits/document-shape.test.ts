import { parse } from "graphql";
import { expect, test } from "vitest";
import { findExcess, measureShape } from "#api/graphql/limits/document-shape";

const LIMITS = { maxDepth: 3, maxAliases: 2, maxRootFields: 2 };

test("depth counts fields, through fragments, and not what introspection asks for", () => {
  expect(measureShape(parse("{ a }")).depth).toBe(1);
  expect(measureShape(parse("{ a { b { c } } d }")).depth).toBe(3);
  expect(measureShape(parse("{ a { ...F } } fragment F on A { b { ... on B { c } } }")).depth).toBe(3);
  expect(measureShape(parse("{ __schema { types { fields { type { ofType { name } } } } } }")).depth).toBe(1);
});

test("aliases and root fields count wherever a fragment is spread", () => {
  const { aliases, rootFields } = measureShape(
    parse("{ ...F x: a { ...G } } fragment F on Q { b c ...G } fragment G on Q { y: d }"),
  );
  expect({ aliases, rootFields }).toEqual({ aliases: 3, rootFields: 4 });
});

test("of several operations the largest counts", () => {
  expect(measureShape(parse("query A { a } query B { a { b } c }"))).toEqual({ depth: 2, aliases: 0, rootFields: 2 });
});

test.each([
  ["deep", "{ a { b { c { d } } } }", "4 fields deep, and 3"],
  ["full of aliases", "{ a { x: b y: b z: b } }", "3 aliases, and 2"],
  ["wide", "{ a b c }", "3 fields at its root, and 2"],
])("what is too %s is refused with both numbers", (_, text, words) => {
  const excess = findExcess(parse(text), LIMITS);
  expect(excess?.code).toBe("LIMIT_EXCEEDED");
  expect(excess?.message).toContain(words);
});

test.each([
  ["in an operation", (alias: string) => `{ ${alias}: a }`],
  ["of what is free", (alias: string) => `{ a { ${alias}: __typename } }`],
  ["in a fragment", (alias: string) => `{ ...F } fragment F on Q { a { ... on A { ${alias}: b } } }`],
  ["within introspection", (alias: string) => `{ __schema { types { ${alias}: name } } }`],
])("an alias %s has at most a hundred characters", (_, document) => {
  expect(findExcess(parse(document("x".repeat(100))), LIMITS)).toBeUndefined();
  const excess = findExcess(parse(document("x".repeat(101))), LIMITS);
  expect(excess?.code).toBe("LIMIT_EXCEEDED");
  expect(excess?.message).toBe("An alias is 101 characters long, and 100 is the most.");
  expect(findExcess(parse(document("x".repeat(190_000))), LIMITS)?.message).toContain("190,000 characters");
});

test("what is just within is not refused", () => {
  expect(findExcess(parse("{ x: a { y: b { c } } d }"), LIMITS)).toBeUndefined();
});

test("fragments that spread each other twice, forty deep, are measured at once", () => {
  const links = Array.from(
    { length: 40 },
    (_, n) => `fragment F${n} on Q { a${n}: q { ...F${n + 1} } b${n}: q { ...F${n + 1} } }`,
  );
  const document = parse(`{ ...F0 } ${links.join(" ")} fragment F40 on Q { id }`);
  // Without remembering fragments this would take 2^40 steps.
  expect(measureShape(document)).toEqual({ depth: 41, aliases: 1_000_000, rootFields: 2 });
});

test("a cycle of fragments ends, for validation to refuse", () => {
  expect(measureShape(parse("{ ...A } fragment A on Q { q { ...B } } fragment B on Q { q { ...A } }")).depth).toBe(2);
});
