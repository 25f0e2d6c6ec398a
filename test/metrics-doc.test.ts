/**
 * docs/reference/metrics.md lists the metrics as they are; what is deployed with the program asks for no others.
 * `vitest run --project unit test/metrics-doc.test.ts -u` writes the page.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { type DescribedMetric, Metrics } from "#base/observability/metrics";
import { exposeInstallation } from "#metrics/installation";
import { exposeProcess } from "#metrics/process";

const ROOT = join(import.meta.dirname, "..");
const PAGE = join(ROOT, "docs/reference/metrics.md");
const MADE = "<!-- made of src/metrics/ and src/base/observability/ -->";
const RULES = join(ROOT, "deploy/prometheus/rules.yaml");

/** What is there after it was called, and was not before. */
function added(register: (metrics: Metrics) => void): DescribedMetric[] {
  const metrics = new Metrics();
  const before = new Set(metrics.describe().map(({ name }) => name));
  register(metrics);
  return metrics.describe().filter(({ name }) => !before.has(name));
}

const process = new Metrics();
exposeProcess(process);
const installation = added((metrics) => exposeInstallation(metrics));
const nodes = added((metrics) => metrics.watchProcess());
const ours = [...installation, ...process.describe()];
const names = new Set(
  [...ours, ...nodes].flatMap(({ name, type }) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

function tableOf(metrics: readonly DescribedMetric[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => {
    const shown = labels.length === 0 ? "" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${shown} | ${help.replaceAll("|", "\\|")} |`;
  });
  return ["| metric | type | labels | what |", "|---|---|---|---|", ...rows].join("\n");
}

test("docs/reference/metrics.md lists every metric", async () => {
  const [before = ""] = readFileSync(PAGE, "utf8").split(MADE);
  const sections = [
    ["Of the installation", tableOf(installation)],
    ["Of a process", tableOf(process.describe())],
    ["Of a process, by Node", tableOf(nodes)],
  ].map(([title, table]) => `## ${title}\n\n${table}`);
  await expect(`${before}${MADE}\n\n${sections.join("\n\n")}\n`).toMatchFileSnapshot(PAGE);
});

test("each metric of ours has our prefix and says in a sentence what it is", () => {
  expect(ours.length).toBeGreaterThan(30);
  expect(ours.filter(({ name }) => !/^tenantry_[a-z_]+$/.test(name))).toEqual([]);
  expect(ours.filter(({ help }) => !/^[A-Z].*\.$/.test(help))).toEqual([]);
  expect(new Set(ours.map(({ name }) => name)).size).toBe(ours.length);
});

/** What PromQL asks for, by its names. `up` is Prometheus' own. */
const asked = (expression: string) =>
  (expression.match(/\b(tenantry|nodejs|process)_[a-z0-9_]+/g) ?? []).filter((name) => !names.has(name));

type Rules = { groups: { rules: { alert: string; expr: string; annotations: { description: string } }[] }[] };
const rules = (parse(readFileSync(RULES, "utf8")) as Rules).groups.flatMap((group) => group.rules);

test("the alert rules ask for metrics that there are, and say what to do", () => {
  expect(rules.length).toBeGreaterThan(20);
  expect(rules.flatMap(({ expr }) => asked(expr))).toEqual([]);
  expect(rules.filter(({ annotations }) => !annotations.description.endsWith("."))).toEqual([]);
  expect(asked("tenantry_server_upp")).toEqual(["tenantry_server_upp"]);
});

test("the dashboard asks for metrics that there are", () => {
  const text = readFileSync(join(ROOT, "deploy/grafana/tenantry.json"), "utf8");
  const { panels } = JSON.parse(text) as { panels: { title: string; targets?: { expr: string }[] }[] };
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(expressions.length).toBeGreaterThan(20);
  expect(expressions.flatMap(asked)).toEqual([]);
});

test.each([
  ["check rules", ["check", "rules", RULES]],
  ["test rules", ["test", "rules", join(ROOT, "deploy/prometheus/rules.test.yaml")]],
  ["check config", ["check", "config", join(ROOT, "deploy/prometheus/prometheus.yml")]],
])("promtool %s succeeds on what is deployed", (_, args) => {
  expect(execFileSync("promtool", args, { encoding: "utf8" })).toContain("SUCCESS");
});
