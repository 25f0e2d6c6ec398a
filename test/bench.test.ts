/** The benches as a whole: that each is found, that all fit into their time, and how the page of results is written. */
import { expect, test } from "vitest";
import { barCells } from "../bench/bars.ts";
import { drawLines } from "../bench/chart.ts";
import { findParts } from "../bench/find-parts.ts";
import { anchorOf, renderResults, type Result } from "../bench/results.ts";

const RESULT: Result = {
  part: "grants",
  title: "Grants: one by one",
  about: "How it is measured.",
  order: 2,
  at: "2026-01-02",
  seconds: 61,
  circumstances: "a machine",
  findings: [
    {
      title: "Grants",
      text: "| a table |",
      bars: [
        { what: "a grant", measured: 1.5, most: 2 },
        { what: "a slow one", measured: 120, unit: "ms", most: 100 },
        { what: "a figure", measured: 33, unit: "MB/s", open: true },
      ],
    },
  ],
};

test("every part is found by itself, says how it measures, and all of them fit into 45 minutes", async () => {
  const parts = [...(await findParts()).values()];
  expect(parts.length).toBeGreaterThan(10);
  expect(new Set(parts.map(({ title }) => anchorOf(title))).size).toBe(parts.length);
  expect(new Set(parts.map(({ order }) => order)).size).toBe(parts.length);
  for (const { about } of parts) expect(about.length).toBeGreaterThan(20);
  expect(parts.reduce((sum, { minutes }) => sum + minutes, 0)).toBeLessThanOrEqual(45);
});

test("the page begins with all claims, each with its bar, its figure, its date and a link to its section", () => {
  const other: Result = { ...RESULT, part: "first", title: "First", order: 1, at: "2026-01-01", findings: [] };
  const chart = { file: "cost.svg", svg: "", about: "Cost" };
  const drawn: Result = { ...RESULT, findings: RESULT.findings.map((one) => Object.assign({ chart }, one)) };
  const page = renderResults([drawn, other]);
  expect(page.split("\n").slice(0, 7)).toEqual([
    "# Results",
    "",
    "| claim | bar | measured |  | date |",
    "| --- | --- | --- | --- | --- |",
    "| [a grant](#grants-one-by-one) | ≤ 2 × | 1.50 × | met | 2026-01-02 |",
    "| [a slow one](#grants-one-by-one) | ≤ 100 ms | 120 ms | **missed** | 2026-01-02 |",
    "| [a figure](#grants-one-by-one) | – | 33.0 MB/s |  | 2026-01-02 |",
  ]);
  expect(page.indexOf("## First")).toBeLessThan(page.indexOf("## Grants: one by one"));
  expect(page).toContain("![Cost](cost.svg)");
  expect(page).toContain("a machine. `pnpm bench --only=grants`, 2026-01-02, 2 min.");
});

test("a claim without a unit, and one that needs a least, read well", () => {
  expect(barCells({ what: "processes", measured: 0, unit: "", most: 0 })).toEqual(["≤ 0", "0", "met"]);
  expect(barCells({ what: "reads", measured: 0.8, least: 0.85 })).toEqual(["≥ 0.85 ×", "0.800 ×", "**missed**"]);
});

test("lines are drawn on a common ground, ours in a colour of its own, in light and dark", () => {
  const points = (ys: number[]) => ys.map((y, index) => ({ x: index * 100, y }));
  const svg = drawLines({ title: "Cost & more", across: "databases" }, [
    { name: "Tenantry", points: points([0.7, 0.7, 0.71]) },
    { name: "others", points: points([0.9, 12, 52]) },
  ]);
  expect(svg.match(/<polyline class="line own"/g)).toHaveLength(1);
  expect(svg.match(/<polyline class="line"/g)).toHaveLength(1);
  expect(svg).toContain("prefers-color-scheme: dark");
  expect(svg).toContain("Cost &amp; more");
});
