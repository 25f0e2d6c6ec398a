/**
 * House rules that no linter knows, each with its replacement. A rule is a small function from a file to sentences about
 * it; each is tried on a planted bad sample too, so that none can quietly stop finding anything.
 */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseSync } from "@swc/core";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const EXAMPLE = join(ROOT, "examples/invoices");
const TEST_NAMES = new Set(globSync("{src,test}/**/*.test.ts", { cwd: ROOT }).map((path) => basename(path)));
const MAX_FUNCTION_LINES = 70;
const MAX_FILE_LINES = 400;

/** Functions (`path name`) and files (`path`) that are longer for a good reason, which stands beside them. */
const LONG_FOR_A_REASON: Record<string, string> = {};

type File = { path: string; text: string };
type Rule = { name: string; check: (file: File) => string[]; bad: [path: string, text: string][]; good?: Rule["bad"] };

const isTest = (path: string) => path.startsWith("test/") || path.endsWith(".test.ts");
const isCode = (path: string) => /\.(tsx?|js|cjs|mjs)$/.test(path);
const isSource = (path: string) => path.startsWith("src/") && isCode(path) && !isTest(path);
/** The program and the page that it sends. */
const isShipped = (path: string) => isSource(path) || (path.startsWith("console/src/") && isCode(path));

/** Forbids a pattern line by line. Lines that are comments do not count, unless the pattern is about comments. */
function banned(options: {
  name: string;
  instead: string;
  where: (path: string) => boolean;
  pattern: RegExp;
  alsoInComments?: boolean;
  bad: Rule["bad"];
  good?: Rule["bad"];
}): Rule {
  const { where, pattern, instead, alsoInComments = false, ...rule } = options;
  const check = ({ path, text }: File) => {
    if (!where(path)) return [];
    const lines = text.split("\n").map((line, index) => ({ line, location: `${path}:${index + 1}` }));
    return lines
      .filter(({ line }) => (alsoInComments || !/^\s*(\/\/|\/?\*|--)/.test(line)) && pattern.test(line))
      .map(({ line, location }) => `${location}: ${line.trim()} — ${instead}`);
  };
  return { ...rule, check };
}

const BANNED: Rule[] = [
  banned({
    name: "only src/config.ts reads the environment",
    instead: "take the value as an option, and read it in src/config.ts, which checks it once, at start",
    where: (path) => isSource(path) && path !== "src/config.ts",
    pattern: /\bprocess\??\.env\b|\bprocess\[["']env["']\]|from "(node:)?process"/,
    bad: [
      ["src/api/http/server.ts", "const port = process.env.PORT;"],
      ["src/api/http/server.ts", 'import { env } from "node:process";'],
    ],
    good: [["src/config.ts", "readConfig(process.env)"]],
  }),
  banned({
    name: "nothing prints but commands and benchmarks",
    instead: "log through base/observability/logger, which takes secrets out",
    where: (path) => isCode(path) && !/^(src\/cli|bin|bench)\//.test(path),
    pattern: /\bconsole\.\w+\(/,
    bad: [["src/engine/jobs/a.ts", 'console.log("done");']],
    good: [
      ["src/cli/region.ts", 'console.log("done");'],
      ["src/base/kernel/a.ts", "// console.log(x) would print a secret"],
    ],
  }),
  banned({
    name: "tests wait for conditions, never for a time",
    instead: "wait for what must become true with waitFor of base/kernel/wait, or expect.poll",
    where: (path) => isCode(path) && isTest(path),
    pattern: /\bsetTimeout\(\s*(resolve|done|r)\b|timers\/promises|\b(await|return|=>) (sleep|delay)\(/,
    bad: [
      ["test/integration/a.test.ts", "await new Promise((resolve) => setTimeout(resolve, 500));"],
      ["src/base/kernel/a.test.ts", 'import { setTimeout } from "node:timers/promises";'],
      ["test/support/a.ts", "await delay(100);"],
    ],
    good: [["src/base/kernel/wait.ts", "await delay(100);"]],
  }),
  banned({
    name: "every test runs, and each alone is no special case",
    instead: "delete the test or repair it; say skipIf(condition) where a platform really lacks something",
    where: (path) => isCode(path) && isTest(path),
    pattern: /\b(describe|it|test|suite|bench)(\.\w+)*\.(only|skip|todo)\b/,
    bad: [
      ["test/a.test.ts", 'test.only("one", () => {});'],
      ["test/a.test.ts", 'describe.skip("some", () => {});'],
      ["test/a.test.ts", "it.concurrent.skip.each([])"],
    ],
    good: [["test/a.test.ts", "test.skipIf(onWindows)"]],
  }),
  banned({
    name: "no notes to self",
    instead: "do it, or write it down as an issue",
    where: (path) => isCode(path) || /\.(sql|md|css|ya?ml)$/.test(path),
    pattern: /\b(TODO|FIXME|XXX)\b/,
    alsoInComments: true,
    bad: [
      ["src/a.ts", "// TODO: later"],
      ["src/engine/schema/home/0001_a.sql", "-- FIXME"],
    ],
  }),
  banned({
    name: "no escape to any",
    instead: "use unknown and narrow it, or a type that says what is known",
    where: (path) => /\.tsx?$/.test(path),
    pattern: /\bas any\b|<any>/,
    bad: [
      ["src/a.ts", "const x = y as any;"],
      ["test/a.test.ts", "const x = <any>y;"],
    ],
  }),
  banned({
    name: "the type checker is not silenced",
    instead: "mend the type; @ts-expect-error with a reason where a test passes something wrong on purpose",
    where: isCode,
    pattern: /@ts-(ignore|nocheck)/,
    alsoInComments: true,
    bad: [["src/a.ts", "// @ts-ignore"]],
    good: [["test/a.test.ts", "// @ts-expect-error the wrong handle must not compile"]],
  }),
  banned({
    name: "SQL is lower case",
    instead: "write keywords in lower case, as everywhere else",
    where: (path) => isSource(path) || path.endsWith(".sql"),
    pattern:
      /\bSELECT\s+(?!on\b|ON\b)[\w*"'(]|\bINSERT INTO\b|\bDELETE FROM\b|\bUPDATE\s+\S+\s+SET\b|\bCREATE (TABLE|INDEX|FUNCTION|TRIGGER|POLICY)\b/,
    bad: [
      ["src/engine/home/a.ts", 'home.query("a.b", "SELECT id FROM tenantry.users")'],
      ["src/engine/home/a.ts", "insert: `INSERT INTO tenantry.users values ($1)`"],
      ["src/engine/schema/home/0001_a.sql", "CREATE TABLE users ();"],
    ],
    good: [
      ["src/engine/home/a.ts", "`${SELECT} where id = $1`"],
      ["src/engine/home/a.ts", '"Grant SELECT on all tables to the role."'],
    ],
  }),
  banned({
    name: "only src/base/postgres imports the driver",
    instead: "take a Queryable of base/postgres/database",
    where: (path) => isSource(path) && !path.startsWith("src/base/postgres/"),
    pattern: /(from|import|import\(|require\()\s*["']pg(["'/-])/,
    bad: [
      ["src/engine/home/a.ts", 'import pg from "pg";'],
      ["src/engine/jobs/a.ts", 'const { Pool } = await import("pg");'],
    ],
    good: [["src/base/postgres/pools.ts", 'import pg from "pg";']],
  }),
  banned({
    name: "the engine and the base know tables in general, and none of the app that ships",
    instead: "go by what the migrations declare (engine/tables.ts), or move it to src/app",
    // OpenTelemetry calls a process a resource.
    where: (path) => /^src\/(engine|base)\//.test(path) && !isTest(path) && path !== "src/base/observability/otel.ts",
    pattern: /\bresources?\b|\bcomments?\b(?! on \b)/i,
    alsoInComments: true,
    bad: [
      ["src/engine/transfer/a.ts", 'for (const table of ["resources"])'],
      ["src/engine/schema/home/0001_home.sql", "select count(*) from app.comments"],
      ["src/base/kernel/a.ts", "/** A comment's body. */"],
    ],
    good: [
      ["src/app/resources/a.ts", 'const table = "app.resources"'],
      ["src/engine/placements/a.ts", "comment on database"],
    ],
  }),
];

const NAMES: Rule = {
  name: "files and folders are named by what they hold",
  check: ({ path }) => {
    const vague = path.split("/").find((part) => /^(utils?|helpers?|common|misc|stuff)(\.|$)/i.test(part));
    return vague === undefined
      ? []
      : [`${path}: ${vague} says nothing; name it by the concept, or move it to its user`];
  },
  bad: [
    ["src/utils/strings.ts", ""],
    ["src/api/graphql/helpers.ts", ""],
    ["test/common.test.ts", ""],
  ],
  good: [["src/base/kernel/wait.ts", ""]],
};

const FILE_LENGTH: Rule = {
  name: `files in src/ and console/ have at most ${MAX_FILE_LINES} lines`,
  check: ({ path, text }) => {
    const lines = text.trimEnd().split("\n").length;
    if (!/^(src|console)\//.test(path) || !isCode(path) || lines <= MAX_FILE_LINES || path in LONG_FOR_A_REASON)
      return [];
    return [`${path}: ${lines} lines; split it by concept`];
  },
  bad: [
    ["src/a.ts", "x;\n".repeat(MAX_FILE_LINES + 1)],
    ["console/src/a.tsx", "x;\n".repeat(MAX_FILE_LINES + 1)],
  ],
  good: [["src/a.ts", "x;\n".repeat(MAX_FILE_LINES)]],
};

const FUNCTION_LENGTH: Rule = {
  name: `functions in src/ and console/ have at most ${MAX_FUNCTION_LINES} lines`,
  check: ({ path, text }) => {
    if (!isShipped(path) || !/\.tsx?$/.test(path)) return [];
    return functionsOf(text, path.endsWith("x"))
      .filter(({ name, lines }) => lines > MAX_FUNCTION_LINES && !(`${path} ${name}` in LONG_FOR_A_REASON))
      .map(({ name, lines }) => `${path}: ${name} has ${lines} lines; take a step with a name out of it`);
  },
  bad: [
    ["src/a.ts", `/** é */\nfunction f() {${"\n  x();".repeat(MAX_FUNCTION_LINES)}\n}`],
    ["src/a.ts", `const f = async () => {${"\n  x();".repeat(MAX_FUNCTION_LINES)}\n};`],
    ["console/src/a.tsx", `function F() {${"\n  x();".repeat(MAX_FUNCTION_LINES)}\nreturn <b />; }`],
    ["src/a.ts", `class A { #m() {${"\n  x();".repeat(MAX_FUNCTION_LINES)}\n} }`],
  ],
  good: [["src/a.ts", `function f() {${"\n  x();".repeat(MAX_FUNCTION_LINES - 2)}\n}`]],
};

const LINKS: Rule = {
  name: "links in Markdown lead to a file, and to a heading that is there",
  check: ({ path, text }) => {
    if (!path.endsWith(".md")) return [];
    const prose = text.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, "");
    const found = prose.matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)|\b(?:src|href)="([^"]+)"|^\[[^\]]+\]:\s+(\S+)/gm);
    return [...found].flatMap(([, inline, html, reference]) =>
      brokenLink(path, text, inline ?? html ?? reference ?? ""),
    );
  },
  bad: [
    ["docs/A.md", "[the plan](no-such-file.md)"],
    ["docs/A.md", '<img src="no-such-picture.png">'],
    ["docs/A.md", "# One\n[two](#two)"],
    ["A.md", "[gone](docs/internals/dependencies.md#no-such-heading)"],
    ["docs/A.md", "[root]: ../no-such-file.json"],
  ],
  good: [["docs/A.md", "# One & two\n[a](../package.json) [b](#one--two) [c](https://example.org/x) `[d](e)`"]],
};

const NAMED_FILES: Rule = {
  name: "a page names only files and tests that are there",
  check: ({ path, text }) => {
    if (!path.endsWith(".md") || path === "CHANGELOG.md") return [];
    const prose = text.replace(/^```.*?^```/gms, "");
    const paths = [...prose.matchAll(/`((?:src|test|bench)\/[\w./-]+\.\w+)`/g)].map(([, name = ""]) => name);
    const tests = [...prose.matchAll(/`([\w-]+\.test\.ts)`/g)].map(([, name = ""]) => name);
    return [
      // The example is a project of its own, and what one begins as.
      ...paths.filter((name) => [ROOT, EXAMPLE].every((folder) => !existsSync(join(folder, name)))),
      ...tests.filter((name) => !TEST_NAMES.has(name)),
    ].map((name) => `${path}: there is no ${name}`);
  },
  bad: [
    ["docs/A.md", "shown by `no-such.test.ts`"],
    ["docs/A.md", "see `src/no/such-file.ts`"],
  ],
  good: [["docs/A.md", "`tidy.test.ts`, `test/tidy.test.ts`, `src/engine/schema/tenant/000N_<name>.sql`"]],
};

const DEPENDENCIES: Rule = {
  name: "docs/internals/dependencies.md has a row for every dependency, and for nothing else",
  check: ({ path, text }) => {
    if (path !== "docs/internals/dependencies.md") return [];
    const rows = text.split("\n").filter((line) => line.startsWith("| `"));
    const listed = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name));
    const used = dependencyNames();
    return [
      ...used.filter((name) => !listed.includes(name)).map((name) => `${name} has no row: say what it saves`),
      ...listed.filter((name) => !used.includes(name ?? "")).map((name) => `${name} has a row but is no dependency`),
      ...rows
        .filter((row) =>
          row
            .split("|")
            .slice(1, 4)
            .some((cell) => cell.trim() === ""),
        )
        .map((row) => `empty: ${row}`),
    ];
  },
  bad: [["docs/internals/dependencies.md", "| `left-pad` | padding | nothing |"]],
};

const RULES = [...BANNED, NAMES, FILE_LENGTH, FUNCTION_LENGTH, LINKS, NAMED_FILES, DEPENDENCIES];

describe("tidy", () => {
  const files = repositoryFiles();

  test("sees the repository", () => {
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["package.json", "src/base/kernel/errors.ts"]),
    );
    expect(files.some(({ path }) => path === "docs/internals/dependencies.md")).toBe(true);
  });

  test.each(RULES)("$name", ({ check }) => {
    expect(files.flatMap(check)).toEqual([]);
  });

  test.each(RULES)("a planted fault is found: $name", ({ check, bad, good = [] }) => {
    for (const [path, text] of bad)
      expect({ path, text, found: check({ path, text }).length > 0 }).toMatchObject({ found: true });
    for (const [path, text] of good) expect(check({ path, text })).toEqual([]);
  });

  test("a package whose inside is used has one exact version", () => {
    const page = files.find(({ path }) => path === "docs/internals/dependencies.md")?.text ?? "";
    const [, section = ""] = /### Pinned to one exact version\n(.*?)\n## /s.exec(page) ?? [];
    const pinned = [...section.matchAll(/^\| ([a-z][a-z@/-]*) \|/gm)].map(([, name = ""]) => name);
    expect(pinned).toEqual(expect.arrayContaining(["pg", "graphql-yoga", "graphql"]));
    const versions = dependencyVersions();
    const loose = pinned.filter((name) => name !== "package" && !/^\d+\.\d+\.\d+$/.test(versions.get(name) ?? ""));
    expect(loose).toEqual([]);
  });

  test("what may be long is still there and still long", () => {
    const long = new Set<string>();
    for (const { path, text } of files.filter((file) => isSource(file.path))) {
      if (text.trimEnd().split("\n").length > MAX_FILE_LINES) long.add(path);
      for (const { name, lines } of functionsOf(text)) if (lines > MAX_FUNCTION_LINES) long.add(`${path} ${name}`);
    }
    expect(Object.keys(LONG_FOR_A_REASON).filter((key) => !long.has(key))).toEqual([]);
  });
});

/** Text files of the repository, also those not committed yet; not this one, whose samples are faults. */
function repositoryFiles(): File[] {
  const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  // A checkout may belong to somebody else than who runs the tests; listing its files is harmless.
  const paths = execFileSync("git", ["-c", "safe.directory=*", ...listing], { cwd: ROOT, encoding: "utf8" });
  return [...new Set(paths.split("\0"))]
    .filter((path) => /\.(tsx?|js|cjs|mjs|sql|md|json|ya?ml|css|html)$/.test(path))
    .filter((path) => path !== "test/tidy.test.ts" && !path.startsWith("test/fixtures/"))
    .filter((path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() === true)
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

function dependencyNames(): string[] {
  return [...dependencyVersions().keys()];
}

function dependencyVersions(): Map<string, string> {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const kinds = ["dependencies", "optionalDependencies", "devDependencies", "peerDependencies"];
  return new Map(kinds.flatMap((kind) => Object.entries(manifest[kind] ?? {})));
}

type Node = { type?: string; span?: { start: number; end: number }; [key: string]: unknown };
type Named = { value?: string; id?: Named };

/** Every function with its length in lines, from its first to its last line. */
function functionsOf(text: string, tsx = false): { name: string; lines: number }[] {
  const bytes = Buffer.from(text);
  const found: { name: string; lines: number }[] = [];
  const visit = (node: unknown, outerName: string): void => {
    if (Array.isArray(node)) {
      for (const child of node) visit(child, outerName);
      return;
    }
    if (typeof node !== "object" || node === null) return;
    const { type = "", span, ...children } = node as Node;
    const label = (children["identifier"] ?? children["id"] ?? children["key"]) as Named | null | undefined;
    const name = [label?.value, label?.id?.value].find((part) => typeof part === "string") ?? outerName;
    // swc counts bytes from 1.
    if (
      /^(Function(Declaration|Expression)|ArrowFunctionExpression|ClassMethod|PrivateMethod|MethodProperty|Constructor)$/.test(
        type,
      ) &&
      span
    )
      found.push({
        name,
        lines: bytes
          .subarray(span.start - 1, span.end - 1)
          .toString()
          .split("\n").length,
      });
    for (const child of Object.values(children)) visit(child, name);
  };
  visit(parseSync(text, { syntax: "typescript", tsx, target: "es2024" }).body, "(anonymous)");
  return found;
}

function brokenLink(from: string, text: string, target: string): string[] {
  if (/^[a-z][a-z+.-]*:/i.test(target) || target.startsWith("//")) return [];
  const [file = "", anchor] = decodeURI(target).split("#");
  const path = join(ROOT, dirname(from), file);
  if (file !== "" && !existsSync(path)) return [`${from}: ${target} does not exist`];
  if (anchor === undefined || (file !== "" && !file.endsWith(".md"))) return [];
  const headings = [...(file === "" ? text : readFileSync(path, "utf8")).matchAll(/^#+ (.*)$/gm)].map(
    ([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
  );
  return headings.includes(anchor) ? [] : [`${from}: there is no heading for ${target}`];
}
