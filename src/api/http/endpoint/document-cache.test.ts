import { parse } from "graphql";
import { beforeEach, expect, test } from "vitest";
import { DocumentCache } from "#api/http/endpoint/document-cache";

const document = parse("{ a }");
const text = (name: string, length: number) => name.padEnd(length);
let cache: DocumentCache;
beforeEach(() => {
  cache = new DocumentCache();
});

test("a document is found by its text, and by no other", () => {
  cache.set("{ a }", document);
  expect(cache.get("{ a }")).toBe(document);
  expect(cache.get("{ b }")).toBeUndefined();
});

test("of too many the least recently used goes first", () => {
  for (let n = 0; n < 1_024; n += 1) cache.set(`{ a${n} }`, document);
  expect(cache.get("{ a0 }")).toBe(document);
  cache.set("{ b }", document);
  expect(cache.get("{ a0 }")).toBe(document);
  expect(cache.get("{ a1 }")).toBeUndefined();
  expect(cache.get("{ a2 }")).toBe(document);
});

test("so do as many as are in the way of a long one, however few they are", () => {
  for (const name of ["a", "b", "c", "d"]) cache.set(text(name, 250_000), document);
  expect(cache.get(text("a", 250_000))).toBe(document);
  cache.set(text("e", 500_000), document);
  expect(["a", "b", "c", "d"].map((name) => cache.get(text(name, 250_000)) !== undefined)).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(cache.get(text("e", 500_000))).toBe(document);
});

test("a text that is too long alone is not kept, and drives out nothing", () => {
  cache.set("{ a }", document);
  cache.set(text("b", 1_000_001), document);
  expect(cache.get(text("b", 1_000_001))).toBeUndefined();
  expect(cache.get("{ a }")).toBe(document);
});

test("a text that comes again counts once", () => {
  cache.set("{ a }", document);
  for (let times = 0; times < 10; times += 1) cache.set(text("b", 600_000), document);
  expect(cache.get("{ a }")).toBe(document);
});
