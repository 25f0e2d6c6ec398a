/** The import rules of the architecture hold, cover every module, and can fail: each on an import planted against it. */
import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const CRUISER = join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");
const FOLDERS = ["src", "bin", "test", "bench", "console"];
const TIMEOUT_MS = 60_000;

type Violation = { from: string; to: string; rule: { name: string } };
type Result = {
  modules: { source: string; dependencies: { module: string; resolved: string }[] }[];
  summary: {
    violations: Violation[];
    totalDependenciesCruised: number;
    ruleSetUsed: { forbidden: { name: string }[] };
  };
};

/** Runs dependency-cruiser in a folder of its own process, as it keeps what it has resolved for the life of one. */
async function cruise(folder: string): Promise<Result> {
  const roots = FOLDERS.filter((root) => globSync(`${root}/**/*.{ts,js}`, { cwd: folder }).length > 0);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [CRUISER, "--config", join(ROOT, ".dependency-cruiser.cjs"), "--output-type", "json", ...roots],
    { cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: TIMEOUT_MS },
    // Its exit code is the number of violations; what counts is the report.
  ).catch((error: unknown) => {
    const { stdout: report } = error as { stdout?: string };
    if (!report?.startsWith("{")) throw new Error("dependency-cruiser failed", { cause: error });
    return { stdout: report };
  });
  return JSON.parse(stdout) as Result;
}

/** Writes files into a folder that resolves `#…` as this package does, and reports which rules each of them breaks. */
async function cruisePlanted(folder: string, files: Record<string, string>): Promise<Map<string, Set<string>>> {
  await writeFile(join(folder, "package.json"), '{ "type": "module", "imports": { "#*": "./src/*.ts" } }');
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const broken = new Map<string, Set<string>>();
  for (const { from, rule } of (await cruise(folder)).summary.violations)
    broken.set(from, (broken.get(from) ?? new Set()).add(rule.name));
  return broken;
}

const TARGETS = ["kernel", "observability", "postgres", "migrations", "replication", "auth", "audit", "directory"]
  .concat("border", "workspace", "operations", "graphql", "http", "cli", "embedded", "app")
  .map((folder) => `src/${folder}/target.ts`)
  .concat("src/workspace/comments.ts", "src/graphql/kit.ts")
  .concat("src/main.ts", "src/config.ts", "src/kernel/target.test.ts", "test/target.ts", "bench/target.ts");

/** One import against each rule: the importing file, what it says, the rule that must name it. */
const PLANTED: [path: string, content: string, rule: string][] = [
  ["src/config.ts", 'import "#http/target";', "imports-of-config"],
  ["src/kernel/a.ts", 'import "#postgres/target";', "imports-of-kernel"],
  ["src/observability/a.ts", 'import "#postgres/target";', "imports-of-observability"],
  ["src/postgres/a.ts", 'import "#replication/target";', "imports-of-postgres"],
  ["src/schema/a.ts", 'import "#kernel/target";', "imports-of-schema"],
  ["src/migrations/a.ts", 'import "#directory/target";', "imports-of-migrations"],
  ["src/replication/a.ts", 'import "#directory/target";', "imports-of-replication"],
  ["src/border/a.ts", 'import "#directory/target";', "imports-of-border"],
  ["src/auth/a.ts", 'import "#directory/target";', "imports-of-auth"],
  ["src/audit/a.ts", 'import "#directory/target";', "imports-of-audit"],
  ["src/directory/a.ts", 'import "#workspace/target";', "imports-of-directory"],
  ["src/workspace/a.ts", 'import "#replication/target";', "imports-of-workspace"],
  ["src/workspace/b.ts", 'import "#directory/target";', "workspace-never-directory"],
  ["src/workspace/roundabout.ts", 'import "./b.ts";', "workspace-never-directory"],
  ["src/operations/a.ts", 'import "#graphql/target";', "imports-of-operations"],
  ["src/graphql/a.ts", 'import "#replication/target";', "imports-of-graphql"],
  ["src/graphql/b.ts", 'import "#postgres/target";', "graphql-never-postgres"],
  ["src/graphql/c.ts", 'import pg from "pg"; export default pg;', "graphql-never-postgres"],
  ["src/http/a.ts", 'import "#postgres/target";', "imports-of-http"],
  ["src/cli/a.ts", 'import "#http/target";', "imports-of-cli"],
  ["src/app/a.ts", 'import "#directory/target";', "apps-by-the-kit"],
  ["src/app/b.ts", 'import "#graphql/target";', "apps-by-the-kit"],
  ["src/graphql/d.ts", 'import "#app/target";', "engine-never-app"],
  ["src/http/b.ts", 'import "../workspace/comments.ts";', "engine-never-app"],
  ["src/embedded/a.ts", 'import "#postgres/target";', "imports-of-embedded"],
  ["src/kernel/type.ts", 'import type { A } from "#auth/target"; export type B = A;', "imports-of-kernel"],
  ["src/kernel/export.ts", 'export * from "#auth/target";', "imports-of-kernel"],
  ["src/kernel/relative.ts", 'import "../auth/target.ts";', "imports-of-kernel"],
  ["src/kernel/dynamic.ts", 'export const later = () => import("#auth/target");', "imports-of-kernel"],
  [
    "src/kernel/using.ts",
    'export async function f() { using x = (await import("#auth/target")).x; }',
    "imports-of-kernel",
  ],
  ["src/elsewhere/a.ts", 'import "#kernel/target";', "folder-without-a-row"],
  ["src/directory/driver.ts", 'import pg from "pg"; export default pg;', "driver-only-in-postgres"],
  ["src/directory/driver-type.ts", 'import type { Pool } from "pg"; export type P = Pool;', "driver-only-in-postgres"],
  ["src/kernel/b.ts", 'import "./target.test.ts";', "source-never-imports-tests"],
  ["src/main.ts", 'import "../test/target.ts";', "source-never-imports-tests"],
  ["console/page.js", 'import "../src/kernel/target.ts";', "console-stands-alone"],
  ["src/auth/round.ts", 'import "./trip.ts";', "no-cycles"],
  ["src/auth/lost.ts", 'import "#auth/nowhere";', "no-unresolvable"],
];

/** The other half of the planted cycle, which is reported once, and there is a cycle already by a type alone. */
const TRIP = { "src/auth/trip.ts": 'import type { A } from "./round.ts"; export type B = A;' };

/** Imports that the rows allow, also those that a rule nearly forbids. */
const ALLOWED: Record<string, string> = {
  "src/observability/ok.ts": 'import "#kernel/target";',
  "src/postgres/ok.ts": 'import pg from "pg"; import "#kernel/target"; import "./target.ts"; export default pg;',
  "src/operations/ok.ts": 'import "#directory/target"; import "#workspace/target"; import "#replication/target";',
  "src/border/ok.ts": 'import "#replication/target"; import "#observability/target";',
  "src/graphql/ok.ts": 'import "#operations/target"; import "#directory/target";',
  "src/app/ok.ts": 'import "#graphql/kit"; import "../workspace/comments.ts"; import "#kernel/target";',
  "src/cli/ok.ts": 'import "#operations/target"; import "#main";',
  "src/workspace/ok.test.ts": 'import pg from "pg"; import "#directory/target"; import "../../test/target.ts"; pg;',
  "test/ok.ts": 'import "#postgres/target"; import pg from "pg"; pg;',
};

describe("the import rules", () => {
  let ours: Result;
  let broken: Map<string, Set<string>>;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tenantry-architecture-"));
    const planted: Record<string, string> = Object.fromEntries(TARGETS.map((path) => [path, "export const x = 1;"]));
    for (const [path, content] of PLANTED) planted[path] = content;
    [ours, broken] = await Promise.all([cruise(ROOT), cruisePlanted(folder, { ...planted, ...TRIP, ...ALLOWED })]);
  }, TIMEOUT_MS);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("hold in this repository", () => {
    expect(ours.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} imports ${to}`)).toEqual([]);
  });

  test("were asked about every module on disk, and followed the imports by #", () => {
    const onDisk = globSync(`{${FOLDERS.join(",")}}/**/*.{ts,js}`, { cwd: ROOT, exclude: ["test/fixtures/**"] });
    const seen = new Set(ours.modules.map(({ source }) => source));
    expect(onDisk.filter((path) => !seen.has(path))).toEqual([]);
    expect(onDisk.length).toBeGreaterThan(40);
    const byHash = ours.modules.flatMap(({ dependencies }) =>
      dependencies.filter(({ module }) => module.startsWith("#")),
    );
    expect(byHash.length).toBeGreaterThan(100);
    expect(byHash.filter(({ resolved }) => !existsSync(join(ROOT, resolved)))).toEqual([]);
  });

  test.each(PLANTED)("%s: %s breaks %s", (path, _content, rule) => {
    expect([...(broken.get(path) ?? [])]).toContain(rule);
  });

  test("are each broken by a planted import", () => {
    const rules = ours.summary.ruleSetUsed.forbidden.map(({ name }) => name);
    expect(new Set(PLANTED.map(([, , rule]) => rule))).toEqual(new Set(rules));
  });

  test("let pass what the rows allow", () => {
    expect([...broken].filter(([path]) => path in ALLOWED || !PLANTED.some(([planted]) => planted === path))).toEqual(
      [],
    );
  });
});
