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
const FOLDERS = ["src", "bin", "test", "bench", "build"];
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

const ROOMS = [
  "schema",
  "migrations",
  "replication",
  "auth",
  "routing",
  "servers",
  "home",
  "border",
  "regions",
  "audit",
]
  .concat("jobs", "links", "people", "transfer", "placements", "fleet", "doctor", "readings")
  .map((room) => `engine/${room}`);

const TARGETS = ["base/kernel", "base/observability", "base/postgres", ...ROOMS, "api/graphql", "api/http", "app"]
  .concat("app/resources", "cli", "embedded", "metrics", "project", "library")
  .map((folder) => `src/${folder}/target.ts`)
  .concat(
    "src/api/graphql/kit.ts",
    "src/main.ts",
    "src/config.ts",
    "src/services.ts",
    "src/job-handlers.ts",
    "src/work.ts",
    "src/engine/services.ts",
  )
  .concat("src/base/kernel/target.test.ts", "test/target.ts", "bench/target.ts");

/** One import against each rule: the importing file, what it says, the rule that must name it. */
const PLANTED: [path: string, content: string, rule: string][] = [
  ["src/config.ts", 'import "#api/http/target";', "imports-of-config"],
  ["src/services.ts", 'import "#api/http/target";', "imports-of-services"],
  ["src/job-handlers.ts", 'import "#base/kernel/target";', "imports-of-job-handlers"],
  ["src/work.ts", 'import "#services";', "imports-of-work"],
  ["src/library/a.ts", 'import "#api/graphql/target";', "imports-of-library"],
  ["src/base/kernel/a.ts", 'import "#base/postgres/target";', "imports-of-base-kernel"],
  ["src/base/observability/a.ts", 'import "#base/postgres/target";', "imports-of-base-observability"],
  ["src/base/postgres/a.ts", 'import "#engine/replication/target";', "imports-of-base-postgres"],
  ["src/engine/failures/a.ts", 'import "#engine/home/target";', "imports-of-engine-failures"],
  ["src/engine/schema/a.ts", 'import "#base/kernel/target";', "imports-of-engine-schema"],
  ["src/engine/migrations/a.ts", 'import "#engine/home/target";', "imports-of-engine-migrations"],
  ["src/engine/replication/a.ts", 'import "#engine/home/target";', "imports-of-engine-replication"],
  ["src/engine/tables.ts", 'import "#engine/home/target";', "imports-of-engine-tables"],
  ["src/engine/auth/a.ts", 'import "#engine/home/target";', "imports-of-engine-auth"],
  ["src/engine/routing/a.ts", 'import "#engine/replication/target";', "imports-of-engine-routing"],
  ["src/engine/servers/a.ts", 'import "#engine/home/target";', "imports-of-engine-servers"],
  ["src/engine/home/a.ts", 'import "#engine/regions/target";', "imports-of-engine-home"],
  ["src/engine/border/a.ts", 'import "#engine/links/target";', "imports-of-engine-border"],
  ["src/engine/border/protocol/a.ts", 'import "#engine/links/target";', "imports-of-engine-border"],
  ["src/engine/regions/a.ts", 'import "#engine/placements/target";', "imports-of-engine-regions"],
  ["src/engine/audit/a.ts", 'import "#engine/placements/target";', "imports-of-engine-audit"],
  ["src/engine/events/a.ts", 'import "#engine/placements/target";', "imports-of-engine-events"],
  ["src/engine/jobs/a.ts", 'import "#engine/placements/target";', "imports-of-engine-jobs"],
  ["src/engine/links/a.ts", 'import "#engine/placements/target";', "imports-of-engine-links"],
  ["src/engine/people/a.ts", 'import "#engine/placements/target";', "imports-of-engine-people"],
  ["src/engine/erasure/a.ts", 'import "#engine/placements/target";', "imports-of-engine-erasure"],
  ["src/engine/transfer/a.ts", 'import "#engine/placements/target";', "imports-of-engine-transfer"],
  ["src/engine/placements/a.ts", 'import "#engine/fleet/target";', "imports-of-engine-placements"],
  ["src/engine/moves/a.ts", 'import "#engine/fleet/target";', "imports-of-engine-moves"],
  ["src/engine/fleet/a.ts", 'import "#engine/doctor/target";', "imports-of-engine-fleet"],
  ["src/engine/doctor/a.ts", 'import "#engine/fleet/target";', "imports-of-engine-doctor"],
  ["src/engine/readings/a.ts", 'import "#engine/fleet/target";', "imports-of-engine-readings"],
  ["src/engine/services.ts", 'import "#engine/fleet/target";', "imports-of-engine-services"],
  ["src/engine/services.ts", 'import "#engine/fleet/target";', "services-are-types"],
  ["src/api/graphql/a.ts", 'import "#engine/replication/target";', "imports-of-api-graphql"],
  ["src/api/http/a.ts", 'import "#base/postgres/target";', "imports-of-api-http"],
  ["src/app/a.ts", 'import "#engine/home/target";', "imports-of-app"],
  ["src/app/b.ts", 'import "#api/graphql/target";', "imports-of-app"],
  ["src/metrics/a.ts", 'import "#engine/home/target";', "imports-of-metrics"],
  ["src/cli/a.ts", 'import "#api/http/target";', "imports-of-cli"],
  ["src/embedded/a.ts", 'import "#base/postgres/target";', "imports-of-embedded"],
  ["src/project/a.ts", 'import "#engine/home/target";', "imports-of-project"],
  ["src/index.ts", 'import "#base/postgres/target";', "imports-of-index"],
  ["src/testing.ts", 'import "#base/postgres/target";', "imports-of-testing"],
  ["src/testing/a.ts", 'import "#base/postgres/target";', "imports-of-testing"],

  ["src/base/kernel/up.ts", 'import "#engine/auth/target";', "base-never-engine"],
  ["src/engine/jobs/up.ts", 'import "#api/graphql/target";', "engine-never-api"],
  ["src/engine/jobs/root.ts", 'import "#main";', "engine-never-api"],
  ["src/engine/jobs/library.ts", 'import "#library/target";', "engine-never-api"],
  ["src/library/app.ts", 'import "#app/resources/target";', "library-never-api"],
  ["src/engine/home/up.ts", 'import "#app/resources/target";', "engine-never-app"],
  ["src/engine/home/roundabout.ts", 'import "./up.ts";', "engine-never-app"],
  ["src/api/graphql/up.ts", 'import "#app/resources/target";', "api-never-app"],
  ["src/engine/routing/b.ts", 'import "#engine/home/target";', "content-never-home"],
  ["src/engine/routing/roundabout.ts", 'import "./b.ts";', "content-never-home"],
  ["src/api/graphql/b.ts", 'import "#base/postgres/target";', "graphql-never-postgres"],
  ["src/api/graphql/c.ts", 'import pg from "pg"; export default pg;', "graphql-never-postgres"],

  [
    "src/base/kernel/type.ts",
    'import type { A } from "#engine/auth/target"; export type B = A;',
    "imports-of-base-kernel",
  ],
  ["src/base/kernel/export.ts", 'export * from "#engine/auth/target";', "imports-of-base-kernel"],
  ["src/base/kernel/relative.ts", 'import "../../engine/auth/target.ts";', "imports-of-base-kernel"],
  ["src/base/kernel/dynamic.ts", 'export const later = () => import("#engine/auth/target");', "imports-of-base-kernel"],
  [
    "src/base/kernel/using.ts",
    'export async function f() { using x = (await import("#engine/auth/target")).x; }',
    "imports-of-base-kernel",
  ],
  ["src/elsewhere/a.ts", 'import "#base/kernel/target";', "folder-without-a-row"],
  ["src/engine/elsewhere/a.ts", 'import "#base/kernel/target";', "folder-without-a-row"],
  ["src/engine/home/driver.ts", 'import pg from "pg"; export default pg;', "driver-only-in-postgres"],
  ["src/engine/home/type.ts", 'import type { Pool } from "pg"; export type P = Pool;', "driver-only-in-postgres"],
  ["src/base/kernel/b.ts", 'import "./target.test.ts";', "source-never-imports-tests"],
  ["src/main.ts", 'import "../test/target.ts";', "source-never-imports-tests"],
  ["src/engine/auth/round.ts", 'import "./trip.ts";', "no-cycles"],
  ["src/engine/auth/lost.ts", 'import "#engine/auth/nowhere";', "no-unresolvable"],
];

/** The other half of the planted cycle, which is reported once, and there is a cycle already by a type alone. */
const TRIP = { "src/engine/auth/trip.ts": 'import type { A } from "./round.ts"; export type B = A;' };

/** Imports that the rows allow, also those that a rule nearly forbids. */
const ALLOWED: Record<string, string> = {
  "src/base/observability/ok.ts": 'import "#base/kernel/target";',
  "src/base/postgres/ok.ts":
    'import pg from "pg"; import "#base/kernel/target"; import "./target.ts"; export default pg;',
  "src/engine/placements/ok.ts":
    'import "#engine/home/target"; import "#engine/jobs/target"; import "#engine/services";',
  "src/engine/border/protocol/ok.ts": 'import "#engine/replication/target"; import "#base/observability/target";',
  "src/api/graphql/ok.ts": 'import "#engine/placements/target"; import "#engine/home/target";',
  "src/app/ok.ts": 'import "#api/graphql/kit"; import "#engine/routing/target";',
  "src/cli/ok.ts": 'import "#engine/doctor/target"; import "#main";',
  "src/library/ok.ts": 'import "#engine/placements/target"; import "#base/postgres/target"; import "./target.ts";',
  "src/app/comments/ok.test.ts":
    'import pg from "pg"; import "#engine/home/target"; import "../../../test/target.ts"; pg;',
  "test/ok.ts": 'import "#base/postgres/target"; import pg from "pg"; pg;',
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
