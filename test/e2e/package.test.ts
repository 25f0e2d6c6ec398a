/**
 * The npm package: packed as for publishing, and used in a folder that has nothing else. The quick cut puts it beside this
 * checkout's dependencies. With TENANTRY_PACKAGE=full npm and pnpm install it from the registry, and everything that a newcomer
 * would run is run on the machine's own Node.
 */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { problemAffectsResolutionKind } from "@arethetypeswrong/core/problems";
import { publint } from "publint";
import { beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

const ROOT = join(import.meta.dirname, "../..");
const PACK_TIMEOUT_MS = 120_000;
const FULL_TIMEOUT_MS = 300_000;

/** The program refuses variables that it does not know, so it gets none of this run's. */
const ENVIRONMENT = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TENANTRY_"))),
  NO_COLOR: "1",
};

type Outcome = { code: number; output: string };

/** Runs a program to its end. `env` is over what there is. */
function run(cwd: string, program: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...ENVIRONMENT, ...env }, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

async function succeed(...of: Parameters<typeof run>): Promise<void> {
  const { code, output } = await run(...of);
  if (code !== 0) throw new Error(output);
}

let tarball: string;
/** The package as it is unpacked, beside this checkout's dependencies. */
let project: string;
let installed: string;

beforeAll(async () => {
  const folder = temporaryFolder();
  await succeed(ROOT, "npx", ["-y", "pnpm@12", "pack", "--pack-destination", folder]);
  tarball = join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "");
  project = temporaryFolder();
  installed = join(project, "node_modules/tenantry");
  mkdirSync(dirname(installed));
  await succeed(project, "tar", ["xzf", tarball]);
  renameSync(join(project, "package"), installed);
  for (const dependency of readdirSync(join(ROOT, "node_modules")).filter((one) => !one.startsWith(".")))
    symlinkSync(join(ROOT, "node_modules", dependency), join(project, "node_modules", dependency));
}, PACK_TIMEOUT_MS);

/** The package's program, on this Node. */
const tenantry = (...args: string[]) => run(project, process.execPath, [join(installed, "bin/tenantry.js"), ...args]);

test("it has built files, migrations, the example and the licence, and neither sources nor tests", async () => {
  const { output } = await run(ROOT, "tar", ["tzf", tarball]);
  const files = output.trim().split("\n");
  for (const file of [
    "LICENSE",
    "README.md",
    "bin/tenantry.js",
    "dist/index.js",
    "dist/index.d.ts",
    "dist/testing.js",
    "dist/engine/schema/both/0001_tenant_tables.sql",
    "dist/app/schema/0001_resources_and_comments.sql",
    "dist/api/http/explorer/page.html",
    "dist/console/index.html",
    "examples/invoices/db/tenant/0001_invoices.sql",
  ])
    expect(files).toContain(`package/${file}`);
  expect(
    files.filter((file) => /^package\/(?!bin|dist|examples|[A-Z]+(\.md)?$|package\.json$)|\.test\.js/.test(file)),
  ).toEqual([]);
  const sources = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
  expect(sources.filter((file) => !file.startsWith("package/examples/"))).toEqual([]);
});

test("what it exports, and the types of that, are right by publint and by attw", { timeout: 60_000 }, async () => {
  const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
  expect(messages).toEqual([]);
  const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
  if (!result.types) throw new Error("it has no types");
  expect(Object.keys(result.entrypoints)).toEqual([".", "./graphql", "./testing", "./package.json"]);
  // The package is of modules alone: `require` of old and TypeScript's resolution before `exports` are not for it.
  const found = result.problems.filter(
    (problem) =>
      problemAffectsResolutionKind(problem, "node16-esm", result) ||
      problemAffectsResolutionKind(problem, "bundler", result),
  );
  expect(found).toEqual([]);
});

test(
  "init, check and the types work in a folder of one's own",
  async () => {
    expect(await tenantry("init", ".")).toMatchObject({ code: 0 });
    const { code, output } = await tenantry("init", ".");
    expect({ code, output }).toMatchObject({
      code: 1,
      output: expect.stringContaining("nothing is overwritten") as string,
    });

    const types = ["--noEmit", "--strict", "--module", "nodenext", "--target", "esnext", "--types", "node"];
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const sources = ["tenantry.config.ts", "test/invoices.test.ts"];
    expect(await run(project, process.execPath, [tsc, ...types, ...sources])).toEqual({ code: 0, output: "" });

    expect((await tenantry("check", "--ci")).code).toBe(1);
    expect(await tenantry("check")).toMatchObject({ code: 0 });
    expect((await tenantry("check", "--ci")).code).toBe(0);
    const manifest = readFileSync(join(project, "db/tenant/manifest.json"), "utf8");
    expect(JSON.parse(manifest)).toMatchObject({ versions: [{ tables: { "app.invoices": { flows: ["number"] } } }] });

    writeFileSync(join(project, "db/tenant/0002_more.sql"), "create table app.more (id uuid primary key);");
    expect(await tenantry("check")).toMatchObject({
      code: 1,
      output: expect.stringContaining("app.more was not declared") as string,
    });
    expect(await tenantry("start")).toMatchObject({
      code: 1,
      output: "db/tenant/manifest.json does not list 0002_more.sql: run tenantry check, and commit what it writes.\n",
    });
  },
  PACK_TIMEOUT_MS,
);

/** Without the programs that this run has been given: what a newcomer has. */
const PATH = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter);

describe.runIf(process.env["TENANTRY_PACKAGE"] === "full")("installed from the registry", () => {
  test.each([
    ["npm", ["npm", "install"], ["npm", "test"]],
    // It ends with an error until it is told about install scripts, which init does.
    ["pnpm", ["npx", "-y", "pnpm@12", "add"], ["npx", "-y", "pnpm@12", "install"]],
  ])(
    "with %s: init, check, test and start",
    async (_, [program = "", ...install], [tester = "", ...testing]) => {
      const folder = temporaryFolder();
      const env = { PATH };
      await run(folder, program, [...install, tarball], env);
      for (const args of [["init", "."], ["check"], ["check", "--ci"]])
        expect(await run(folder, "npx", ["tenantry", ...args], env)).toMatchObject({ code: 0 });
      expect(await run(folder, tester, testing, env)).toMatchObject({ code: 0 });

      const port = await freePort();
      const started = spawn("npx", ["tenantry", "start"], {
        cwd: folder,
        env: {
          ...ENVIRONMENT,
          ...env,
          PORT: String(port),
          TENANTRY_GATEWAY_LISTEN: "127.0.0.1:0",
          TENANTRY_LOG_FORMAT: "text",
        },
      });
      const closed = new Promise((resolve) => started.on("close", resolve));
      let output = "";
      for (const stream of [started.stdout, started.stderr])
        stream.on("data", (chunk: Buffer) => {
          output += chunk.toString();
        });
      await Promise.race([eventually(async () => output.includes("Ctrl-C stops it"), 60_000), closed]);
      expect(output).toContain("The tables are those of db/tenant");
      expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
      started.kill("SIGTERM");
      await closed;
      expect(output).toContain("Stopping the PostgreSQL servers");
    },
    FULL_TIMEOUT_MS,
  );
});
