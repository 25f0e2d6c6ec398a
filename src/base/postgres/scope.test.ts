import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Scope, scopedText } from "#base/postgres/scope";

const SCOPE: Scope = { setting: "tenantry.scope", value: "mine", setter: "tenantry.sets_scope" };
const PATH: Scope = { setting: "search_path", value: "pg_catalog", setter: "tenantry.sets_search_path" };
const one = (text: string, count = 0) => scopedText(text, count, [SCOPE])?.text;

test.each([
  ["select 1", 0, "with tenantry_settings as (select $1::tenantry.sets_scope) select 1"],
  ["  SELECT $1", 1, "  with tenantry_settings as (select $2::tenantry.sets_scope) SELECT $1"],
  [
    "(select 1) union select 2",
    0,
    "with tenantry_settings as (select $1::tenantry.sets_scope) (select 1) union select 2",
  ],
  [
    "with a as (select 1) table a",
    0,
    "with tenantry_settings as (select $1::tenantry.sets_scope), a as (select 1) table a",
  ],
  [
    "with/**/recursive a as (b) c",
    0,
    "with/**/recursive tenantry_settings as (select $1::tenantry.sets_scope), a as (b) c",
  ],
  [
    "-- why\n/* how */update a set b = $2",
    2,
    "-- why\n/* how */with tenantry_settings as (select $3::tenantry.sets_scope) update a set b = $2",
  ],
  ["values (1)", 0, "with tenantry_settings as (select $1::tenantry.sets_scope) values (1)"],
])("%j with %d values takes its setting as one more", (text, count, expected) => {
  expect(one(text, count)).toBe(expected);
});

test("several settings are several parameters", () => {
  expect(scopedText("select $1", 1, [SCOPE, PATH])?.text).toBe(
    "with tenantry_settings as (select $2::tenantry.sets_scope, $3::tenantry.sets_search_path) select $1",
  );
});

describe("nothing is put into", () => {
  test.each([
    "explain select 1",
    "begin",
    "set a = b",
    "notify a",
    "do $$ $$",
    "selected",
    "withal",
    "",
    "/* a */ call b()",
  ])("%j, which is no query", (text) => {
    expect(one(text)).toBeUndefined();
  });

  test("a remark, where the word of a query stands in one", () => {
    expect(one("/* a */ drop /* b */ select 1")).toBeUndefined();
    expect(one("-- select 1\ndrop a")).toBeUndefined();
  });

  test("a text that uses more parameters than it is given, as one of those would be the setting", () => {
    expect(one("select $2", 1)).toBeUndefined();
    expect(one("select $2", 2)).toBeDefined();
  });

  test("a text whose setting has no type that sets it", () => {
    expect(scopedText("select 1", 0, [{ setting: "a", value: "b" }])).toBeUndefined();
  });
});

test("the same text with another number of values has another parameter", () => {
  expect(one("select 3", 0)).toContain("$1::");
  expect(one("select 3", 2)).toContain("$3::");
  expect(one("select 3", 0)).toContain("$1::");
});

test("without what was put in, a text is what it was", () => {
  const pieces = fc.constantFrom(
    "select",
    "with",
    "recursive",
    " ",
    "\n",
    "--",
    "/*",
    "*/",
    "(",
    ")",
    "$1",
    "'",
    ";",
    "explain",
  );
  fc.assert(
    fc.property(
      fc.array(pieces).map((all) => all.join("")),
      (text) => {
        const scoped = scopedText(text, 1, [SCOPE]);
        if (scoped === undefined) return;
        const { text: made, at, added } = scoped;
        expect(made.slice(0, at) + made.slice(at + added)).toBe(text);
        expect(made.slice(at, at + added)).toContain("$2::tenantry.sets_scope");
      },
    ),
  );
});
