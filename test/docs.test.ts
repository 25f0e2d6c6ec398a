/** The pages as a whole: the map names each, and the list of error codes is complete. Links are checked in tidy.test.ts. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const MAP = "docs/README.md";
const TROUBLESHOOTING = "docs/how-to/troubleshooting.md";

test("the map of the documentation links every page", () => {
  const pages = globSync("{docs/**/*.md,src/**/*.md,bench/*.md,*.md}", { cwd: ROOT });
  const linked = linkedFrom(MAP);
  expect(pages.length).toBeGreaterThan(20);
  expect(pages.filter((page) => page !== MAP && page !== "README.md" && !linked.includes(page))).toEqual([]);
});

test("the README leads to the map", () => {
  expect(linkedFrom("README.md")).toContain(MAP);
});

test("troubleshooting has a heading for every error code, and for nothing else", () => {
  const codes = globSync("src/**/errors.ts", { cwd: ROOT }).flatMap((path) => {
    const [, list = ""] = /\bERROR_CODES = \[(.*?)\]/s.exec(read(path)) ?? [];
    return [...list.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
  });
  const headings = [...read(TROUBLESHOOTING).matchAll(/^## `([A-Z_]+)`$/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(5);
  expect(headings).toEqual(codes);
});

function linkedFrom(page: string): string[] {
  const targets = [...read(page).matchAll(/\]\(([^)#\s]+)/g)].map(([, target = ""]) => target);
  return targets.map((target) => relative(ROOT, join(ROOT, dirname(page), target)));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
